"""All miners under one name each, and the face they share."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from bon_core.config import MiningConfig
from bon_core.mining.bag import BagOfNegatives
from bon_core.mining.baselines import ClassNeighbours, Exact, Uniform
from bon_core.mining.layout import BatchLayout


class BatchMiner(Protocol):
    """Composes batches, and learns from the embeddings these got. See `BagOfNegatives` for each method."""

    last: BatchLayout | None
    dim: int

    def compose(
        self,
        classes: int = 32,
        images: int = 4,
        groups: int = 8,
        mate_share: float = 1.0,
        *,
        seeds: Tensor | np.ndarray | None = None,
    ) -> Tensor: ...

    def update(self, ids: Tensor, embeddings: Tensor, seeds: Tensor | None = None) -> None: ...

    def stats(self) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...


def make_batch_miner(
    mining: MiningConfig,
    labels: Tensor | np.ndarray | Sequence[int],
    *,
    dim: int,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> BatchMiner:
    """The miner of `mining.batch_miner`, for samples of `labels` (N,) and embeddings of width `dim`."""
    bag = partial(  # whose trainer looks at the buckets itself
        BagOfNegatives, bits=mining.bits, capacity=mining.capacity, hamming=mining.hamming, warn=False
    )
    miners: dict[str, Callable[..., BatchMiner]] = {
        "bon": bag,
        "lsh": partial(bag, hasher="lsh"),
        "uniform": Uniform,
        "exact": Exact,
        "neighbours": ClassNeighbours,
    }
    return miners[mining.batch_miner](labels, dim=dim, device=device, seed=seed)
