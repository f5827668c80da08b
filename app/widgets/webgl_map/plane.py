"""Geometry of the map: coordinates as two bytes an axis, and what lies in a polygon."""

from dataclasses import dataclass

import numpy as np

STEPS = 65535  # of an axis


@dataclass(frozen=True)
class Frame:
    """The part of the plane that quantised coordinates span: x = low + span * step / STEPS."""

    low: tuple[float, float]
    span: tuple[float, float]

    def steps(self, xy: np.ndarray) -> np.ndarray:
        """Coordinates (n, 2) in steps, (n, 2) float64, as the browser works them out."""
        return (xy - np.asarray(self.low)) / np.asarray(self.span) * STEPS

    def back(self, places: np.ndarray) -> np.ndarray:
        """Coordinates (n, 2) float64 of quantised ones; off by at most half a step, span / (2 * STEPS)."""
        return np.asarray(self.low) + np.asarray(self.span) * (places.astype(np.float64) / STEPS)


def quantised(xy: np.ndarray) -> tuple[Frame, np.ndarray]:
    """Coordinates (n, 2) as (n, 2) uint16, each axis over its own range, and the frame to read them with."""
    if not len(xy):
        return Frame((0.0, 0.0), (1.0, 1.0)), np.empty((0, 2), "<u2")
    low = xy.min(axis=0).astype(np.float64)
    span = np.maximum(xy.max(axis=0) - low, 1e-6)
    places = np.rint((xy - low) * (STEPS / span)).clip(0, STEPS).astype("<u2")
    return Frame(tuple(low.tolist()), tuple(span.tolist())), places


def inside(xy: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points (n, 2) lie in a polygon (p, 2), by the even-odd rule: (n,) bool.

    The polygon closes itself; with fewer than three corners, or one that is not finite, it holds nothing. Points are
    sorted by y once, so that an edge looks at those beside it alone: n log n + what the edges pass. `front/search.js`
    does the same sums: of the same numbers both make the same choice.
    """
    found = np.zeros(len(xy), bool)
    if len(polygon) < 3 or not np.isfinite(polygon).all():
        return found
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero(((xy >= low) & (xy <= high)).all(axis=1))
    near = near[np.argsort(xy[near, 1])]
    x, y = xy[near].T.astype(np.float64)
    odd = np.zeros(len(near), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        beside = slice(*np.searchsorted(y, sorted((y1, y2))))
        odd[beside] ^= x[beside] < x1 + (y[beside] - y1) * (x2 - x1) / (y2 - y1)
    found[near] = odd
    return found
