"""Embeddings that are predicted: a hypernetwork learns, over many random tokenizers, which embeddings a model wants for
tokens that it does not have (ZeTT, Minixhofer et al., 2024)."""
