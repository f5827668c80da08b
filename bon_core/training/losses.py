"""What each loss asks of an anchor's distances, for those who only look: NumPy, no torch.

`bon_core.training.metric_loss` builds the losses themselves, from the same constants.

Legend: n anchors; d_ap distance to the farthest positive that was chosen, d_an to the nearest negative.
"""

import numpy as np

from bon_core.config import Loss

FIRST_BETA = 1.2  # of the margin loss, which learns it
REACH = 0.5  # of the contrastive loss: a negative must be farther than this and the margin

ASKS = {  # what makes a loss zero
    "triplet": "The triplet loss is zero once the negative is farther away than the positive by the margin.",
    "margin": "The margin loss takes each pair by itself: it is zero once a positive is nearer than a boundary less the"
    " margin and a negative farther than the boundary plus the margin; the boundary is learned.",
    "contrastive": f"The contrastive loss takes each pair by itself: a positive costs at any distance, a negative until"
    f" it is farther away than {REACH:g} plus the margin.",
    "multi-similarity": "The multi-similarity loss is never zero: it weighs all pairs that were chosen.",
}


def violates(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> np.ndarray:
    """Which triplets violate the margin: d_an < d_ap + margin, (n,) bool. Only the triplet loss is zero without."""
    return d_an < d_ap + margin


def has_loss(
    loss: Loss, d_ap: np.ndarray, d_an: np.ndarray, margin: float, beta: float | np.ndarray = FIRST_BETA
) -> np.ndarray:
    """Which anchors have a loss above zero, (n,) bool; a missing distance (NaN) costs nothing.

    beta : the boundary of the margin loss, one or (n,); other losses have none
    """
    if loss == "triplet":
        return violates(d_ap, d_an, margin)
    if loss == "margin":
        return (d_ap > beta - margin) | (d_an < beta + margin)
    if loss == "contrastive":
        return (d_ap > 0) | (d_an < REACH + margin)
    return ~(np.isnan(d_ap) & np.isnan(d_an))


def share_with_loss(
    loss: Loss, d_ap: np.ndarray, d_an: np.ndarray, margin: float, beta: float | None = None
) -> tuple[float, float]:
    """The lowest and the highest share of the anchors that can have a loss above zero; NaN without an anchor.

    They are equal unless the loss has a boundary `beta` that is not known: then they are those of any boundary.
    Anchors without a positive or a negative are left out.
    """
    known = ~(np.isnan(d_ap) | np.isnan(d_an))
    d_ap, d_an = (distance[known].astype(np.float64) for distance in (d_ap, d_an))
    if not len(d_ap):
        return float("nan"), float("nan")
    if loss == "margin" and beta is None:
        return 1 - _most_at_once(d_ap + margin, d_an - margin) / len(d_ap), 1.0
    share = float(has_loss(loss, d_ap, d_an, margin, FIRST_BETA if beta is None else beta).mean())
    return share, share


def _most_at_once(starts: np.ndarray, ends: np.ndarray) -> int:
    """How many of the closed intervals [start, end] (n,) hold a common point at most; those that end before are none.

    Here: the boundaries at which an anchor has no loss.
    """
    some = starts <= ends
    starts, ends = np.sort(starts[some]), np.sort(ends[some])
    begun = np.arange(1, len(starts) + 1)
    return int((begun - np.searchsorted(ends, starts, side="left")).max(initial=0))
