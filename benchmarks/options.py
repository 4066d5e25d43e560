"""What the scripts can be told that measure methods on one network, each method in its turn."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path


def parser(about: str | None, contestants: Iterable[str]) -> argparse.ArgumentParser:
    """The network's shape, some of the contestants, and a file."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--layers", type=int, default=6)
    found.add_argument("--width", type=int, default=384)
    found.add_argument("--heads", type=int, default=6)
    found.add_argument("--vocabulary", type=int, default=8192)
    found.add_argument("--only", nargs="*", choices=list(contestants))
    found.add_argument("--out", type=Path, help="a JSON file for the results")
    return found
