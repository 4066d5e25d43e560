"""The initializers, one a module."""
