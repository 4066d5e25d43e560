"""Interventions, one file each."""
