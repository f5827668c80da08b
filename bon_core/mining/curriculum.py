"""How many of a batch's open places bucket mates get, as training goes on: hardness too early costs.

`benchmarks/mining_accuracy.py --study` compares the schedules on held-out training classes.
"""

from bon_core.config import MiningConfig

PACE = 0.05  # change of the controlled share, an observation
MEMORY = 0.8  # of the observed active share, an observation


class MateShare:
    """Share of bucket mates over a training, from 0 up to `mining.mate_share`.

    "ramp" grows evenly over the first `mate_ramp` of the training. "active" grows while fewer than `active_goal` of the
    anchors violate the margin, and shrinks while more do: hard enough, but no harder.
    """

    def __init__(self, mining: MiningConfig):
        self.mining = mining
        self.controlled, self.active = 0.0, 1.0

    def at(self, progress: float) -> float:
        """The share where `progress` (0 to 1) of the training is over."""
        mining = self.mining
        if mining.mate_schedule == "active":
            return self.controlled
        return mining.mate_share * (1.0 if progress >= mining.mate_ramp else progress / mining.mate_ramp)

    def observe(self, active: float) -> None:
        """Take in the share of a batch's anchors that violated the margin, every ten steps or so."""
        self.active = MEMORY * self.active + (1 - MEMORY) * active
        change = PACE if self.active < self.mining.active_goal else -PACE
        self.controlled = min(max(self.controlled + change, 0.0), self.mining.mate_share)

    def state_dict(self) -> dict[str, float]:
        return {"controlled": self.controlled, "active": self.active}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.controlled, self.active = state["controlled"], state["active"]
