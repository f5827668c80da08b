"""Divide and conquer for any training loop: whose turn it is, its next batch, and when to cluster anew.

Sanakoyeu et al., "Divide and Conquer the Embedding Space for Metric Learning", CVPR 2019. In a loop:

    conquest = DivideAndConquer(labels, head, steps=10_000)
    for _ in range(conquest.steps):
        if conquest.needs_embeddings:  # of all samples, in the order of `labels`
            conquest.refresh(embed_all())
        ids = conquest.sample()
        embeddings = head(backbone(images[ids]), conquest.learner, conquest.of)
        ...loss of the batch and step...
        conquest.update(ids, embeddings)

Legend: N training set, B batch, D width of the embedding, d of what a learner sees, F feature width, K learners.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bon_core.config import DivisionConfig, MiningConfig, check
from bon_core.division.cluster_samplers import Batch, ClusterSamplers
from bon_core.division.clustering import Clustering
from bon_core.division.heads import MaskedHead, SplitHead
from bon_core.division.partition import Partition, Processes, partition
from bon_core.division.schedule import Phase, Schedule
from bon_core.mining.curriculum import MateShare
from bon_core.mining.inputs import accept_labels


class DivideAndConquer:
    """Samples batches of the clusters in turn, with a batch miner for each.

    Parameters
    ----------
    labels : (N,) classes of the training set: integers, or what else `BagOfNegatives` takes
    head : the last layer, on its device; its K learners are those that take turns
    steps : of the whole training
    mining : the batch: miner, classes, images a class. By default a Bag of Negatives for each learner;
        MiningConfig(miner="uniform") goes without
    division : the phases' shares of the training, and how to cluster; its number of learners is the head's
    steps_per_epoch : by default N / B
    device : of the miners' tables
    seed : of batches, clusters and turns

    Attributes
    ----------
    step : how many batches were given back
    batch : the batch that was sampled last, with the role and the bucket of each row
    schedule : the phases
    clustering : the present clusters; None before the first division

    Raises
    ------
    InputError
        If labels, settings or the number of steps are not possible.
    """

    def __init__(
        self,
        labels: Tensor | np.ndarray | Sequence[int],
        head: SplitHead | MaskedHead,
        *,
        steps: int,
        mining: MiningConfig | None = None,
        division: DivisionConfig | None = None,
        steps_per_epoch: int | None = None,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ):
        self.head, self.device, self.seed = head, torch.device(device), seed
        self.mining = mining or MiningConfig()
        self.division = replace(division or DivisionConfig(), learners=head.learners)
        self.labels = accept_labels(labels).to(self.device)  # (N,)
        self.steps_per_epoch = steps_per_epoch or max(1, len(self.labels) // self.mining.batch)
        self.schedule = Schedule(self.division, total_steps=steps, steps_per_epoch=self.steps_per_epoch, seed=seed)
        self.progress: Callable[[int], float] = lambda step: step / self.schedule.total_steps
        self.curriculum = MateShare(self.mining)
        self.samplers = ClusterSamplers(
            self.labels,
            dim=head.dim,
            mining=self.mining,
            random_share=self.division.random_share,
            device=self.device,
            seed=seed,
        )
        self.step = 0
        self.batch: Batch | None = None
        self.clustering: Clustering | None = None
        self._ahead: Batch | None = None  # sampled before its turn
        self._refreshed = -1  # step for which the clusters or the joint table were renewed

    # Whose turn it is -------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.schedule.total_steps

    @property
    def learners(self) -> int:
        """K."""
        return self.division.learners

    @property
    def clusters_features(self) -> bool:
        """Whether `refresh` is to be given the features below the head, which are then clustered."""
        return self.division.feature == "penultimate"

    @property
    def phase(self) -> Phase:
        """What the present step works on; after the last step, what that did."""
        return self.schedule.phase(min(self.step, self.steps - 1))

    @property
    def learner(self) -> int | None:
        """Whose slice to embed with: `head(features, learner, of)`. None: the whole embedding."""
        return self.phase.learner

    @property
    def of(self) -> int:
        """How many learners there are at the present step: K, or fewer while they double."""
        return self.phase.of

    # A step -----------------------------------------------------------------------------------------------------------

    @property
    def needs_embeddings(self) -> bool:
        """Whether `refresh` is due before the next `sample`."""
        due = self.schedule.reclusters(self.step) or self.schedule.rejoins(self.step)
        return due and self._refreshed != self.step

    def refresh(
        self,
        embeddings: np.ndarray | Tensor,
        features: np.ndarray | Tensor | None = None,
        *,
        processes: Processes | None = None,
    ) -> Partition | None:
        """Divide the data anew, or bring the joint table up to date after the divided phases.

        Parameters
        ----------
        embeddings : (N, D) unit vectors of all samples in evaluation mode, in the order of the labels
        features : (N, F) to cluster instead, such as the layer below the head
        processes : that train together; the first clusters for all

        Returns
        -------
        The division, or None where only the table was renewed.

        Raises
        ------
        InputError
            If embeddings are of another shape or not finite.
        """
        vectors = _array(embeddings)
        check(
            vectors.shape == (len(self.labels), self.head.dim),
            f"The embeddings are of shape {vectors.shape}, but there are {len(self.labels)} samples and the head gives"
            f" {self.head.dim} values; embed all samples with it, in the order of the labels.",
        )
        self._refreshed = self.step
        whole = torch.from_numpy(vectors).to(self.device)
        if not self.schedule.reclusters(self.step):
            self.samplers.rejoin(whole)
            return None
        phase = self.phase
        found = partition(
            vectors if features is None else _array(features),
            self.labels.cpu().numpy(),
            phase.of,
            before=self.clustering,
            matched=self.division.matching == "hungarian",
            seed=self.seed + self.step,
            processes=processes,
        )
        seen = [whole] * phase.of
        if phase.name == "split":
            seen = [self.head.view(whole, learner, phase.of) for learner in range(phase.of)]
        members = torch.from_numpy(found.current.labels).to(self.device, torch.int64)
        self.samplers.divide(members, torch.from_numpy(found.paired).to(self.device), seen)
        self.clustering = found.current
        return found

    def sample(self) -> Tensor:
        """Ids (B,) int64 of the next batch: rows of the training set. `batch` says why each is in it.

        Raises
        ------
        InputError
            If all steps are done, or a division is due and there are no clusters yet.
        """
        check(self.step < self.steps, f"All {self.steps} steps are done; plan more with steps=.")
        check(
            not self.needs_embeddings,
            f"Step {self.step} asks for the embeddings of all samples; give them to refresh() first.",
        )
        self.batch, self._ahead = self._ahead or self._sampled(self.step), None
        return self.batch.ids

    def sample_ahead(self) -> Tensor | None:
        """Ids of the batch after the present one, which the next `sample` will give, so that they can be read from
        disk meanwhile; None if it must wait: for a division, or another phase."""
        step = self.step + 1
        if step >= self.steps or self.schedule.reclusters(step) or self.schedule.phase(step).name != self.phase.name:
            return None
        self._ahead = self._sampled(step)
        return self._ahead.ids

    @property
    def is_ahead(self) -> bool:
        """Whether the next batch is sampled already."""
        return self._ahead is not None

    def update(self, ids: Tensor, embeddings: Tensor) -> None:
        """Show the miner what a batch now looks like, and go on to the next step.

        ids : (B,) int64, as sampled
        embeddings : (B, d) unit vectors, what the learner whose turn it is sees of them; detached here
        """
        self.samplers.update(self.phase.cluster, ids.to(self.device), embeddings.detach())
        self.step += 1

    def observe(self, active: float) -> None:
        """Take in the share of a batch's anchors that violate the margin, now and then: the schedule of mates called
        "active" goes by it."""
        self.curriculum.observe(active)

    def mate_share_at(self, step: int) -> float:
        """The share of bucket mates at a step."""
        return self.curriculum.at(self.progress(step))

    def stats(self, phase: Phase | None = None) -> dict[str, float]:
        """How the table of a phase fares, by default of the present one; see `BagOfNegatives.stats`."""
        return self.samplers.of((phase or self.phase).cluster).miner.stats()

    # Plans and checkpoints --------------------------------------------------------------------------------------------

    def follow(self, schedule: Schedule, progress: Callable[[int], float]) -> None:
        """Go by another schedule from now on; `progress` says how far the training is at a step, 0 to 1."""
        self.schedule, self.progress = schedule, progress

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        clusters = self.clustering
        return {
            "step": self.step,
            "samplers": self.samplers.state_dict(),
            "curriculum": self.curriculum.state_dict(),
            "ahead": self._ahead and vars(self._ahead),
            "refreshed": self._refreshed,
            "clusters": None if clusters is None else torch.from_numpy(clusters.labels),
            "centroids": None if clusters is None else torch.from_numpy(clusters.centroids),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises
        ------
        InputError
            If it is of other data.
        """
        step, count = int(state["step"]), len(self.labels)
        check(0 <= step <= self.steps, f"it is of step {step} of {self.steps}")
        self.samplers.load_state_dict(state["samplers"])
        self.curriculum.load_state_dict(state["curriculum"])
        self.step, self._refreshed = step, int(state["refreshed"])
        self._ahead = None
        if (ahead := state["ahead"]) is not None:
            self._ahead = Batch(**{name: tensor.to(self.device) for name, tensor in ahead.items()})
            rows = self._ahead.ids
            check(
                rows.ndim == 1 and len(rows) > 0 and int(rows.min()) >= 0 and int(rows.max()) < count,
                "the batch that it has sampled ahead is of other samples",
            )
        self.clustering = None
        if state["clusters"] is not None:
            labels, centroids = state["clusters"].numpy(), state["centroids"].numpy()
            check(
                labels.shape == (count,) and labels.min() >= 0 and labels.max() < len(centroids),
                f"its clusters do not number {count} samples from 0 to {len(centroids) - 1}",
            )
            self.clustering = Clustering(labels=labels, centroids=centroids, objective=math.nan)

    def _sampled(self, step: int) -> Batch:
        return self.samplers.sample(self.schedule.phase(step).cluster, self.mate_share_at(step))


def _array(vectors: np.ndarray | Tensor) -> np.ndarray:
    return vectors.detach().cpu().numpy() if isinstance(vectors, Tensor) else vectors
