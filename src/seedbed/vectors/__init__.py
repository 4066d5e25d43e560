"""Static word vectors, bilingual dictionaries, and what brings two languages into one space."""
