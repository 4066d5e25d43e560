"""What several scripts can be told."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path


def add_network(parser: argparse.ArgumentParser, layers: int = 6, width: int = 384, heads: int = 6) -> None:
    """The network's shape, and a file for what is measured of it."""
    parser.add_argument("--layers", type=int, default=layers)
    parser.add_argument("--width", type=int, default=width)
    parser.add_argument("--heads", type=int, default=heads)
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--out", type=Path, help="a JSON file for the results")


def parser(about: str | None, contestants: Iterable[str]) -> argparse.ArgumentParser:
    """Of the scripts that measure methods on one network, each method in its turn."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_network(found)
    found.add_argument("--only", nargs="*", choices=list(contestants))
    return found
