"""Sentences for the tests of recipes for languages."""

ANIMALS = ["Hund", "Vogel", "Fisch", "Hase", "Igel", "Fuchs", "Esel", "Storch"]
PLACES = ["im Garten", "hinter dem Haus", "auf der Wiese", "am Fluss", "unter der Brücke", "vor der Mühle"]
GERMAN = [f"Der alte {a} schläft heute {p} und träumt lange vom Sommer." for a in ANIMALS for p in PLACES]
