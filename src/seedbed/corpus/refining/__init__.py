"""Documents refined by programs: what the programs are, how they run, where they come from."""
