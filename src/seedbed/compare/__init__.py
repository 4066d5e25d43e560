"""Comparisons: arms of one recipe, each run with the same seeds, and what can be said of their differences."""
