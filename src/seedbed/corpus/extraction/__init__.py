"""Extractors of web pages' text, one file each."""
