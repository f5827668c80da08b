"""Where a batch comes from: one batch miner for all data, and in divided phases one for each learner's cluster.

Divide and conquer (Sanakoyeu et al., CVPR 2019, section 3.2) with a Bag of Negatives inside: each miner knows its own
cluster only, and hashes the embedding that its learner's loss sees: the slice in the split phase, later the whole one.

Legend: N training set, B batch, M members of a cluster, D width of the embedding, d of what a learner sees.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bon_core.config import MiningConfig
from bon_core.mining import BagOfNegatives, BatchMiner, make_batch_miner

FILL_ROWS = 1024  # a call, when a new miner is shown its whole cluster


@dataclass(frozen=True)
class Batch:
    """ids (B,) int64, rows of the training set; roles (B,) uint8; buckets (B,) int64, -1 where there is none."""

    ids: Tensor
    roles: Tensor
    buckets: Tensor


@dataclass
class Source:
    """A batch miner and the rows of the training set that it draws from: members (M,) int64, ascending."""

    members: Tensor
    miner: BatchMiner
    classes: int  # that a batch takes: fewer than asked for where the cluster has no more
    mate_limit: float  # upper bound of the share of bucket mates


class ClusterSamplers:
    """All sources of batches, and how they are formed anew when the data is divided.

    Parameters
    ----------
    labels : (N,) int64 tensor, classes of the training set
    dim : D
    random_share : of the classes in a cluster's batch, how many are drawn at random and not mined
    """

    def __init__(
        self, labels: Tensor, *, dim: int, mining: MiningConfig, random_share: float, device: torch.device, seed: int
    ):
        self.labels = labels
        self.mining, self.mate_limit = mining, 1 - random_share
        self.device, self.seed = device, seed
        everybody = torch.arange(len(labels), device=device)
        self.joint = self._source(everybody, dim=dim, number=0, mate_limit=1.0)
        self.parts: list[Source | None] = []

    def sample(self, cluster: int | None, mate_share: float) -> Batch:
        """The next batch: of a cluster, or of all data (also for a cluster too small to hold a negative)."""
        source = self.of(cluster)
        source.miner.compose(
            classes=source.classes,
            images=self.mining.images,
            groups=min(self.mining.groups, source.classes),
            mate_share=min(mate_share, source.mate_limit),
        )
        drawn = source.miner.last
        assert drawn is not None
        return Batch(source.members[drawn.ids], drawn.roles, drawn.buckets)

    def update(self, cluster: int | None, ids: Tensor, embeddings: Tensor) -> None:
        """Show the miner what the batch `ids` (B,) now looks like: embeddings (B, d), detached."""
        source = self.of(cluster)
        if cluster is not None and source is self.joint:
            return  # a stand-in: the joint table hashes whole embeddings, and these may be of a slice
        source.miner.update(torch.searchsorted(source.members, ids), embeddings)

    def of(self, cluster: int | None) -> Source:
        """The source of a cluster; the joint one for None and for a cluster that cannot fill a batch."""
        part = None if cluster is None else self.parts[cluster]
        return part or self.joint

    def divide(self, clusters: Tensor, paired: Tensor, embeddings: list[Tensor]) -> None:
        """Form one source a cluster, its table filled from embeddings that the clustering pass made anyway.

        Parameters
        ----------
        clusters, paired : (N,) int64 and (N,) bool; who is not paired stays out of batches
        embeddings : for each cluster (N, d): what its learner's loss sees
        """
        self.parts = []
        for number, seen in enumerate(embeddings):
            members = torch.nonzero((clusters == number) & paired).squeeze(1)
            if self._usable_classes(members) < 2:
                self.parts.append(None)
                continue
            source = self._source(members, dim=seen.shape[1], number=number + 1, mate_limit=self.mate_limit)
            _fill(source, seen[members])
            self.parts.append(source)

    def rejoin(self, embeddings: Tensor) -> None:
        """Bring the joint table up to date: embeddings (N, D) of the whole training set."""
        _fill(self.joint, embeddings)

    def state_dict(self) -> dict[str, Any]:
        return {
            "joint": self.joint.miner.state_dict(),
            "parts": [
                part and {"members": part.members, "dim": part.miner.dim, "miner": part.miner.state_dict()}
                for part in self.parts
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.joint.miner.load_state_dict(state["joint"])
        self.parts = []
        for number, saved in enumerate(state["parts"]):
            if saved is None:
                self.parts.append(None)
                continue
            members = saved["members"].to(self.device)
            source = self._source(members, dim=saved["dim"], number=number + 1, mate_limit=self.mate_limit)
            source.miner.load_state_dict(saved["miner"])
            self.parts.append(source)

    def _source(self, members: Tensor, *, dim: int, number: int, mate_limit: float) -> Source:
        mining = self.mining
        if number and mining.bits is None:  # a cluster's table is small: about 16 samples a bucket, at most d bits
            mining = replace(mining, bits=max(1, min(round(torch.tensor(len(members) / 16).log2().item()), dim)))
        miner = make_batch_miner(
            mining, self.labels[members], dim=dim, device=self.device, seed=self.seed * 1009 + number
        )
        classes = min(mining.classes, self._usable_classes(members))
        return Source(members, miner, classes, mate_limit)

    def _usable_classes(self, members: Tensor) -> int:
        """Classes with at least two members: a single image has no positive."""
        return int((torch.bincount(self.labels[members]) >= 2).sum())


def _fill(source: Source, embeddings: Tensor) -> None:
    """Let the hasher see all members once, in an order that is not that of the classes, then hash them all."""
    order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(0)).to(embeddings.device)
    for rows in order.split(FILL_ROWS):
        source.miner.update(rows, embeddings[rows])
    if isinstance(source.miner, BagOfNegatives):  # codes given while the hasher still learned are out of date
        for rows in order.split(FILL_ROWS):
            source.miner.rehash(rows, embeddings[rows])
