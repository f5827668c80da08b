"""Where a class's name goes on the map."""

from collections.abc import Sequence

import numpy as np

MOST = 1200  # names that travel
CELLS = 24  # an axis; a cell is about as large as a name


def class_labels(xy: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> list[tuple[str, float, float]]:
    """(name, x, y) of up to MOST classes, those with the largest crowds first.

    A name stands in the cell of a CELLS x CELLS grid that holds most points of its class, at the mean of those: never
    between two crowds, where none of the class is.
    """
    if not len(xy):
        return []
    low, high = xy.min(axis=0), xy.max(axis=0)
    cells = ((xy - low) / np.maximum(high - low, 1e-9) * (CELLS - 1e-3)).astype(np.int64) @ (1, CELLS)
    held, crowd_of, sizes = np.unique(labels * CELLS**2 + cells, return_inverse=True, return_counts=True)
    x, y = (np.bincount(crowd_of, xy[:, axis]) / sizes for axis in range(2))
    classes = held // CELLS**2
    largest_first = np.argsort(-sizes, kind="stable")
    _, firsts = np.unique(classes[largest_first], return_index=True)
    best = largest_first[np.sort(firsts)][:MOST]
    return [(str(names[classes[k]]), round(float(x[k]), 4), round(float(y[k]), 4)) for k in best]
