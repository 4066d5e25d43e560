"""Functions that are learned from examples in the context: how they are drawn, laid out in rows, and best estimated."""
