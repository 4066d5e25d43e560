"""Ways of making batches. One file each."""
