"""Geometry of the map: the part of the plane on which it opens, coordinates as they travel, what lies in a polygon."""

from dataclasses import dataclass

import numpy as np

STEPS = 65535  # of an axis in two bytes
LEFT_OUT = ((0.005, 1.5), (0.02, 3.0), (0.05, 6.0))  # (share of the points at most, times that the rest grows at least)
REACH_SHARE = 0.25  # of the bulk's extent, on each side, within which points still belong to it
ENOUGH = 50_000  # points from which the core is found
TINY = 1e-6  # extent of a map that has none


@dataclass(frozen=True)
class Bounds:
    """An upright box of the plane."""

    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def span(self) -> tuple[float, float]:
        return self.high[0] - self.low[0], self.high[1] - self.low[1]

    def grown(self, share: float) -> "Bounds":
        """With a margin of a share of its extent on each side, and some margin where it has none."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        margin = share * np.maximum(high - low, max(1e-3 * float(max(self.span)), TINY))
        return Bounds(tuple((low - margin).tolist()), tuple((high + margin).tolist()))

    def holds(self, xy: np.ndarray) -> np.ndarray:
        """Which of the points (n, 2) lie in it, edges included: (n,) bool."""
        inside = np.ones(len(xy), bool)
        for values, low, high in zip(xy.T, self.low, self.high, strict=True):
            inside &= (values >= low) & (values <= high)
        return inside


@dataclass(frozen=True)
class Beyond:
    """Points on one side of a box: `across` and `up` are -1, 0 or 1, and not both 0."""

    across: int
    up: int
    count: int

    @property
    def arrow(self) -> str:
        return ARROWS[self.across, self.up]

    @property
    def words(self) -> str:
        sides = [{-1: "below", 1: "above"}.get(self.up), {-1: "left", 1: "right"}.get(self.across)]
        samples = "sample lies" if self.count == 1 else "samples lie"
        return f"{self.count:,} {samples} outside, {' and '.join(side for side in sides if side)}"


ARROWS = {(-1, 1): "↖", (0, 1): "↑", (1, 1): "↗", (-1, 0): "←", (1, 0): "→", (-1, -1): "↙", (0, -1): "↓", (1, -1): "↘"}


def whole(xy: np.ndarray) -> Bounds:
    """What holds all of the points (n, 2); the unit square if there are none."""
    if not len(xy):
        return Bounds((0.0, 0.0), (1.0, 1.0))
    x, y = xy.T  # axis by axis: a hundred times as fast as along rows of two
    return Bounds((float(np.min(x)), float(np.min(y))), (float(np.max(x)), float(np.max(y))))


def bulk(xy: np.ndarray) -> Bounds:
    """The part of the plane on which a map of the points (n, 2) opens.

    It holds all of them, unless a few lie so far off that the others would be drawn much smaller for them: LEFT_OUT
    says how few, and how much smaller. On each axis the core is the shortest stretch that holds enough points, whether
    the others lie on one side of it or on both; what lies near it belongs to the bulk as well.
    """
    xy = np.asfortranarray(xy)
    found = whole(xy)
    some = xy[:: -(-len(xy) // ENOUGH) or 1]
    for share, gain in LEFT_OUT:
        few = int(share * len(some))
        if not few:
            continue
        ends = np.array([_shortest(some[:, axis], few) for axis in range(2)], np.float64)
        if max(found.span) < gain * np.ptp(ends, axis=1).max():
            continue
        smaller = _with_what_is_near(xy, Bounds(tuple(ends[:, 0]), tuple(ends[:, 1])))
        outside = len(xy) - np.count_nonzero(smaller.holds(xy))
        if outside <= share * len(xy) and 0 < gain * max(smaller.span) <= max(found.span):
            found = smaller
    return found


def beyond(xy: np.ndarray, shown: Bounds) -> list[Beyond]:
    """How many of the points (n, 2) lie outside a box, on each of its eight sides where some do."""
    outer = xy[~shown.holds(xy)]
    sides = (outer > shown.high).astype(np.int64) - (outer < shown.low)
    kinds, counts = np.unique(sides, axis=0, return_counts=True)
    return [Beyond(int(across), int(up), int(count)) for (across, up), count in zip(kinds, counts, strict=True)]


def _with_what_is_near(xy: np.ndarray, core: Bounds) -> Bounds:
    """The box of the points in a core and of those near it, those near them, and so on."""
    held = -1
    while held < (now := int(np.count_nonzero(inner := core.grown(REACH_SHARE).holds(xy)))):
        held, core = now, whole(xy[inner])
    return core


def _shortest(values: np.ndarray, few: int) -> tuple[float, float]:
    """The ends of the shortest stretch that holds all but `few` of the values."""
    last = len(values) - 1
    parted = np.partition(values, (few, last - few))
    lows, highs = np.sort(parted[: few + 1]), np.sort(parted[last - few :])
    first = int(np.argmin(highs - lows))
    return float(lows[first]), float(highs[first])


@dataclass(frozen=True)
class Frame:
    """What travelling coordinates count in: x = low + span * place / unit."""

    low: tuple[float, float]
    span: tuple[float, float]
    unit: int = STEPS  # STEPS for two-byte coordinates, 1 for float32

    def steps(self, xy: np.ndarray) -> np.ndarray:
        """Coordinates (n, 2) as places, (n, 2) float64, as the browser works them out."""
        return (xy - np.asarray(self.low)) / np.asarray(self.span) * self.unit

    def back(self, places: np.ndarray) -> np.ndarray:
        """Coordinates (n, 2) float64 of places; off by at most half a step, or by what float32 rounds away."""
        return np.asarray(self.low) + np.asarray(self.span) * (places.astype(np.float64) / self.unit)


def quantised(xy: np.ndarray, home: Bounds) -> tuple[Frame, np.ndarray]:
    """Coordinates (n, 2) as they travel, and the frame to read them with.

    Two bytes an axis over its own range, (n, 2) uint16, where `home` holds all points. Where it does not, steps that
    reach the farthest point would be too coarse for the bulk: (n, 2) float32, in units of `home`, then.
    """
    everything = whole(xy)
    if everything == home:
        frame = Frame(everything.low, _not_flat(everything.span))
        return frame, np.rint(frame.steps(xy)).clip(0, STEPS).astype("<u2")
    frame = Frame(home.low, _not_flat(home.span), unit=1)
    return frame, frame.steps(xy).astype("<f4")


def _not_flat(span: tuple[float, float]) -> tuple[float, float]:
    return max(span[0], TINY), max(span[1], TINY)


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
