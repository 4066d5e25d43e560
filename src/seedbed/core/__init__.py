"""What every room stands on: errors, registries, artifacts, steps, counters. Knows of no method."""
