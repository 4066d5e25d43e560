"""Searches: a space of configurations, an algorithm that chooses points in it, and what each point is worth."""

from seedbed.core.registry import Registry

from .searcher import Searcher
from .surface import Surface

searchers: Registry[object] = Registry(
    "searcher", "seedbed.search.searching", about="which point of a space of configurations is tried next"
)
surfaces: Registry[object] = Registry(
    "surface", "seedbed.search.landscapes", about="what a point is worth without training: for trying searchers"
)

__all__ = ["Searcher", "Surface", "searchers", "surfaces"]
