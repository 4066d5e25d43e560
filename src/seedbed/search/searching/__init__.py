"""Searchers. One file each."""
