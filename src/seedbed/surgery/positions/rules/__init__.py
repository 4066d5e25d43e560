"""Position rules, one file each."""
