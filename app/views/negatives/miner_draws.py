"""What the library's own miners choose on a snapshot's embeddings, had training gone on from it.

Batches are composed by the batch miners of `bon_core.mining` and negatives chosen by the in-batch miners that
`bon_core.training.metric_loss` builds: nothing of a miner is written here a second time. Imports torch.

Legend: n samples, D width, B batch, P classes a batch, m images a class, G seeds, M samples of a memory, T draws.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from app.views.negatives.draws import Draws
from bon_core.config import BatchMinerName, InBatchMiner, MiningConfig
from bon_core.evaluation.distances import squared_to_all
from bon_core.mining import BagOfNegatives, Uniform, make_batch_miner
from bon_core.training.metric_loss import Memory, MetricLoss

IN_BATCH: tuple[InBatchMiner, ...] = ("semi-hard", "multi-similarity", "batch-hard")  # that choose without chance
ACROSS: dict[str, BatchMinerName] = {
    "LSH batch": "lsh",
    "class neighbours": "neighbours",
    "exact batch": "exact",
    "BoN batch": "bon",
}
DISTANCES = 4_000_000  # held at once


@dataclass(frozen=True)
class Hasher:
    """What a bag hashes with: `mean` (D,) and `projection` (D, S)."""

    mean: np.ndarray
    projection: np.ndarray


class Miners:
    """Every miner, holding n samples as if training had just embedded them all.

    Parameters
    ----------
    vectors : (n, D) float32, unit
    labels : (n,) int64; two classes or more must have two samples or more
    hasher : of the snapshot, for the bag
    mining, margin : of the run; a batch of more classes than there are is made smaller, with its share of seeds

    Attributes
    ----------
    mining : what is mined with
    memory : M, that XBM chooses from: no more than there are samples, no fewer than a batch has
    """

    def __init__(self, vectors: np.ndarray, labels: np.ndarray, hasher: Hasher, mining: MiningConfig, margin: float):
        usable = int((np.unique(labels, return_counts=True)[1] > 1).sum())  # whose samples have a positive
        self.mining = mining if mining.classes <= usable else _smaller(mining, usable)
        self.labels, self._vectors, self._lock = labels, torch.from_numpy(vectors), Lock()
        self._label = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
        self._uniform = self._made("uniform", hasher)
        self._across = {name: self._made(kind, hasher) for name, kind in ACROSS.items()}
        self.memory = max(min(self.mining.memory, len(labels)), self.mining.batch)
        self._in_batch = {name: self._metric_loss(name, margin, self.mining.batch) for name in IN_BATCH}
        self._weighted = self._metric_loss("distance-weighted", margin, 0)
        self._hardest = self._in_batch["batch-hard"]
        self._over_memory = self._metric_loss("batch-hard", margin, self.memory)

    def of_one(self, anchor: int, draws: int, *, seed: int) -> dict[str, Draws]:
        """T = `draws` choices of each miner for one anchor, a position whose class has two samples or more."""
        return self._choices([np.array([anchor])] * draws, seed)

    def of_many(self, draws: int, *, seed: int) -> dict[str, Draws]:
        """One choice of each miner for each of about `draws` random anchors, G at a time and one a class."""
        rng = np.random.default_rng(seed)
        _, label, size = np.unique(self.labels, return_inverse=True, return_counts=True)
        usable = np.flatnonzero(size[label] > 1)
        groups = []
        for _ in range(-(-draws // self.mining.groups)):
            drawn = rng.choice(usable, min(self.mining.groups, len(usable)), replace=False)
            groups.append(drawn[np.unique(label[drawn], return_index=True)[1]])
        return self._choices(groups, seed)

    def _choices(self, groups: list[np.ndarray], seed: int) -> dict[str, Draws]:
        """What each miner chooses for anchors (G or fewer,), one batch for each of the `groups`.

        Inside a batch of random classes: "uniform" is the first negative in it, the others what the in-batch miner
        chose, and of several the hardest, as the audit log of a training has it. Across batches the hardest is chosen:
        out of a memory of random samples ("XBM"), or out of a batch that the anchors lead. "BoN draw" is one negative
        of `BagOfNegatives.negatives`. "exact" is the hardest of all.
        """
        found: dict[str, list[Tensor]] = {}
        with self._seeded(seed, groups), torch.no_grad():
            for anchors in map(torch.from_numpy, groups):
                for name, chosen in self._one_batch_each(anchors):
                    found.setdefault(name, []).append(chosen)
        rows = {name: torch.cat(chosen).numpy() for name, chosen in found.items()}
        return self._ranked(np.concatenate(groups), rows)

    def _one_batch_each(self, anchors: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each miner and what it chose for the anchors (A,), -1 where it chose nothing; the batches have them all."""
        mining = self.mining
        batch = self._batch(self._uniform, anchors)
        yield "uniform", self._first_negative(batch, anchors)
        yield "distance-weighted", self._drawn(batch, anchors)
        for in_batch, metric_loss in self._in_batch.items():
            yield in_batch, self._chosen(metric_loss, batch, anchors)
        others = torch.randint(len(self._label), (self.memory - mining.batch,))
        yield "XBM", self._chosen(self._over_memory, torch.cat((others, batch)), anchors)
        for name, batch_miner in self._across.items():
            yield name, self._chosen(self._hardest, self._batch(batch_miner, anchors), anchors)
        bag = self._across["BoN batch"]
        assert isinstance(bag, BagOfNegatives)
        yield "BoN draw", bag.negatives(anchors, 1)[0][:, 0]

    def _batch(self, batch_miner: BagOfNegatives | Uniform, anchors: Tensor) -> Tensor:
        mining = self.mining
        return batch_miner.compose(mining.classes, mining.images, mining.groups, mining.mate_share, seeds=anchors)

    def _first_negative(self, batch: Tensor, anchors: Tensor) -> Tensor:
        """A random sample of a random other class: the first image of the last class of the batch."""
        first = batch.view(-1, self.mining.images)[:, 0]
        other = self._label[first] != self._label[anchors][:, None]  # (A, P)
        return first[other.shape[1] - 1 - other.flip(1).to(torch.uint8).argmax(dim=1)]

    def _chosen(self, metric_loss: MetricLoss, batch: Tensor, anchors: Tensor) -> Tensor:
        """The negatives (A,) that a loss's in-batch miner chooses for the anchors in the batch, its memory then.

        Only the anchors are mined for, which is several times faster and, without chance, chooses the same.
        """
        rest = batch[~torch.isin(batch, anchors)]
        memory = metric_loss.memories[0]
        assert isinstance(memory, Memory)
        memory.seen = 0
        memory.add(self._vectors[rest], self._label[rest], rest)
        return metric_loss(self._vectors[anchors], self._label[anchors], anchors).negative

    def _drawn(self, batch: Tensor, anchors: Tensor) -> Tensor:
        """The negatives (A,) that distance weighting draws for the anchors, while it draws for the whole batch."""
        negative = self._weighted(self._vectors[batch], self._label[batch], batch).negative
        return negative[(batch == anchors[:, None]).to(torch.uint8).argmax(dim=1)]

    def _ranked(self, anchors: np.ndarray, chosen: dict[str, np.ndarray]) -> dict[str, Draws]:
        """Distances and ranks of what was `chosen` (T,) for the anchors (T,), and the hardest of all beside it."""
        chosen["exact"] = np.full(len(anchors), -1)
        distances = {name: np.full(len(anchors), np.nan) for name in chosen}
        ranks = {name: np.full(len(anchors), np.nan) for name in chosen}
        vectors = self._vectors.numpy()
        different = np.unique(anchors)
        for some in np.array_split(different, -(-len(different) * len(vectors) // DISTANCES)):
            for anchor, squared in zip(some, squared_to_all(vectors[some], vectors), strict=True):
                away = np.sqrt(squared).astype(np.float32)
                away[self.labels == self.labels[anchor]] = np.inf
                draws = np.flatnonzero(anchors == anchor)
                chosen["exact"][draws] = away.argmin()
                ascending = np.sort(away)
                for name, rows in chosen.items():
                    made = draws[rows[draws] >= 0]
                    distances[name][made] = away[rows[made]]
                    ranks[name][made] = 1 + np.searchsorted(ascending, away[rows[made]])
        return {name: Draws(rows, distances[name], ranks[name]) for name, rows in chosen.items()}

    @contextmanager
    def _seeded(self, seed: int, groups: list[np.ndarray]) -> Iterator[None]:
        """One visitor at a time, with all chance decided by the seed and the first anchor."""
        begin = int(np.random.default_rng((seed, int(groups[0][0]))).integers(1 << 62))
        with self._lock, torch.random.fork_rng(devices=[]):
            torch.manual_seed(begin)
            for number, batch_miner in enumerate((self._uniform, *self._across.values())):
                batch_miner.generator.manual_seed(begin + number)
            yield

    def _made(self, kind: BatchMinerName, hasher: Hasher) -> BagOfNegatives | Uniform:
        """A batch miner that has just seen all samples, their codes those of the snapshot's hasher."""
        mining = replace(self.mining, miner=kind, bits=hasher.projection.shape[1])
        made = make_batch_miner(mining, self._label, dim=self._vectors.shape[1])
        assert isinstance(made, BagOfNegatives | Uniform)
        everybody = torch.arange(len(self._label))
        if kind != "bon" or not isinstance(made, BagOfNegatives):
            made.update(everybody, self._vectors, seeds=torch.ones(len(everybody), dtype=torch.bool))
            return made
        learnt = {"weight": hasher.projection.T, "mean": hasher.mean}
        state = {f"hasher.{name}": torch.tensor(values, dtype=torch.float32) for name, values in learnt.items()}
        made.load_state_dict(made.state_dict() | state)
        made.rehash(everybody, self._vectors)
        return made

    def _metric_loss(self, name: InBatchMiner, margin: float, memory: int) -> MetricLoss:
        return MetricLoss("triplet", name, margin, memory=memory, widths=[self._vectors.shape[1]])


def _smaller(mining: MiningConfig, classes: int) -> MiningConfig:
    groups = max(1, round(mining.groups * classes / mining.classes))
    return replace(mining, classes=classes, groups=groups, memory=max(mining.memory, classes * mining.images))
