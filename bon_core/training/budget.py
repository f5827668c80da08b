"""A training in given minutes, the map at its end included, on a machine whose speed nobody knows beforehand.

How many steps fit is decided by the run's own first steps, and again every few per cent of the time; only what is still
to come then changes. All that moves over a training (learning rate, share of mates, phases) goes by how far the
training is, from 0 to 1, which this `Plan` says of each step.
"""

import math
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager

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
        return Plan(steps, [*(kept for kept in self.bends if kept[0] < step), bend])


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


def worth_it(step: int, before: int, after: int) -> bool:
    """Whether the steps to come after `step` change by enough to change the plan."""
    return abs(after - before) > WORTH_IT * max(before - step, 1)
