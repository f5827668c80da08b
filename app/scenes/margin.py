"""The margin: when a triplet stops teaching."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import address, cached, theme
from app.analysis import lessons, miners
from app.analysis.lessons import Question
from app.scenes.lesson import Lesson, Missing
from app.state import View
from app.widgets.distance_plot import distance_plot
from app.widgets.triplets import Triplet, triplets
from bon_core.training.audit import read_step

LAST_STEPS = 30  # recorded steps whose triplets are drawn


def make(view: View) -> Lesson | Missing:
    """The scene, of a view."""
    steps = cached.recorded_steps(view)
    if not len(steps):
        return Missing(
            "This run kept no record of its batches, and this scene replays them.",
            "Runs that are trained here record every step; embeddings brought in a file have none.",
        )
    own = float(view.run.config.training.margin)
    first = int(steps[-LAST_STEPS:][0])
    d_ap, d_an = cached.late_distances(view, first)
    share, doubled = (miners.active_share(d_ap, d_an, margin) for margin in (own, 2 * own))
    return Lesson(
        story=(
            "A triplet pulls an <b>anchor</b> towards a <b>positive</b> of its own class and pushes it off a"
            " <b>negative</b> of another, until that one is farther away by a <b>margin</b>.",
            "Each dot is such a triplet from the end of this training: below the line it still teaches, above it the"
            " network learns nothing from it.",
        ),
        question=Question(
            f"This run was trained with a margin of {own:g}. How many of its last triplets still teach?",
            ("fewer than 1 in 5", "between 1 in 5 and 1 in 2", "more than half"),
            (0.2, 0.5),
        ),
        value=share,
        figure=theme.percent(share, 0),
        told=(
            f"of the last {theme.count(len(d_ap))} triplets lie below the line. With twice the margin it would be"
            f" {theme.percent(doubled, 0)}.",
            f"They are those of steps {theme.count(first)} to {theme.count(steps[-1])}.",
        ),
        takeaway="A margin is a demand. Too small, and nothing is left to learn; too large, and nothing is ever good"
        " enough.",
        exhibit=lambda told: _bench(view, d_ap, d_an, own, int(steps[-1]), told),
        door=(
            "Drag it on Mined negatives",
            "negatives",
            lambda: {"show": "Drag the margin"},
        ),
    )


@st.fragment
def _bench(view: View, d_ap: np.ndarray, d_an: np.ndarray, own: float, step: int, told: bool) -> None:
    """One triplet with its pictures, and all of them as dots, under a margin that is dragged."""
    control = address.control("margin", own, read=float, among=lambda margin: 0 <= margin <= 1)
    margin = st.slider("Drag the margin", 0.0, 1.0, step=0.01, **control)
    one = _one_triplet(view.run.path, cached.audit_stamp(view), step, own)
    if one is not None:
        with st.container(key="one-triplet"):
            triplets(view, [_judged(one, margin)], margin=margin, key="one-triplet-board")
    share = theme.percent(miners.active_share(d_ap, d_an, margin), 0) if told else "How many"
    st.html(f'<div class="reading"><b>{share}</b> of the triplets teach at a margin of {margin:.2f}</div>')
    distance_plot(d_ap, d_an, margin, key="lesson-distances", told=told, height="30vh")


def _judged(one: Triplet, margin: float) -> Triplet:
    kind = str(miners.kinds_of(np.array([one.d_ap]), np.array([one.d_an]), margin)[0])
    told = "teaches nothing" if kind == miners.EASY else "still teaches"
    return Triplet(one.anchor, one.positive, one.negative, one.d_ap, one.d_an, kind, told)


@st.cache_data(max_entries=16, show_spinner=False)
def _one_triplet(path: Path, stamp: tuple, step: int, margin: float) -> Triplet | None:
    """The triplet of a recorded step that the margin has just let go."""
    log = read_step(path, step)
    row = lessons.telling_triplet(log["d_ap"], log["d_an"], margin)
    if row < 0:
        return None
    ids = (int(log[name][row]) for name in ("id", "positive", "negative"))
    return Triplet(*ids, float(log["d_ap"][row]), float(log["d_an"][row]), "", "")
