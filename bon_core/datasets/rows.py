"""Rows of an array too large to copy: gathered batch by batch out of the file."""

import numpy as np


class Rows:
    """The rows `positions` (N,) of a mapped array; indexing gathers these alone and gives a plain array.

    Has what is asked of an array of samples: shape, dtype, ndim, len and rows by number, slice or positions.
    """

    def __init__(self, source: np.ndarray, positions: np.ndarray | None = None):
        self.source = source
        self.positions = np.arange(len(source)) if positions is None else positions
        self.shape = (len(self.positions), *source.shape[1:])
        self.dtype, self.ndim = source.dtype, source.ndim

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which: int | slice | np.ndarray) -> np.ndarray:
        return np.asarray(self.source[self.positions[which]])

    def take(self, positions: np.ndarray) -> "Rows":
        """Some of these rows, still where they are."""
        return Rows(self.source, self.positions[positions])
