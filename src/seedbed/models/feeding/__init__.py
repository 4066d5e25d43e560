"""Feedforwards: configurations of what can stand in place of the dense one. One file each, without torch."""
