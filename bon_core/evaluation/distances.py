"""Distances that keep their digits: float32 squares of inner products say nothing of vectors that hardly differ.

Vectors are taken around a centre first, which changes no distance but leaves float32 its digits for what differs. What
is then still small beside the lengths that it comes from is computed anew, from the difference of the two vectors.

Legend: N vectors, Q queries, D width, c candidates of a query.
"""

import numpy as np

from bon_core.base.chunks import row_chunks

MAX_SAMPLED = 65536  # vectors that say where the middle of all is
CLOSE = 1e-3  # of a squared length: smaller squared distances have too few digits left in float32,
CLOSE_IN_FLOAT64 = 1e-10  # and in float64
GATHERED = 2**24  # numbers of candidates' vectors held at once


def centre_of(vectors: np.ndarray) -> np.ndarray:
    """A point (D,) float32 in the middle of `vectors` (N, D): their mean, or that of some where there are many."""
    return vectors[:: 1 + (len(vectors) - 1) // MAX_SAMPLED].mean(axis=0, dtype=np.float64).astype(np.float32)


def around(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """`vectors` (N, D) less the centre (D,): float32, contiguous."""
    return np.ascontiguousarray(np.subtract(vectors, centre, dtype=np.float32))


def rounding(lengths: np.ndarray, squared: np.ndarray, dim: int) -> np.ndarray:
    """How wrong |x|^2 + |y|^2 - 2 x.y of D = `dim` products may be in float32, for y within sqrt(`squared`) of x.

    lengths, squared : (Q,), of each x around the centre, and of its distance to y
    """
    error = np.finfo(np.float32).eps * np.sqrt(dim)  # of a sum of D products, whose errors partly cancel
    return error * (2 * lengths + np.sqrt(squared)) ** 2


def sharpened(
    squared: np.ndarray, found: np.ndarray, lengths: np.ndarray, queries: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """`squared` (Q, c) float32 to the vectors `found` (Q, c), the small ones computed anew from differences.

    lengths : (Q,) squared, of the queries around the centre
    """
    squared = np.maximum(squared, 0)
    rows, columns = np.nonzero(squared < CLOSE * lengths[:, None])
    return _from_differences(squared, (rows, columns), found, queries, vectors)


def squared_to(queries: np.ndarray, vectors: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Squared distances (Q, c) float32 to the vectors `found` (Q, c), all from differences; infinite where it is -1."""
    squared = np.empty(found.shape, dtype=np.float32)
    step = max(1, GATHERED // (found.shape[1] * queries.shape[1]))
    for rows in row_chunks(len(queries), step):
        difference = np.subtract(vectors[found[rows]], queries[rows, None], dtype=np.float32)  # (q, c, D)
        squared[rows] = np.einsum("qcd,qcd->qc", difference, difference)
    squared[found < 0] = np.inf
    return squared


def squared_to_all(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Squared distances (Q, N) float64 of a few queries to all vectors."""
    centre = centre_of(vectors).astype(np.float64)
    asked = queries - centre
    own = np.einsum("qd,qd->q", asked, asked)[:, None]
    squared = np.empty((len(queries), len(vectors)))
    for rows in row_chunks(len(vectors)):
        block = vectors[rows] - centre
        squared[:, rows] = own + np.einsum("nd,nd->n", block, block) - 2 * asked @ block.T
    row, column = np.nonzero(squared < CLOSE_IN_FLOAT64 * own)
    np.maximum(squared, 0, out=squared)
    everybody = np.broadcast_to(np.arange(len(vectors)), squared.shape)
    return _from_differences(squared, (row, column), everybody, queries, vectors)


def in_order(squared: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (Q, c), each row by distance and then position; sorts only the rows that are not."""
    unsorted = np.flatnonzero((squared[:, 1:] <= squared[:, :-1]).any(axis=1))
    order = np.lexsort((found[unsorted], squared[unsorted]))
    found[unsorted] = np.take_along_axis(found[unsorted], order, axis=1)
    squared[unsorted] = np.take_along_axis(squared[unsorted], order, axis=1)
    return squared, found


def spread(vectors: np.ndarray) -> float:
    """Root of the mean squared distance of vectors (N, D) from their middle; of many, of some."""
    some = around(vectors[:: 1 + (len(vectors) - 1) // MAX_SAMPLED], centre_of(vectors))
    return float(np.sqrt(np.einsum("nd,nd->", some, some, dtype=np.float64) / len(some)))


def distinct(vectors: np.ndarray, *, most: int = 1000) -> int:
    """How many different rows `vectors` (N, D) have; counted no further than `most`."""
    seen: set[bytes] = set()
    for row in vectors:
        seen.add((row + 0).tobytes())  # + 0 turns -0.0 into 0.0
        if len(seen) >= most:
            break
    return len(seen)


def _from_differences(
    squared: np.ndarray,
    entries: tuple[np.ndarray, np.ndarray],
    found: np.ndarray,
    queries: np.ndarray,
    vectors: np.ndarray,
) -> np.ndarray:
    """`squared` (Q, c) with those at `entries` computed in float64 from the two vectors' difference."""
    for some in row_chunks(len(entries[0])):
        row, column = (axis[some] for axis in entries)
        difference = np.subtract(queries[row], vectors[found[row, column]], dtype=np.float64)
        squared[row, column] = np.einsum("nd,nd->n", difference, difference)
    return squared
