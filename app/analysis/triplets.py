"""Kinds of triplets by their distances. numpy only."""

import numpy as np

from bon_core.training.losses import violates

EASY, SEMI_HARD, HARD = "easy", "semi-hard", "hard"


def kinds_of(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> np.ndarray:
    """ "hard" where the negative is nearer than the positive, "semi-hard" within the margin behind it, else "easy".

    A missing distance (NaN) gives "".
    """
    kinds = np.where(d_an < d_ap, HARD, np.where(d_an < d_ap + margin, SEMI_HARD, EASY))
    return np.where(np.isnan(d_ap) | np.isnan(d_an), "", kinds)


def violating_share(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> float:
    """Share of the triplets that violate the margin: d(a,n) < d(a,p) + margin. NaN without a triplet.

    A triplet is an anchor with the farthest positive and the nearest negative that were chosen for it; anchors for
    which one of the two was not chosen are left out.
    """
    known = ~(np.isnan(d_ap) | np.isnan(d_an))
    return float(violates(d_ap[known], d_an[known], margin).mean()) if known.any() else float("nan")
