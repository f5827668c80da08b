"""An anchor and its negatives: what the scenes on random negatives, hashing and division share."""

import numpy as np
import streamlit as st

from app import cached, theme, url_state
from app.view import View
from app.views.learn import lessons, wall
from app.views.learn.lessons import Negatives, Question, Study
from app.views.learn.pool import pool_of
from app.views.learn.scenes.lesson import Missing


def own_margin(view: View) -> float:
    """The margin that the run was trained with."""
    return float(view.run.config.training.margin)


def negatives_of_a_batch(view: View) -> int:
    """How many negatives an anchor meets in a batch of the run."""
    return lessons.batch_negatives(pool_of(view), view.run.config.mining)


def study(view: View) -> Study | Missing:
    """How many negatives violate the margin of random anchors of the view."""
    found = _study(view, cached.stamp(view), own_margin(view))
    if found is not None:
        return found
    return Missing(
        f"The {view.split} split has no anchor with both a positive and a negative.",
        "It takes two classes and two samples of one of them; choose another split or run in the header.",
    )


def how_many(words: str, negatives: int) -> Question:
    """A question for a number out of so many negatives."""
    few, half = max(negatives // 20, 1), max(negatives // 2, 2)
    choices = (f"at most {few}", f"{few + 1} to {half}", f"more than {half}")
    return Question(words, choices, (few + 0.5, half + 0.5))


def chosen(view: View) -> int:
    """The row, among the view's rows, of the anchor that was chosen, or of a typical one; ask `study` first."""
    pool = pool_of(view)
    fallback = _typical(view, cached.stamp(view), own_margin(view))

    def possible(identity: int) -> bool:
        row = view.row_of(identity)
        return row is not None and bool(pool.size[pool.label[row]] > 1)

    row = view.row_of(url_state.number("anchor", possible, fallback=int(view.ids[fallback]), words="anchor"))
    assert row is not None
    return row


def show(view: View, anchor: int, found: Negatives, revealed: bool) -> None:
    """Draw an anchor, by its row, among negatives; a click on one makes it the anchor."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="wall-line"):
        if revealed:
            theme.legend(
                [
                    (theme.VERMILION, "violates the margin", theme.count(found.violates.sum())),
                    (theme.CONTEXT, "beyond it", theme.count((~found.violates).sum())),
                ]
            )
        else:
            theme.caption("Which of them violate the margin?")
        st.button("Another anchor", key="another", icon=":material/casino:", on_click=_another, args=(view,))
    picked = wall.wall(view, anchor, found, revealed=revealed, key="wall")
    if picked is not None:
        url_state.go("anchor", picked)
        st.rerun()


def _another(view: View) -> None:
    pool = pool_of(view)
    able = np.flatnonzero(pool.size[pool.label] > 1)
    url_state.go("anchor", int(view.ids[np.random.default_rng().choice(able)]))


@st.cache_data(max_entries=16, show_spinner=False)
def _study(_view: View, stamp: tuple, margin: float) -> Study | None:
    clusters = np.asarray(_view.snapshot.clusters)[_view.rows]
    return lessons.study(pool_of(_view), clusters, margin)


@st.cache_data(max_entries=16, show_spinner=False)
def _typical(_view: View, stamp: tuple, margin: float) -> int:
    found = _study(_view, stamp, margin)
    assert found is not None
    return lessons.typical(found, pool_of(_view), _view.run.config.mining, margin)
