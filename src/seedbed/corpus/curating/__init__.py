"""Curation, one file each: from a frame of documents to the same frame, tagged."""
