"""Figures that stand on more than one page: each is worked out here and nowhere else, by the definition it has here.

What the library measured is read from the snapshot, never worked out again. Shares are from 0 to 1.
"""

import math
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import cached, theme
from app.analysis import triplets
from app.analysis.retrieval import Confusion, confusions
from app.view import View
from bon_core.datasets.image_set import SPLIT_NAMES
from bon_core.maps.projection import TRUST_AT
from bon_core.mining.codes import entropy
from bon_core.runs.snapshot import Snapshot
from bon_core.training.losses import ASKS, share_with_loss

LAST_STEPS = 30  # recorded steps whose triplets tell how a training ended
MAX_PAIRS = 24  # of confused classes

# How good -------------------------------------------------------------------------------------------------------------


def metric(view: View, name: str) -> float | None:
    """A retrieval metric of the split, such as "recall@1", as `bon_core.evaluation.metrics` defines and measured it."""
    return view.snapshot.metrics.get(view.split, {}).get(name)


def confused(view: View) -> list[Confusion]:
    """The pairs of classes of the split with the most samples of either whose nearest neighbour is of the other."""
    return _confused(view, cached.stamp(view))


@st.cache_data(max_entries=16, show_spinner=False)
def _confused(_view: View, stamp: tuple) -> list[Confusion]:
    snapshot, rows = _view.snapshot, _view.rows
    nearest = np.searchsorted(rows, np.asarray(snapshot.neighbours)[rows, 0])
    labels, hardness = np.asarray(snapshot.labels)[rows], np.asarray(snapshot.hardness)[rows]
    return confusions(labels.astype(np.int64), nearest, hardness.astype(np.float32), top=MAX_PAIRS)


# Buckets and the map --------------------------------------------------------------------------------------------------


def bucket_entropy(view: View) -> float:
    """How evenly the split's samples fill the buckets: the entropy of their present codes over the S bits there are.

    The log of a training has another: that of the miner's table, which holds the codes that training samples had when
    they were last seen; the pages call it the table's.
    """
    codes, bits = np.asarray(view.snapshot.codes)[view.rows], view.snapshot.bits
    return entropy(codes, bits) / bits


def trust_at(view: View) -> int:
    """How many nearest neighbours the map trust counts."""
    return min(TRUST_AT, view.snapshot.neighbours.shape[1])


def map_trust(view: View, drawn: Snapshot | None = None) -> float:
    """Share of a sample's `trust_at` true nearest that are among as many nearest on the map, mean over the split.

    drawn : the snapshot with another map of the split
    """
    return float(np.asarray((drawn or view.snapshot).trust)[view.rows].mean(dtype=np.float64))


# Learners -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slices:
    """Recall@1 of the learners' slices, K of them, on the last of the snapshot's splits.

    alone : (K,) of each slice by itself
    matrix : (K, K), of each slice (row) on the queries of each cluster; NaN where there is none
    correlation : (K, K) of the slices' distances over random pairs
    whole : of all slices together, on the same queries
    split : the one they were measured on, whichever is looked at
    """

    alone: np.ndarray
    matrix: np.ndarray
    correlation: np.ndarray
    whole: float
    split: str

    @property
    def gain(self) -> float:
        """By how much all together are better than the best alone; negative if they are worse."""
        return self.whole - float(self.alone.max())


def slices(view: View) -> Slices | None:
    """What the snapshot measured of its learners' slices; None if it has no learners."""
    found = view.snapshot.meta.get("division")
    if not found:
        return None
    alone, matrix, correlation = (
        np.array(found[name], np.float64) for name in ("slice_recall", "matrix", "correlation")
    )
    return Slices(
        alone, matrix, correlation, float(found["whole"]), SPLIT_NAMES[int(np.asarray(view.snapshot.split).max())]
    )


def gain_words(found: Slices) -> str:
    """What the slices bring each other, from the figures."""
    points = 100 * found.gain
    if points >= 0.05:
        return f"together they gain {points:.1f} points"
    return f"together they lose {-points:.1f} points" if points <= -0.05 else "together they are no better"


# What a training mined ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Late:
    """The triplets of the last recorded steps: an anchor, its farthest chosen positive, its nearest chosen negative.

    first, last : the steps
    d_ap, d_an : (n,) distances in what the loss saw
    violating : share of the triplets that violate the triplet margin that the run was trained with
    with_loss : the lowest and the highest share of their anchors that can have had a loss above zero in the run's own
        loss; they are equal but for a margin loss whose boundary was not recorded
    """

    first: int
    last: int
    d_ap: np.ndarray
    d_an: np.ndarray
    violating: float
    with_loss: tuple[float, float]


def late(view: View) -> Late | None:
    """How the training of a view's run ended; None if no triplet was recorded."""
    steps = cached.recorded_steps(view)[-LAST_STEPS:]
    if not len(steps):
        return None
    d_ap, d_an = cached.late_distances(view, int(steps[0]))
    if not (np.isfinite(d_ap) & np.isfinite(d_an)).any():
        return None
    training = view.run.config.training
    return Late(
        int(steps[0]),
        int(steps[-1]),
        d_ap,
        d_an,
        triplets.violating_share(d_ap, d_an, training.margin),
        share_with_loss(training.loss, d_ap, d_an, training.margin, _beta(view)),
    )


def _beta(view: View) -> float | None:
    """The boundary of the run's margin loss as it was logged last; None if it was not."""
    known = (event.get("beta") for event in reversed(cached.events(view.run)) if event.get("kind") == "step")
    return next((float(beta) for beta in known if beta is not None), None)


def share_words(found: Late) -> str:
    """The share of the anchors with a loss: "82 %", or "at least 82 %" where it is not known to the last."""
    low, high = found.with_loss
    return theme.percent(low, 0) if low == high else f"at least {math.floor(100 * low)} %"


def loss_words(view: View, found: Late) -> str:
    """When the run's own loss is zero, and for how many of the late anchors it was not."""
    loss = view.run.config.training.loss
    known = found.with_loss[0] == found.with_loss[1]
    open_end = "" if known else ", whatever the boundary was, which this run did not record"
    return (
        f"This run was trained with the {loss} loss. {ASKS[loss]} Of these anchors {share_words(found)} had a loss"
        f" above zero{open_end}."
    )
