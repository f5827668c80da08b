"""Suspicious labels: samples whose neighbours, and whose training, speak for another class. numpy only.

Two pieces of evidence are added up:

vote     the nearest neighbours' label disagreement, as a normalised margin (Northcutt et al., "Confident Learning",
         JAIR 2021): the share of their votes, weighted by cosine similarity, that the strongest other class gets, less
         that of the own class. The strongest other class is the suspected one.
excess   what mining met: by how much the chosen negative was nearer than the positive, averaged over the training:
         the area under the margin (Pleiss et al., "Identifying Mislabeled Data using the Area Under the Margin
         Ranking", NeurIPS 2020), with distances in the place of logits. A wrong label resists for long, even if the
         network has learned it by heart in the end.

Legend: N samples, k neighbours, n recorded triplets. A *position* is a row, 0..N-1.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bon_core.base.chunks import row_chunks

PRIOR = 3  # recorded triplets that the mean of all anchors is worth: few records move a sample little


class Suspicion(NamedTuple):
    """For each of N samples.

    score : (N,) float64, vote + excess; the larger the likelier the label is wrong
    suspected : (N,) int64, the class that it may be instead; its own where no neighbour is of another
    witness : (N,) int64, position of the nearest neighbour of the suspected class
    vote : (N,) float64, -1 (all neighbours of the own class) to 1 (all of the suspected one)
    excess : (N,) float64, mean of d(a, p) - d(a, n) as an anchor, above the mean of all anchors; 0 without records
    met, harder : (N,) int64, how often it met the suspected class in a recorded triplet, as anchor or as negative, and
        how often the two were then nearer to each other than the anchor to its own class
    """

    score: np.ndarray
    suspected: np.ndarray
    witness: np.ndarray
    vote: np.ndarray
    excess: np.ndarray
    met: np.ndarray
    harder: np.ndarray


def suspicion(
    labels: np.ndarray,
    neighbours: np.ndarray,
    distances: np.ndarray,
    mined: Mapping[str, np.ndarray] | None = None,
) -> Suspicion:
    """Weigh the evidence against every label.

    Parameters
    ----------
    labels : (N,) integers
    neighbours, distances : (N, k) positions, nearest first, and Euclidean distances between unit vectors
    mined : anchor and negative (n,) positions, d_ap and d_an (n,), of recorded triplets; None for an embedding alone
    """
    labels = labels.astype(np.int64)
    vote, suspected, witness = _votes(labels, neighbours, distances)
    if mined is None:
        mined = {name: np.zeros(0, np.int64) for name in ("anchor", "negative", "d_ap", "d_an")}
    known = ~(np.isnan(mined["d_ap"]) | np.isnan(mined["d_an"]))
    anchor, negative = mined["anchor"][known], mined["negative"][known]
    nearer = (mined["d_ap"] - mined["d_an"])[known].astype(np.float64)
    count = len(labels)

    mean = nearer.mean() if len(nearer) else 0.0
    excess = np.bincount(anchor, nearer - mean, minlength=count) / (np.bincount(anchor, minlength=count) + PRIOR)
    met, harder = np.zeros((2, count), np.int64)
    for sample, other in ((anchor, negative), (negative, anchor)):
        against = labels[other] == suspected[sample]
        met += np.bincount(sample[against], minlength=count)
        harder += np.bincount(sample[against & (nearer > 0)], minlength=count)
    return Suspicion(vote + excess, suspected, witness, vote, excess, met, harder)


def _votes(
    labels: np.ndarray, neighbours: np.ndarray, distances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margin of the strongest other class over the own one, that class, and its nearest member; (N,) each."""
    vote = np.empty(len(labels))
    suspected, witness = np.empty((2, len(labels)), np.int64)
    for block in row_chunks(len(labels)):
        own = labels[block]
        near = labels[neighbours[block]]  # (b, k)
        weight = np.maximum(1 - distances[block].astype(np.float64) ** 2 / 2, 1e-9)  # cosine similarity
        for_class = np.zeros_like(weight)  # (b, k): all votes for the class of each neighbour
        for column in range(near.shape[1]):
            for_class += weight[:, column, None] * (near == near[:, column, None])
        mine = near == own[:, None]
        for_other = np.where(mine, -1.0, for_class)
        best = for_other.argmax(axis=1)[:, None]  # the first of a class is its nearest
        total = weight.sum(axis=1)
        vote[block] = (
            np.take_along_axis(for_other, best, axis=1)[:, 0].clip(min=0) - (weight * mine).sum(axis=1)
        ) / total
        suspected[block] = np.take_along_axis(near, best, axis=1)[:, 0]
        witness[block] = np.take_along_axis(neighbours[block], best, axis=1)[:, 0]
    return vote, suspected, witness
