"""The moments of a training: what lies where when, who turned right, and which classes drew together.

Legend: F moments, n samples.
"""

from collections.abc import Sequence

import numpy as np

APART = 0.2  # of the map's width, between the centres of two classes worth following


def phases(steps: Sequence[int], names: Sequence[str], end: int) -> list[tuple[int, int, str]]:
    """(from step, to step, name) of each stretch in one phase, given the phase at some ascending steps."""
    starts = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    stops = [steps[place] for place in starts[1:]] + [end]
    return [(steps[place], stop, names[place]) for place, stop in zip(starts, stops, strict=True)]


def turned(correct: np.ndarray, since: int, until: int, *, right: bool) -> np.ndarray:
    """Places of the samples that were wrong at moment `since` and right at `until`, or the reverse; ascending.

    Parameters
    ----------
    correct : (F, n) bool
    """
    return np.flatnonzero((correct[since] != right) & (correct[until] == right))


def gathered(xy: np.ndarray, labels: np.ndarray, *, count: int, least: int = 4) -> np.ndarray:
    """Up to `count` labels whose samples drew together most from the first moment to the last, at different places.

    Parameters
    ----------
    xy : (F, n, 2)
    labels : (n,)
    least : samples that such a class has at least
    """
    names, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    _, before = _centres(xy[0], numbers, sizes)
    centres, after = _centres(xy[-1], numbers, sizes)
    apart = APART * np.ptp(xy[-1], axis=0).max()
    found: list[int] = []
    for one in np.argsort(after - before, kind="stable"):
        far = np.linalg.norm(centres[found] - centres[one], axis=1) >= apart
        if sizes[one] >= least and len(found) < count and far.all():
            found.append(int(one))
    return names[found]


def _centres(xy: np.ndarray, numbers: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each class's samples among (n, 2): the centre (P, 2), and the root mean square distance to it (P,)."""
    xy = xy.astype(np.float64)
    centres = np.stack([np.bincount(numbers, column) / sizes for column in xy.T], axis=1)
    squared = np.square(xy - centres[numbers]).sum(axis=1)
    return centres, np.sqrt(np.bincount(numbers, squared) / sizes)
