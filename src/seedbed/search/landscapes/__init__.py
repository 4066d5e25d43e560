"""Response surfaces: points to values, without training. One file each."""
