"""Scaling: rates and batches that published laws suggest, sweeps that check them, and laws fitted to one's own runs."""
