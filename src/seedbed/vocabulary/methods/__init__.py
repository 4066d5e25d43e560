"""How vocabularies are trained. One file each; all give a `tokenizers.Tokenizer` whose ids begin with the special
tokens, and give the same one for the same texts in the same order on any machine."""
