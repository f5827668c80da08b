"""The miners side by side: which negative each would choose for one anchor, and how hard it is."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import cached, theme, url_state
from app.names import apart
from app.view import View
from app.views.negatives.draws import Draws
from app.views.negatives.rank_gap import rank_gap
from app.widgets.primitives.gallery import gallery
from bon_core.base.intake import counted
from bon_core.config import MiningConfig

if TYPE_CHECKING:
    from app.views.negatives.miner_draws import Miners

HEADING = 40  # columns of a class's name in the heading
DRAWS = 20  # of each miner for the anchor
MAX_DRAWS = 1 << 30  # that can be asked for
ANCHORS = 60  # from which the miners are compared in general


def show(view: View) -> None:
    """One anchor of a view under every miner."""
    where = view.snapshot.position_of
    fallback = view.selected[0] if len(view.selected) else view.rows[_hardest(view)[0]]
    anchor = url_state.number(
        "anchor",
        lambda identity: (
            identity in where and view.snapshot.split[where[identity]] == view.snapshot.split[view.rows[0]]
        ),
        fallback=int(view.snapshot.ids[fallback]),
        words="anchor",
    )
    row = where[anchor]
    draw = url_state.number("draw", lambda number: 0 <= number < MAX_DRAWS, fallback=0, words="draw")
    left, right = st.columns([1, 3.2], gap="large")
    with left:
        st.header(f"Anchor: {theme.plain(apart(view.short_name(row, HEADING)))}", anchor=False)
        gallery(view, np.array([anchor]), key="anchor-picture", size=92, borders=["query"])
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Draw again",
                icon=":material/casino:",
                on_click=url_state.go,
                args=("draw", draw + 1),
                key="miners-reroll",
                help="Other random draws",
            )
            st.button("Another anchor", on_click=_random_anchor, args=(view,), key="miners-random")
        candidates = view.selected[:40] if len(view.selected) else view.rows[_hardest(view)[:24]]
        theme.caption("From the selection:" if len(view.selected) else "Or one of the hardest:")
        picked = gallery(view, np.asarray(view.snapshot.ids)[candidates], key="anchor-candidates", size=38)
    with right:
        st.header("Which negative each miner would choose, and its gap to the hardest", anchor=False)
        theme.caption(
            "The gap counts the negatives that are harder than the one chosen: 0 is the exact hardest. These are the"
            " miners that train, run on this checkpoint's embedding; the dot is one draw, the thin ticks are"
            f" {DRAWS - 1} others."
        )
        sizes = _class_sizes(view)
        if (sizes > 1).sum() < 2:
            theme.empty(
                "There is nothing to mine.",
                "The split has fewer than two classes of two samples or more; choose another split in the header.",
            )
        elif sizes[view.snapshot.labels[row]] < 2:
            theme.empty(
                "This anchor is the only sample of its class.",
                "It has no positive, so that no training ever draws it; choose another anchor.",
            )
        else:
            clicked = _compare(view, row, draw)
            picked = clicked if picked is None else picked
    if picked is not None:
        url_state.go("anchor", picked)
        st.rerun()


def _compare(view: View, row: int, draw: int) -> int | None:
    """The miners' lines for the anchor at `row` of the snapshot; the id that was clicked, or None."""
    with st.spinner("The miners draw their batches. The first time since the start PyTorch is loaded for it."):
        miners = _miners(view, cached.stamp(view))
        here = _here(miners, cached.stamp(view), int(np.searchsorted(view.rows, row)), draw)
        elsewhere = _elsewhere(miners, cached.stamp(view))
    clicked = rank_gap(view, here, elsewhere, _numbers(view, row, miners), key="rank-gap")
    _assumed(view, miners)
    _bucket_words(view, row)
    return clicked


@st.cache_resource(max_entries=2, show_spinner=False)
def _miners(_view: View, stamp: tuple) -> "Miners":
    from app.views.negatives.miner_draws import Hasher, Miners  # torch, which no other page waits for

    snapshot, config = _view.snapshot, _view.run.config
    return Miners(
        cached.vectors(_view),
        np.asarray(snapshot.labels)[_view.rows].astype(np.int64),
        Hasher(np.asarray(snapshot.hash_mean), np.asarray(snapshot.hash_projection)),
        config.mining,
        config.training.margin,
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _here(_miners: "Miners", stamp: tuple, row: int, seed: int) -> dict[str, Draws]:
    """Many draws for one anchor, at `row` of the view."""
    return _miners.of_one(row, DRAWS, seed=seed)


@st.cache_data(max_entries=16, show_spinner=False)
def _elsewhere(_miners: "Miners", stamp: tuple) -> dict[str, Draws]:
    """One draw for each of many random anchors."""
    return _miners.of_many(ANCHORS, seed=0)


def _class_sizes(view: View) -> np.ndarray:
    """How many samples of the split each class has, (classes,) int64."""
    return np.bincount(np.asarray(view.snapshot.labels)[view.rows], minlength=len(view.snapshot.class_names))


def _numbers(view: View, row: int, miners: "Miners") -> dict[str, int]:
    """From how many negatives the miners choose: in a batch, a memory, and all."""
    mining, labels = miners.mining, np.asarray(view.snapshot.labels)[view.rows]
    return {
        "batch": (mining.classes - 1) * mining.images,
        "memory": miners.memory,
        "all": int((labels != view.snapshot.labels[row]).sum()),
    }


def _assumed(view: View, miners: "Miners") -> None:
    """The batch, the margin and the memory that the miners worked with, and where these come from."""
    mining, margin = view.run.config.mining, view.run.config.training.margin
    mates = -(-round(mining.mate_share * (mining.classes - mining.groups)) // mining.groups)
    seeds = f"G = {mining.groups} seeds that bring {mates} classes each" if mates else f"G = {mining.groups} seeds"
    trained = view.snapshot.meta["origin"] == "trained"
    theme.caption(
        ("As in this run's config: a" if trained else "This run was not trained here, so the defaults are assumed: a")
        + f" batch has P = {mining.classes} classes of m = {mining.images} images and, where it is composed, {seeds};"
        f" the margin is {margin:g}.{_cut_words(mining, miners.mining)} Where an in-batch miner chooses several"
        " negatives for an anchor, the hardest of them is shown, as in a step's replay. The memory of XBM holds samples"
        " of all classes as they are now; in training they would be up to"
        f" {theme.count(mining.memory / mining.batch)} steps old."
    )


def _cut_words(wanted: MiningConfig, used: MiningConfig) -> str:
    """That the split has too few classes for a batch of the config; nothing if it has enough."""
    if used == wanted:
        return ""
    return f" This split has {used.classes} classes to draw from, so here P = {used.classes} and G = {used.groups}."


def _bucket_words(view: View, row: int) -> None:
    codes, labels = np.asarray(view.snapshot.codes)[view.rows], np.asarray(view.snapshot.labels)[view.rows]
    mates = int(((codes == view.snapshot.codes[row]) & (labels != view.snapshot.labels[row])).sum())
    origin = " (made afterwards)" if view.snapshot.meta["hasher_origin"] == "fitted" else ""
    if mates:
        theme.caption(
            f"The anchor's bucket {view.snapshot.codes[row]:#x}{origin} holds {counted(mates, 'samples')} of other"
            f" classes: BoN looks at these, exact search at all {theme.count(len(view.rows))}."
        )
    else:
        theme.caption(
            f"The anchor's bucket{origin} holds no sample of another class, so BoN falls back to random ones."
        )


def _random_anchor(view: View) -> None:
    url_state.go("anchor", int(np.random.default_rng().choice(view.ids)))


def _hardest(view: View) -> np.ndarray:
    """Places among the view's rows, the hardest first."""
    return np.argsort(-np.asarray(view.snapshot.hardness)[view.rows].astype(np.float32), kind="stable")
