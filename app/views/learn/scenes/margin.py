"""The margin: which triplets violate it, and for how many anchors the run's own loss was above zero."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import address, cached, figures, theme
from app.analysis.triplets import EASY, kinds_of, violating_share
from app.figures import Late
from app.view import View
from app.views.learn import lessons
from app.views.learn.lessons import Question, above
from app.views.learn.scenes.lesson import Lesson, Missing
from app.widgets.charts.distance_plot import distance_plot
from app.widgets.charts.triplets import Triplet, triplets
from bon_core.runs.audit import read_step
from bon_core.training.losses import ASKS

CHOICES, BOUNDS = ("fewer than 1 in 5", "between 1 in 5 and 1 in 2", "more than half"), (0.2, above(0.5))


def make(view: View) -> Lesson | Missing:
    """The scene, of a view."""
    late = figures.late(view)
    if late is None:
        return Missing(
            "This run kept no record of triplets, and this scene replays them.",
            "Runs that are trained here record their batches; embeddings brought in a file have no record.",
        )
    training = view.run.config.training
    own = float(training.margin)
    doubled = violating_share(late.d_ap, late.d_an, 2 * own)
    question, value, figure, first = _asked(training.loss, own, late)
    return Lesson(
        story=(
            "A triplet is an <b>anchor</b>, a <b>positive</b> of its own class and a <b>negative</b> of another. It"
            " <b>violates the margin</b> as long as the negative is not farther away than the positive by that much.",
            f"{ASKS[training.loss]} Each dot is a triplet from the end of this training; below the line it violates the"
            " margin.",
        ),
        question=question,
        value=value,
        figure=figure,
        caption=(
            first,
            f"With twice the margin it would be {theme.percent(doubled, 0)}.{_least(late)} The steps are"
            f" {theme.count(late.first)} to {theme.count(late.last)}.",
        ),
        takeaway="A margin is a demand: the larger it is, the more triplets violate it.",
        demo=lambda revealed: _bench(view, late, own, revealed),
        link=(
            "Drag it on Mined negatives",
            "negatives",
            lambda: {"show": "Drag the margin"},
        ),
    )


def _asked(loss: str, margin: float, late: Late) -> tuple[Question, float, str, str]:
    """The question, its answer, and that as a figure and a sentence.

    What is asked is how many anchors had a loss. Where the run's records leave that open, it is how many triplets
    violate the margin.
    """
    known = Question(
        f"This run was trained with the {loss} loss and a margin of {margin:g}. How many of its last anchors still had"
        " a loss above zero?",
        CHOICES,
        BOUNDS,
    )
    violating = theme.percent(late.violating, 0)
    low, high = late.with_loss
    count = theme.count(len(late.d_ap))
    if known.right(low) == known.right(high):
        return known, low, figures.share_words(late), _told(loss, count, violating)
    words = f"How many of its last triplets violate the margin of {margin:g}?"
    return (
        Question(words, CHOICES, BOUNDS),
        late.violating,
        violating,
        f"of the last {count} triplets lie below the line. Of their anchors {figures.share_words(late)} had a loss"
        " above zero.",
    )


def _told(loss: str, count: str, violating: str) -> str:
    if loss == "triplet":
        return f"of the last {count} triplets lie below the line."
    return f"of the last {count} anchors. Of their triplets {violating} violate the margin."


def _least(late: Late) -> str:
    """Why the answer is no more than a bound, where it is one."""
    low, high = late.with_loss
    return "" if low == high else " The boundary was not recorded: the answer is the least that any boundary gives."


@st.fragment
def _bench(view: View, late: Late, own: float, revealed: bool) -> None:
    """One triplet with its pictures, and all of them as dots, under a margin that is dragged."""
    control = address.control("margin", own, read=float, among=lambda margin: 0 <= margin <= 1)
    margin = st.slider("Drag the margin", 0.0, 1.0, step=0.01, **control)
    one = _one_triplet(view.run.path, cached.audit_stamp(view), late.last, own)
    if one is not None:
        with st.container(key="one-triplet"):
            triplets(view, [_judged(one, margin)], margin=margin, key="one-triplet-board")
    share = theme.percent(violating_share(late.d_ap, late.d_an, margin), 0) if revealed else "How many"
    st.html(f'<div class="reading"><b>{share}</b> of the triplets violate a margin of {margin:.2f}</div>')
    distance_plot(late.d_ap, late.d_an, margin, key="lesson-distances", revealed=revealed, height="30vh")


def _judged(one: Triplet, margin: float) -> Triplet:
    kind = str(kinds_of(np.array([one.d_ap]), np.array([one.d_an]), margin)[0])
    caption = "beyond the margin" if kind == EASY else "violates the margin"
    return Triplet(one.anchor, one.positive, one.negative, one.d_ap, one.d_an, kind, caption)


@st.cache_data(max_entries=16, show_spinner=False)
def _one_triplet(path: Path, stamp: tuple, step: int, margin: float) -> Triplet | None:
    """The triplet of a recorded step that the margin has just let go."""
    log = read_step(path, step)
    row = lessons.telling_triplet(log["d_ap"], log["d_an"], margin)
    if row < 0:
        return None
    anchor, positive, negative = (int(log[name][row]) for name in ("id", "positive", "negative"))
    return Triplet(anchor, positive, negative, float(log["d_ap"][row]), float(log["d_an"][row]), "", "")
