"""A whole data set through a network, batch by batch.

Legend: B batch, N data set, D embedding width, F feature width.
"""

import contextlib
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from bon_core.base.files import scratch
from bon_core.config import InputError

Feature = Literal["embedding", "penultimate"]


def batch_of(samples: np.ndarray | Tensor, device: torch.device | str) -> Tensor:
    """Images (B, H, W) or (B, H, W, 3) uint8 as a float tensor (B, ch, H, W) in [0, 1] on `device`, channels-last;
    vectors (B, D) of any type as float32; other floats (B, ...) as float32 of the same shape.

    What is smaller than a float travels to the device as it is and becomes floats there.
    """
    if samples.ndim == 2 and not isinstance(samples, Tensor):
        samples = samples.astype(np.float16 if samples.dtype == np.float16 else np.float32, copy=False)
    if not isinstance(samples, Tensor):
        samples = torch.from_numpy(np.ascontiguousarray(samples))
    pixels = samples.to(device)
    if pixels.ndim == 2 or pixels.is_floating_point():
        return pixels.to(torch.float32)
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255)


def embed(
    network: nn.Module,
    samples: np.ndarray,
    *,
    device: torch.device | str,
    batch: int | None = None,
    feature: Feature = "embedding",
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Embed a whole set, in evaluation mode; the network's training mode is put back afterwards.

    Parameters
    ----------
    network : on `device` already
    samples : (N, H, W) or (N, H, W, 3) uint8, or (N, D) vectors; may be a memory map, Rows or PictureFiles, which are
        read one batch ahead
    batch : samples a forward pass; by default 64 images on a CPU, where more leave the cache, and 1024 on a GPU; 8192
        vectors
    feature : "embedding" for the unit vectors, "penultimate" for the layer below, not normalised
    progress : called with (samples done, N) after each batch

    Returns
    -------
    (N, D) or (N, F) float32
    """
    batch = batch or (8192 if samples.ndim == 2 else 64 if torch.device(device).type == "cpu" else 1024)
    compute: Callable[[Tensor], Tensor] | None = network
    if feature == "penultimate":
        compute = getattr(network, "features", None)
    if compute is None:
        raise InputError(
            f"A {type(network).__name__} has no method features(samples), which gives the layer below the head;"
            " add one, or cluster the embedding."
        )
    was_training = network.training
    network.eval()
    found: np.ndarray | None = None
    done = 0
    try:
        with torch.inference_mode(), contextlib.closing(_batches(samples, batch)) as batches:
            for part in batches:
                vectors = compute(batch_of(part, device)).float().cpu().numpy()
                if found is None:
                    found = scratch((len(samples), vectors.shape[1]))
                found[done : done + len(part)] = vectors
                done += len(part)
                if progress is not None:
                    progress(done, len(samples))
    finally:
        network.train(was_training)
    assert found is not None, "there are no samples"
    return found


def _batches(samples: np.ndarray, batch: int) -> Generator[np.ndarray]:
    """The samples in order, `batch` at a time; those on disk are read while the batch before is used."""
    parts = [slice(start, start + batch) for start in range(0, len(samples), batch)]
    if isinstance(samples, np.ndarray):
        yield from (samples[part] for part in parts)
        return
    with ThreadPoolExecutor(1, "reader") as reader:
        coming = reader.submit(samples.__getitem__, parts[0])
        for part in parts[1:]:
            now, coming = coming, reader.submit(samples.__getitem__, part)
            yield now.result()
        yield coming.result()
