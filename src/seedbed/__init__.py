"""Seedbed: from a folder of raw material to an evaluated pretrained model."""

__version__ = "0.1.0"
