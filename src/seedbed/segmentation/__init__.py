"""Where sentences end: a small network that learns it from the line ends of texts, and splits any text."""
