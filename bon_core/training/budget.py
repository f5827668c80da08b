"""A training in given minutes, the map at its end included, on a machine whose speed nobody knows beforehand.

How many steps fit is decided by the run's own first steps, and again every few per cent of the time; only what is still
to come then changes. All that moves over a training (learning rate, share of mates, phases) goes by how far the
training is, from 0 to 1, which this `Plan` says of each step.
"""

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bon_core.config import RunConfig
from bon_core.division import DivideAndConquer
from bon_core.division.schedule import Schedule
from bon_core.training.distributed import Ranks

clock = time.perf_counter  # of the budget: another one in tests
UNKNOWN = 1000  # steps, as long as nothing has been measured
FIRST_LOOKS = (1, 3, 10)  # steps after which it is decided anew, whatever the time
LOOK_EVERY = 0.03  # of the budget
WORTH_IT = 0.02  # of the steps to come: by less the plan is not changed
WARM_UP = 0.02  # of the training
FADING = 0.05  # weight of the newest measurement, once there are many


class Plan:
    """How far a training is at each step: along straight lines, one after each change of the number of steps.

    Parameters
    ----------
    steps : of the whole training
    bends : (step, share) where a line begins
    """

    def __init__(self, steps: int, bends: list[tuple[int, float]] | None = None):
        self.steps, self.bends = steps, bends or [(0, 0.0)]

    def share_at(self, step: int) -> float:
        """How far the training is at `step`, 0 to 1."""
        ends = [*self.bends, (self.steps, 1.0)]
        line = min(bisect_right([start for start, _ in self.bends], step), len(self.bends)) - 1
        (start, share), (end, until) = ends[line], ends[line + 1]
        return share + (until - share) * (step - start) / (end - start)

    def step_at(self, share: float) -> float:
        """Where the training is so far."""
        ends = [*self.bends, (self.steps, 1.0)]
        line = min(bisect_right([begun for _, begun in self.bends], share), len(self.bends)) - 1
        (start, begun), (end, until) = ends[line], ends[line + 1]
        return start + (end - start) * (share - begun) / (until - begun)

    def rate_at(self, step: int) -> float:
        """Share of the peak learning rate: a linear warm-up over the first 2 %, then a half cosine to a hundredth."""
        warmed = self.share_at(step + 1) / max(WARM_UP, self.share_at(1))
        return min(1.0, warmed) * (0.505 + 0.495 * math.cos(math.pi * self.share_at(step)))

    def changed(self, step: int, steps: int) -> "Plan":
        """The same up to `step`, and from there on so that `steps` will be all."""
        bend = (step, self.share_at(step))
        return Plan(steps, [*(before for before in self.bends if before[0] < step), bend])


class Costs:
    """Seconds that each kind of work takes here: a mean that forgets, without the very first time, which is slow."""

    def __init__(self) -> None:
        self.means: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def note(self, kind: str, seconds: float) -> None:
        """Take in one measurement."""
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        weight = 1.0 if count <= 2 else max(FADING, 1 / (count - 1))
        before = self.means.get(kind, 0.0)
        self.means[kind] = before + weight * (seconds - before)

    @contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """Measure what is done inside."""
        began = clock()
        yield
        self.note(kind, clock() - began)

    def __getitem__(self, kind: str) -> float:
        """0 for what was not measured yet."""
        return self.means.get(kind, 0.0)


class Budget:
    """The time that a run has, of which `spent` seconds were gone before."""

    def __init__(self, seconds: float, spent: float = 0.0):
        self.seconds = seconds
        self._began = clock() - spent
        self._looked, self._steps = clock(), 0

    @property
    def spent(self) -> float:
        """Seconds."""
        return clock() - self._began

    def is_due(self) -> bool:
        """Whether to decide anew; to be asked after each step."""
        self._steps += 1
        now = clock()
        if self._steps not in FIRST_LOOKS and now - self._looked < LOOK_EVERY * self.seconds:
            return False
        self._looked = now
        return True


class Pace:
    """How many steps a training has, what is due at each, and how long it still takes.

    Attributes
    ----------
    plan, steps, schedule : how far it is at each step, of how many, and in which phase
    costs : what each kind of work takes here, as the trainer measures it
    sampler : to be told when the plan changes
    budget : the time to keep to; None where the config gives epochs, and in processes that follow the first
    aftermath : gives the seconds that the run takes after its last step
    """

    def __init__(self, config: RunConfig, steps_per_epoch: int):
        settings = config.training
        self.division, self.seed, self.timed = config.division, settings.seed, settings.minutes is not None
        self.steps_per_epoch = steps_per_epoch
        self.evaluate_every = max(1, round(settings.evaluate_every * steps_per_epoch))
        self.checkpoint_every = max(1, round(settings.checkpoint_every * steps_per_epoch))
        self.costs = Costs()
        self.sampler: DivideAndConquer | None = None
        self.budget: Budget | None = None
        self.aftermath: Callable[[], float] = lambda: 0.0
        self.spent = 0.0  # of the budget, until the checkpoint that was restored
        self.follow(Plan(UNKNOWN if self.timed else max(1, round(settings.epochs * steps_per_epoch))))

    def follow(self, plan: Plan) -> None:
        """Go by `plan` from now on."""
        self.plan, self.steps = plan, plan.steps
        self.schedule = Schedule(
            self.division,
            total_steps=plan.steps,
            steps_per_epoch=self.steps_per_epoch,
            seed=self.seed,
            step_at=plan.step_at,
        )
        if self.sampler is not None:
            self.sampler.follow(self.schedule, plan.share_at)

    def a_step(self, step: int) -> float:
        """Seconds of each step to come after `step`, with its share of what comes between."""
        costs, divisions = self.costs, sum(at >= step for at in self.schedule.clusterings)
        between = costs["evaluation"] / self.evaluate_every + costs["saving"] / self.checkpoint_every
        return costs["step"] + between + costs["dividing"] * divisions / max(self.steps - step, 1)

    def seconds_left(self, step: int) -> float:
        """Until the run is finished, map included."""
        return self.a_step(step) * (self.steps - step) + self.aftermath()

    @property
    def ending(self) -> float:
        """Seconds of all that comes after the last step."""
        return self.costs["evaluation"] + self.costs["saving"] + self.aftermath()

    def keep(self, step: int, ranks: Ranks, *, settled: bool) -> bool:
        """Now and then after a step, let as many be still to come as the time allows; whether there are more or fewer.

        settled : the next step is composed already, and must stay what it is
        """
        if step >= self.steps or not ranks.agree(self.budget is not None and self.budget.is_due()):
            return False
        steps = np.array([self.steps])
        if self.budget is not None:
            left = self.budget.seconds - self.budget.spent - self.ending
            steps[0] = step + max(1, int(left / max(self.a_step(step), 1e-6)))
        ranks.broadcast(steps)
        if abs(int(steps[0]) - self.steps) <= WORTH_IT * (self.steps - step):
            return False
        plan, phase = self.plan, self.schedule.phase(step)
        self.follow(plan.changed(step, int(steps[0])))
        if settled and (self.schedule.reclusters(step) or self.schedule.phase(step) != phase):
            self.follow(plan)  # at the next look then
            return False
        return True

    def state_dict(self) -> dict[str, Any]:
        spent = self.spent if self.budget is None else self.budget.spent
        return {"steps": self.steps, "bends": [list(bend) for bend in self.plan.bends], "spent": spent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with what was planned; where the config gives epochs, that is known."""
        if self.timed:
            self.follow(Plan(int(state["steps"]), [(int(step), float(share)) for step, share in state["bends"]]))
            self.spent = float(state["spent"])
