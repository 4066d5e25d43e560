"""Pruning: a trained model with fewer weights."""
