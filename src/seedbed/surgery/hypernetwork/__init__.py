"""Weights that are predicted: a graph hypernetwork is trained on many small networks, and then gives a larger one its
first weights (LoGAH, Zhou et al., 2024; GHN-3, Knyazev et al., 2023)."""
