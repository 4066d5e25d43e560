"""Points as rows of numbers, for models of what they are worth.

Shapes: P points, F features, D dimensions of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .space import Point, Space


def features(points: Sequence[Point]) -> np.ndarray:
    """(P, F): of a decision between numbers its place from 0 to 1, of another one column for each option; a decision
    that a point does not come to is 0 in all its columns, and one column more says whether it does."""
    rows = [dict(_cells(point)) for point in points]
    columns = sorted({column for row in rows for column in row})
    return np.array([[row.get(column, 0.0) for column in columns] for row in rows]).reshape(len(rows), len(columns))


def _cells(point: Point) -> list[tuple[str, float]]:
    found = []
    for decision, option in point.decisions:
        if decision.ordered:
            found += [(f"{decision.name} is open", 1.0), (decision.name, option / (decision.size - 1))]
        else:
            found.append((f"{decision.name} = {option}", 1.0))
    return found


def distances(space: Space, points: Sequence[Point]) -> np.ndarray:
    """(P, P): how unlike points are, as chains of layers with their settings (`Space.distance`)."""
    found_PP = np.zeros((len(points), len(points)))
    for place, point in enumerate(points):
        for other in range(place):
            found_PP[place, other] = found_PP[other, place] = space.distance(point, points[other])
    return found_PP


def embedded(distance_PP: np.ndarray, dimensions: int) -> np.ndarray:
    """(P, D): places whose distances are near the given ones, by classical scaling (Torgerson, 1952), moved and scaled
    into [0, 1] by one factor. Dimensions that distances do not need are left out."""
    center_PP = np.eye(len(distance_PP)) - 1 / len(distance_PP)
    values_P, vectors_PP = np.linalg.eigh(-0.5 * center_PP @ distance_PP**2 @ center_PP)
    kept = [place for place in reversed(range(len(values_P))) if values_P[place] > 1e-9][:dimensions]
    if not kept:
        return np.zeros((len(distance_PP), 1))
    vectors_PD = vectors_PP[:, kept]
    signs_D = np.sign(vectors_PD[np.abs(vectors_PD).argmax(0), range(len(kept))])  # an eigenvector has none of its own
    found_PD = vectors_PD * signs_D * np.sqrt(values_P[kept])
    found_PD = found_PD - found_PD.min(0)
    return np.asarray(found_PD / found_PD.max())
