"""What a miner chose, draw by draw. numpy only."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """What a miner chose in T trials; (T,) each. Where it chose nothing the row is -1, distance and rank are NaN.

    rows : int64, positions
    distances : float64, from the anchor
    ranks : float64, among all negatives of the anchor, 1 the hardest; rank - 1 negatives are harder than the choice
    """

    rows: np.ndarray
    distances: np.ndarray
    ranks: np.ndarray

    @property
    def none(self) -> float:
        """Share of the trials in which nothing was chosen."""
        return float((self.rows < 0).mean())

    @property
    def gap(self) -> float:
        """Median number of negatives that are harder than the choice: 0 for the exact hardest, NaN without a choice."""
        return float(np.median(self.ranks[self.rows >= 0]) - 1) if self.none < 1 else float("nan")
