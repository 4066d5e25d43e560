"""Mixers: configurations of what can stand in place of attention. One file each; no torch until a network is made."""
