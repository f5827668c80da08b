"""The feed: hands a training its batches by position, wherever the samples are.

What is in memory waits on the device, unless it would fill a GPU. What stays on disk (a mapped file, image files) is
read one batch ahead while the step before is at work; the trainer composes that batch one update earlier than it would
otherwise.

Legend: B batch, N samples.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from bon_core.networks.embedding import batch_of

ROOM = 0.5  # of a GPU's free memory, for samples: the rest is the network's


class Feed:
    """Batches of `samples`.

    Parameters
    ----------
    samples : an array in memory, or what gives rows as an array does: Rows, PictureFiles
    device : where batches are wanted

    Attributes
    ----------
    ahead : whether `begin` is worth calling, as the samples are on disk
    waited : seconds that `take` kept the training waiting so far, the way to the device included
    """

    def __init__(self, samples: np.ndarray, device: torch.device):
        self.samples, self.device = samples, device
        self.ahead = not isinstance(samples, np.ndarray)
        self.waited, self._told = 0.0, (0.0, 0.0)
        self._held = None if self.ahead else held(samples, device)  # (N, ...)
        self._reader = ThreadPoolExecutor(1, "feed")
        self._begun: tuple[np.ndarray, Future] | None = None

    def begin(self, positions: Tensor) -> None:
        """Start to read the batch at `positions` (B,), which `take` will ask for next."""
        rows = positions.cpu().numpy()
        self._begun = rows, self._reader.submit(self.samples.__getitem__, rows)

    def take(self, positions: Tensor) -> Tensor:
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
            if self._begun is None or not np.array_equal(self._begun[0], positions.cpu().numpy()):
                self.begin(positions)
            found, self._begun = self._begun[1].result(), None
        batch = batch_of(found, self.device)
        self.waited += time.perf_counter() - started
        return batch

    def wait_share(self, seconds: float) -> float:
        """Which share of the training's `seconds` went into waiting for `take`, since this was last asked."""
        waited, passed = self.waited - self._told[0], seconds - self._told[1]
        self._told = self.waited, seconds
        return waited / passed if passed > 0 else 0.0


def held(samples: np.ndarray, device: torch.device) -> Tensor:
    """`samples` on the device, or on the host where a GPU has no room for them."""
    if device.type == "cuda" and samples.nbytes > ROOM * torch.cuda.mem_get_info(device)[0]:
        return torch.from_numpy(samples)
    return torch.from_numpy(samples).to(device)
