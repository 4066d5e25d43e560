"""Positions: more of them than a model was trained with."""
