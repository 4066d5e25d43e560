"""Readers, one file each: iterables of documents and of what could not be read."""
