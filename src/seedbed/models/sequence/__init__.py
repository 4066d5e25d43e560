"""What mixers and feedforwards compute: their torch modules, and the convolutions and scans that they share."""
