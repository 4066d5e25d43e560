"""Networks that write: what they think comes next (`reading`), which token that becomes (`choice`), and token after
token until a text is whole (`loop`)."""
