"""Who composes the next batch: one miner for all data, and in divided phases one for each learner's cluster.

Divide and conquer (CVPR 2019, section 3.2) with a Bag of Negatives inside: every learner's miner knows its own
cluster only and hashes the embedding that its loss sees, its slice in the split phase, the whole one afterwards.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bon_core.config import DivisionConfig, MiningConfig
from bon_core.mining import BagOfNegatives, BatchMiner, make_batch_miner

FILL_BATCH = 1024  # rows a call when a new miner is shown its whole cluster


@dataclass(frozen=True)
class Batch:
    """positions (B,) int64 rows of the training set; roles (B,) uint8; buckets (B,) int64, -1 where there is none."""

    positions: Tensor
    roles: Tensor
    buckets: Tensor


@dataclass
class Team:
    """A miner and the rows of the training set that it draws from: members (M,) int64, ascending."""

    members: Tensor
    miner: BatchMiner
    classes: int  # that a batch takes: fewer than asked for where the cluster has no more
    mate_limit: float  # upper bound of the share of bucket mates


class Teams:
    """The miners of a run, and how they are re-formed when the data is divided anew.

    Parameters
    ----------
    labels : (N,) int64 tensor, classes of the training set
    dim : width D of the whole embedding
    """

    def __init__(
        self,
        labels: Tensor,
        *,
        dim: int,
        mining: MiningConfig,
        division: DivisionConfig,
        device: torch.device,
        seed: int,
    ):
        self.labels = labels
        self.mining, self.division = mining, division
        self.device, self.seed = device, seed
        everybody = torch.arange(len(labels), device=device)
        self.joint = self._team(everybody, dim=dim, number=0, mate_limit=1.0)
        self.parts: list[Team | None] = []

    def compose(self, cluster: int | None, mate_share: float) -> Batch:
        """The next batch: of a cluster, or of all data (also for a cluster too small to hold a negative)."""
        team = self.of(cluster)
        team.miner.compose(
            classes=team.classes,
            images=self.mining.images,
            groups=min(self.mining.groups, team.classes),
            mate_share=min(mate_share, team.mate_limit),
        )
        composed = team.miner.last
        return Batch(team.members[composed.ids], composed.roles, composed.buckets)

    def update(self, cluster: int | None, batch: Batch, embeddings: Tensor) -> None:
        """Show the miner what its batch now looks like: embeddings (B, d), detached."""
        team = self.of(cluster)
        if cluster is not None and team is self.joint:
            return  # a stand-in: the joint table hashes whole embeddings, and these may be of a slice
        team.miner.update(torch.searchsorted(team.members, batch.positions), embeddings)

    def of(self, cluster: int | None) -> Team:
        """The team of a cluster; the joint one for None and for a cluster that cannot fill a batch."""
        part = None if cluster is None else self.parts[cluster]
        return part or self.joint

    def divide(self, clusters: Tensor, kept: Tensor, embeddings: list[Tensor]) -> None:
        """Form one team a cluster, its table filled from embeddings that the clustering pass made anyway.

        Parameters
        ----------
        clusters, kept : (N,) int64 and (N,) bool
        embeddings : for each cluster (N, d): what its learner's loss sees
        """
        self.parts = []
        for number, seen in enumerate(embeddings):
            members = torch.nonzero((clusters == number) & kept).squeeze(1)
            if self._usable_classes(members) < 2:
                self.parts.append(None)
                continue
            limit = 1 - self.division.random_share
            team = self._team(members, dim=seen.shape[1], number=number + 1, mate_limit=limit)
            _fill(team, seen[members])
            self.parts.append(team)

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
            limit = 1 - self.division.random_share
            members = saved["members"].to(self.device)
            team = self._team(members, dim=saved["dim"], number=number + 1, mate_limit=limit)
            team.miner.load_state_dict(saved["miner"])
            self.parts.append(team)

    def _team(self, members: Tensor, *, dim: int, number: int, mate_limit: float) -> Team:
        mining = self.mining
        if number and mining.bits is None:  # a cluster's table is small: about 16 samples a bucket, at most d bits
            mining = replace(mining, bits=max(1, min(round(torch.tensor(len(members) / 16).log2().item()), dim)))
        miner = make_batch_miner(
            mining, self.labels[members], dim=dim, device=self.device, seed=self.seed * 1009 + number
        )
        classes = min(mining.classes, self._usable_classes(members))
        return Team(members, miner, classes, mate_limit)

    def _usable_classes(self, members: Tensor) -> int:
        """Classes with at least two members: a single image has no positive."""
        return int((torch.bincount(self.labels[members]) >= 2).sum())


def _fill(team: Team, embeddings: Tensor) -> None:
    """Let the hasher see all members once, in an order that is not that of the classes, then hash them all."""
    order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(0)).to(embeddings.device)
    for ids in order.split(FILL_BATCH):
        team.miner.update(ids, embeddings[ids])
    if isinstance(team.miner, BagOfNegatives):  # codes given while the hasher still learned are out of date
        for ids in order.split(FILL_BATCH):
            team.miner.rehash(ids, embeddings[ids])
