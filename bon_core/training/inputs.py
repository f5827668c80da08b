"""What a trainer is given: samples with labels, and a sampler of batches, each in several forms."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from bon_core.config import InputError, check
from bon_core.datasets.labelled import LabelledSet
from bon_core.division.cluster_samplers import Batch
from bon_core.division.partition import Partition
from bon_core.division.schedule import Phase
from bon_core.mining.inputs import accept_labels
from bon_core.mining.layout import FILL

UNDIVIDED = Phase("joint", 1)


@runtime_checkable
class Sampler(Protocol):
    """What the trainer asks of a sampler; see `DivideAndConquer` for each."""

    @property
    def steps(self) -> int: ...

    @property
    def learners(self) -> int: ...

    @property
    def phase(self) -> Phase: ...

    @property
    def needs_embeddings(self) -> bool: ...

    @property
    def clusters_features(self) -> bool: ...

    @property
    def batch(self) -> Batch | None: ...

    @property
    def is_ahead(self) -> bool: ...

    def refresh(self, embeddings: np.ndarray, features: np.ndarray | None, *, processes: Any) -> Partition | None: ...

    def sample(self) -> Tensor: ...

    def sample_ahead(self) -> Tensor | None: ...

    def update(self, ids: Tensor, embeddings: Tensor) -> None: ...

    def mate_share_at(self, step: int) -> float | None: ...

    def observe(self, active: float) -> None: ...

    def stats(self, phase: Phase) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class UndividedSampler:
    """A PyTorch batch sampler, or a MinedBatchSampler, over all data: it is begun anew as often as it ends.

    Raises
    ------
    InputError
        While sampling, if it gives no batch, or rows that are not there.
    """

    learners = 1
    phase = UNDIVIDED
    needs_embeddings = clusters_features = False

    def __init__(self, batches: Iterable[Any], steps: int, samples: int):
        self.batches, self.steps, self.samples = batches, steps, samples
        self.miner = getattr(batches, "miner", None)  # of a MinedBatchSampler
        self._epoch: Iterator[Any] = iter(())

    def refresh(self, embeddings: np.ndarray, features: np.ndarray | None, *, processes: Any) -> None:
        """Nothing to renew."""

    def sample(self) -> Tensor:
        """Rows (B,) int64 of the next batch."""
        batch = next(self._epoch, None)
        if batch is None:
            self._epoch = iter(self.batches)
            batch = next(self._epoch, None)
        check(batch is not None, "The sampler gives no batch; give it as many samples as a batch takes.")
        ids = torch.as_tensor(batch)
        whole = ids.ndim == 1 and len(ids) > 0 and not ids.is_floating_point()
        kind = f"{str(ids.dtype).removeprefix('torch.')} of shape {tuple(ids.shape)}"
        check(whole, f"The sampler gives {kind}, but a batch is a list of row numbers; give such a batch sampler.")
        outside = ids[(ids < 0) | (ids >= self.samples)]
        check(
            not len(outside),
            f"The sampler gives row {int(outside[0]) if len(outside) else 0}, but rows are 0 to {self.samples - 1};"
            " give it the labels of these samples.",
        )
        self._ids = ids.long()
        return self._ids

    @property
    def batch(self) -> Batch:
        """The last batch; where nobody says why a row is in it, all rows are drawn at random."""
        if self.miner is not None:
            return Batch(self.miner.last.ids, self.miner.last.roles, self.miner.last.buckets)
        return Batch(self._ids, torch.full_like(self._ids, FILL), torch.full_like(self._ids, -1))

    is_ahead = False

    def sample_ahead(self) -> None:
        """A sampler of PyTorch is asked for a batch when its turn has come."""

    def update(self, ids: Tensor, embeddings: Tensor) -> None:
        if self.miner is not None:
            self.miner.update(ids, embeddings)

    def mate_share_at(self, step: int) -> float | None:
        """Of a MinedBatchSampler, as it is set."""
        return getattr(self.batches, "mate_share", None)

    def observe(self, active: float) -> None:
        """No schedule goes by it."""

    def stats(self, phase: Phase) -> dict[str, float]:
        """Of the batch miner."""
        return {} if self.miner is None else self.miner.stats()

    def state_dict(self) -> dict[str, Any]:
        return {} if self.miner is None else {"miner": self.miner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.miner is not None:
            self.miner.load_state_dict(state["miner"])


def sampler_of(sampler: Any, steps: int | None, samples: int) -> Sampler:
    """`sampler` as the trainer asks it, for so many samples.

    Raises
    ------
    InputError
        If it is none, or nobody says how many steps there are.
    """
    if isinstance(sampler, Sampler):
        check(
            steps in (None, sampler.steps),
            f"The trainer is to take {steps} steps, but the sampler plans {sampler.steps}; leave steps out.",
        )
        return sampler
    if not isinstance(sampler, Iterable):
        raise InputError(
            f"A {type(sampler).__name__} gives no batches; put a miner into MinedBatchSampler(miner, batches=...), or"
            " give a DivideAndConquer."
        )
    if steps is None or steps < 1:
        raise InputError(f"A training of {steps} steps is not possible; give steps=1 or more.")
    return UndividedSampler(sampler, steps, samples)


def arrays_of(samples: LabelledSet | tuple[Any, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Samples, their labels (N,) int64 and ids (N,) int64.

    Raises
    ------
    InputError
        If they are not as many.
    """
    if isinstance(samples, LabelledSet):
        return samples.samples, samples.labels, samples.ids
    if not isinstance(samples, tuple) or len(samples) != 2:
        raise InputError(
            f"The samples are {type(samples).__name__}, but must be an ImageSet, a VectorSet or the pair (samples,"
            " labels); give one of these."
        )
    values, labels = samples[0], accept_labels(samples[1]).cpu().numpy()
    check(
        len(values) == len(labels),
        f"There are {len(values)} samples and {len(labels)} labels; give one label a sample.",
    )
    return values, labels, np.arange(len(labels))


def check_embeddings(embeddings: Tensor, batch: int) -> None:
    """Raise InputError unless they are one vector for each sample of a batch."""
    if embeddings.ndim != 2 or len(embeddings) != batch:
        raise InputError(
            f"The network gives {tuple(embeddings.shape)} for a batch of {batch}, but must give one vector a sample,"
            " (batch, width); end it with a layer that does, such as nn.Flatten()."
        )
