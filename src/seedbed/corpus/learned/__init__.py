"""What scorers are made of: models that are fitted, and what is asked of them."""
