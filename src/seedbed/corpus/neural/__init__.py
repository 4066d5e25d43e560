"""A small network that tags the segments of a document: the text nodes of a page, the lines of a text."""
