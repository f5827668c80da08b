"""The miners side by side: which negative each would choose for one anchor, and how hard it is."""

import numpy as np
import streamlit as st

from app import cached, place, theme
from app.analysis import miners
from app.analysis.miners import Draws
from app.state import View
from app.widgets.gallery import gallery
from app.widgets.names import apart
from app.widgets.rank_gap import rank_gap
from bon_core.base.intake import counted

HEADING = 40  # columns of a class's name in the heading
DRAWS = 60  # of each miner for the anchor
MOST_DRAWS = 1 << 30  # that can be asked for
ANCHORS = 60  # from which the miners are compared in general


def show(view: View) -> None:
    """One anchor of a view under every miner."""
    where = view.snapshot.position_of
    fallback = view.selected[0] if len(view.selected) else view.rows[_hardest(view)[0]]
    anchor = place.number(
        "anchor",
        lambda identity: (
            identity in where and view.snapshot.split[where[identity]] == view.snapshot.split[view.rows[0]]
        ),
        fallback=int(view.snapshot.ids[fallback]),
        words="anchor",
    )
    row = where[anchor]
    draw = place.number("draw", lambda number: 0 <= number < MOST_DRAWS, fallback=0, words="draw")
    left, right = st.columns([1, 3.2], gap="large")
    with left:
        st.header(f"Anchor: {theme.plain(apart(view.short_name(row, HEADING)))}", anchor=False)
        gallery(view, np.array([anchor]), key="anchor-picture", size=92, borders=["query"])
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Draw again",
                icon=":material/casino:",
                on_click=place.go,
                args=("draw", draw + 1),
                key="miners-reroll",
                help="Other random draws",
            )
            st.button("Another anchor", on_click=_random_anchor, args=(view,), key="miners-random")
        candidates = view.selected[:40] if len(view.selected) else view.rows[_hardest(view)[:24]]
        theme.quiet("From the selection:" if len(view.selected) else "Or one of the hardest:")
        picked = gallery(view, np.asarray(view.snapshot.ids)[candidates], key="anchor-candidates", size=38)
    with right:
        st.header("Which negative each miner would choose, and its gap to the hardest", anchor=False)
        theme.quiet(
            "The gap counts the negatives that are harder than the one chosen: 0 is the exact hardest. Every miner is"
            f" run on this checkpoint's embedding; the dot is one draw, the thin ticks are {DRAWS - 1} others."
        )
        here = _here(view, cached.stamp(view), int(np.searchsorted(view.rows, row)), draw)
        if not here:
            theme.empty("There is no negative.", "The split holds a single class; choose another split in the header.")
        else:
            elsewhere = _elsewhere(view, cached.stamp(view))
            clicked = rank_gap(view, here, elsewhere, _numbers(view, row), key="rank-gap")
            picked = clicked if picked is None else picked
            _assumed(view)
            _bucket_words(view, row)
    if picked is not None:
        place.go("anchor", picked)
        st.rerun()


@st.cache_data(max_entries=64, show_spinner=False)
def _here(_view: View, stamp: tuple, row: int, seed: int) -> dict[str, Draws]:
    """Many draws for one anchor, at `row` of the view."""
    return _choices(_view, np.full(DRAWS, row), seed)


@st.cache_data(max_entries=16, show_spinner=False)
def _elsewhere(_view: View, stamp: tuple) -> dict[str, Draws]:
    """One draw for each of many random anchors."""
    return _choices(_view, cached.pool(_view).some(ANCHORS), 0)


def _choices(view: View, anchors: np.ndarray, seed: int) -> dict[str, Draws]:
    config = view.run.config
    return miners.choices(cached.pool(view), anchors, config.mining, config.training.margin, seed=seed)


def _numbers(view: View, row: int) -> dict[str, int]:
    """From how many negatives the miners choose: in a batch, a memory, and all."""
    mining, labels = view.run.config.mining, np.asarray(view.snapshot.labels)[view.rows]
    classes = min(mining.classes, len(np.unique(labels)))
    return {
        "batch": (classes - 1) * mining.images,
        "memory": min(mining.memory, len(labels)),
        "all": int((labels != view.snapshot.labels[row]).sum()),
    }


def _assumed(view: View) -> None:
    """The batch, the margin and the memory that the miners worked with, and where these come from."""
    mining, margin = view.run.config.mining, view.run.config.training.margin
    mates = -(-(mining.classes - mining.groups) // mining.groups)
    seeds = f"G = {mining.groups} seeds that bring {mates} classes each" if mates else f"G = {mining.groups} seeds"
    trained = view.snapshot.meta["origin"] == "trained"
    theme.quiet(
        ("As in this run's config: a" if trained else "This run was not trained here, so the defaults are assumed: a")
        + f" batch has P = {mining.classes} classes of m = {mining.images} images and, where it is composed, {seeds};"
        f" the margin is {margin:g}. The memory of XBM holds samples of all classes as they are now; in training"
        f" they would be up to {theme.count(mining.memory / mining.batch)} steps old."
    )


def _bucket_words(view: View, row: int) -> None:
    codes, labels = np.asarray(view.snapshot.codes)[view.rows], np.asarray(view.snapshot.labels)[view.rows]
    mates = int(((codes == view.snapshot.codes[row]) & (labels != view.snapshot.labels[row])).sum())
    origin = " (made afterwards)" if view.snapshot.meta["hasher_origin"] == "fitted" else ""
    if mates:
        theme.quiet(
            f"The anchor's bucket {view.snapshot.codes[row]:#x}{origin} holds {counted(mates, 'samples')} of other"
            f" classes: BoN looks at these, exact search at all {theme.count(len(view.rows))}."
        )
    else:
        theme.quiet(f"The anchor's bucket{origin} holds no sample of another class, so BoN falls back to random ones.")


def _random_anchor(view: View) -> None:
    place.go("anchor", int(np.random.default_rng().choice(view.ids)))


def _hardest(view: View) -> np.ndarray:
    """Places among the view's rows, the hardest first."""
    return np.argsort(-np.asarray(view.snapshot.hardness)[view.rows].astype(np.float32), kind="stable")
