"""What methods see of texts: characters, words, n-grams, what comes again, rules."""
