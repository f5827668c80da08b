"""Batches of samples by position, wherever the samples are.

What is in memory waits on the device, unless it would fill a GPU. What stays on disk (a mapped file, image files) is
read one batch ahead while the step before is at work; that batch is then sampled one update earlier than otherwise.

Legend: B batch, N samples.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from bon_core.networks.embedding import batch_of

GPU_MEMORY_SHARE = 0.5  # of a GPU's free memory, for samples: the rest is the network's


class BatchLoader:
    """Batches of `samples`.

    Parameters
    ----------
    samples : an array in memory, or what gives rows as an array does: Rows, PictureFiles;
        a float tensor of any shape is given to the network as it is
    device : where batches are wanted

    Attributes
    ----------
    on_disk : whether the samples are, so that `prefetch` is worth calling
    data_time : seconds that `load` kept the training waiting so far, the way to the device included
    """

    def __init__(self, samples: np.ndarray | Tensor, device: torch.device):
        self.samples, self.device = samples, device
        self.on_disk = not isinstance(samples, (np.ndarray, Tensor))
        self.data_time, self._reported = 0.0, (0.0, 0.0)
        self._held = None if self.on_disk else held_on(samples, device)  # (N, ...)
        self._reader = ThreadPoolExecutor(1, "loader")
        self._prefetched: tuple[np.ndarray, Future] | None = None

    def prefetch(self, positions: Tensor) -> None:
        """Start to read the batch at `positions` (B,), which `load` will ask for next."""
        rows = positions.cpu().numpy()
        self._prefetched = rows, self._reader.submit(self.samples.__getitem__, rows)

    def load(self, positions: Tensor) -> Tensor:
        """The batch at `positions` (B,) int64: images (B, channels, H, W) float in [0, 1], or vectors (B, D) float.

        Raises
        ------
        InputError
            If a file on disk cannot be read.
        """
        started = time.perf_counter()
        if self._held is not None:
            found = self._held[positions.to(self._held.device)]
        else:
            if self._prefetched is None or not np.array_equal(self._prefetched[0], positions.cpu().numpy()):
                self.prefetch(positions)
            assert self._prefetched is not None
            found, self._prefetched = self._prefetched[1].result(), None
        batch = batch_of(found, self.device)
        self.data_time += time.perf_counter() - started
        return batch

    def data_time_share(self, seconds: float) -> float:
        """Which share of the training's `seconds` went into waiting for `load`, since this was last asked."""
        waited, passed = self.data_time - self._reported[0], seconds - self._reported[1]
        self._reported = self.data_time, seconds
        return waited / passed if passed > 0 else 0.0


def held_on(samples: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """`samples` on the device, or on the host where a GPU has no room for them."""
    if device.type == "cuda" and samples.nbytes > GPU_MEMORY_SHARE * torch.cuda.mem_get_info(device)[0]:
        return torch.as_tensor(samples)
    return torch.as_tensor(samples).to(device)
