"""Changing the vocabulary of a trained model."""
