"""The papers: a catalogue of claims about pretraining, the studies that test them, and what the tests said."""
