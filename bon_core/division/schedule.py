"""Schedule: which learner and which cluster each iteration works on. Pure: the step alone decides, so any step resumes.

joint      warm-up: whole embedding, all data
split      one slice of the embedding, its own cluster (Sanakoyeu et al., CVPR 2019, section 3.2)
clustered  whole embedding, batches from one cluster
conquer    whole embedding, all data, at the end (section 3.3)
With `doubling` (TPAMI 2021) the first clustering makes 2 learners, each later one twice as many, up to K.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bon_core.config import DivisionConfig, check

PhaseName = Literal["joint", "split", "clustered", "conquer"]


@dataclass(frozen=True)
class Phase:
    """What one iteration does: draw from `cluster` (None: all data) and train the slice of `learner` (None: all).

    `of` is how many learners, and clusters, there are at that time.
    """

    name: PhaseName
    of: int
    cluster: int | None = None
    learner: int | None = None


class Schedule:
    """The phases of a training of `total_steps` iterations, of which `steps_per_epoch` (N / B) make an epoch.

    Neither depends on the clusters' sizes. Each K iterations in a row visit every cluster once, in an order drawn
    from the seed. With one learner all is joint.

    Parameters
    ----------
    division : shares of the training, and T
    total_steps, steps_per_epoch : 1 or more
    seed : of the order of clusters
    step_at : gives the step at which a share of the training is over; without it that share of `total_steps`

    Raises
    ------
    InputError
        If there is no step to train or an epoch has none.
    """

    def __init__(
        self,
        division: DivisionConfig,
        *,
        total_steps: int,
        steps_per_epoch: int,
        seed: int,
        step_at: Callable[[float], float] | None = None,
    ) -> None:
        check(total_steps >= 1, f"A training of {total_steps} steps cannot be planned; give 1 or more.")
        check(steps_per_epoch >= 1, f"An epoch of {steps_per_epoch} steps is not possible; give 1 or more.")
        self.learners, self.doubling = division.learners, division.doubling
        self.total_steps, self.seed = total_steps, seed
        period = division.recluster_every * steps_per_epoch
        at = step_at or (lambda share: share * total_steps)
        warm = round(at(division.warmup))
        split = max(warm, round(at(division.warmup + division.split)))
        clustered = max(split, round(at(1 - division.conquer)))
        if self.learners == 1:
            warm = split = clustered = total_steps
        self.spans: dict[PhaseName, tuple[int, int]] = {
            "joint": (0, warm),
            "split": (warm, split),
            "clustered": (split, clustered),
            "conquer": (clustered, max(clustered, total_steps)),
        }
        self.clusterings = [*range(warm, split, period), *range(split, clustered, period)]  # steps

    def phase(self, step: int) -> Phase:
        """The work of iteration `step`, 0 to total_steps - 1."""
        name, (of, since) = self._name(step), self._level(step)
        if name in ("joint", "conquer"):
            return Phase(name, of)
        cluster = self._turn(step - since, of)
        return Phase(name, of, cluster=cluster, learner=cluster if name == "split" else None)

    def reclusters(self, step: int) -> bool:
        """Whether to cluster anew just before iteration `step`: as a divided phase begins and every T epochs in it."""
        return step in self.clusterings

    def rejoins(self, step: int) -> bool:
        """Whether iteration `step` is the first with all data again after divided ones."""
        return step == self.spans["conquer"][0] > self.spans["split"][0]

    def _level(self, step: int) -> tuple[int, int]:
        """How many learners there are at `step`, and since when."""
        first = self.spans["split"][0]
        if not self.doubling:
            return self.learners, first
        done = bisect_right(self.clusterings, step)
        doublings = min(done, (self.learners - 1).bit_length())
        since = self.clusterings[doublings - 1] if doublings else first
        return min(2**doublings, self.learners), since

    def _name(self, step: int) -> PhaseName:
        for name, (start, stop) in self.spans.items():
            if start <= step < stop:
                return name
        raise AssertionError(f"step {step} is outside the training")

    def _turn(self, divided_step: int, of: int) -> int:
        """The cluster whose turn it is: rounds over all of them, each a permutation by (seed, round)."""
        turn, index = divmod(divided_step, of)
        return int(np.random.default_rng((self.seed, turn)).permutation(of)[index])
