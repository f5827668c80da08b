"""Images that stay on disk: decoded by workers when they are asked for. Legend: N images, H pixels a side."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bon_core.datasets.image_files import ImageFile

WORKERS = min(os.cpu_count() or 1, 16)  # threads: Pillow lets go of the interpreter while it decodes


class PictureFiles:
    """N image files that are indexed as an array (N, H, H) or (N, H, H, 3) uint8 is, which is never there as a whole.

    Has what is asked of an array of images: shape, dtype, ndim, len and rows by number, slice or positions.

    Parameters
    ----------
    files : N, or those that `positions` are of
    shape : of one image
    decode : reads one, in that shape; what it raises comes out of the indexing
    positions : (N,) int64, rows of `files`; None for all
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        files: Sequence[ImageFile],
        shape: tuple[int, ...],
        decode: Callable[[ImageFile], np.ndarray],
        positions: np.ndarray | None = None,
    ):
        self.files, self.decode = files, decode
        self.positions = np.arange(len(files)) if positions is None else positions
        self.shape, self.ndim = (len(self.positions), *shape), 1 + len(shape)
        self._workers = ThreadPoolExecutor(WORKERS, "decoder")  # starts none before the first image

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which: int | slice | np.ndarray) -> np.ndarray:
        rows = np.asarray(self.positions[which])
        if rows.ndim == 0:
            return self.decode(self.files[int(rows)])
        decoded = self._workers.map(self.decode, (self.files[row] for row in rows))
        return np.stack(list(decoded)) if len(rows) else np.empty((0, *self.shape[1:]), self.dtype)

    def take(self, positions: np.ndarray) -> "PictureFiles":
        """Some of these images, still on disk."""
        return PictureFiles(self.files, self.shape[1:], self.decode, self.positions[positions])
