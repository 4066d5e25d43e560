"""Daft, with its usage statistics and progress bars switched off. Import it from here, and only in functions."""

import os

# Before the import: Daft reports it as an event.
os.environ["DO_NOT_TRACK"] = "true"
os.environ["SCARF_NO_ANALYTICS"] = "true"
os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
os.environ["DAFT_PROGRESS_BAR"] = "0"

import daft
from daft import functions

__all__ = ["daft", "functions"]
