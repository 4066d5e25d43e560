"""Backbones: configurations that make networks. One file each; no torch until a network is made."""
