"""Where a class's name goes on the map."""

from collections.abc import Sequence

import numpy as np

from app.names import shortened
from app.widgets.map.webgl_map.plane import Bounds

MAX_NAMES = 1200  # names that travel
WIDEST = 24  # columns of a name on the map; a longer one is cut, and whole where the mouse is
CELLS = 24  # an axis of the part that the map opens on; a cell is about as large as a name
FARTHEST = 1 << 19  # cells from there; beyond that all count as one

Label = tuple[str, float, float, str]


def class_labels(xy: np.ndarray, labels: np.ndarray, names: Sequence[str], home: Bounds) -> list[Label]:
    """(name as it is drawn, x, y, whole name) of up to MAX_NAMES classes, those with the largest crowds first.

    A name stands in the cell of a grid that holds most points of its class, at the mean of those: never between two
    crowds, where none of the class is.
    """
    if not len(xy):
        return []
    cell = np.maximum(np.asarray(home.span) / (CELLS - 1e-3), 1e-9)
    columns = np.clip(np.floor((xy - home.low) / cell), -FARTHEST, FARTHEST - 1).astype(np.int64) + FARTHEST
    cells = columns @ (1, 2 * FARTHEST)
    held, crowd_of, sizes = np.unique(
        labels.astype(np.int64) * (4 * FARTHEST**2) + cells, return_inverse=True, return_counts=True
    )
    x, y = (np.bincount(crowd_of, xy[:, axis]) / sizes for axis in range(2))
    classes = held // (4 * FARTHEST**2)
    largest_first = np.argsort(-sizes, kind="stable")
    _, firsts = np.unique(classes[largest_first], return_index=True)
    best = largest_first[np.sort(firsts)][:MAX_NAMES]
    whole = [str(names[classes[k]]) for k in best]
    drawn = shortened(whole, WIDEST)
    return [
        (short, round(float(x[k]), 4), round(float(y[k]), 4), name)
        for k, short, name in zip(best, drawn, whole, strict=True)
    ]
