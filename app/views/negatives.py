"""Mined negatives: what training put next to each anchor, what other miners would have, and which pairs look wrong."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from app import cached, place, selection, state, theme
from app.analysis import miners
from app.analysis.miners import Draws
from app.analysis.retrieval import class_pairs_of
from app.state import View
from app.widgets import links
from app.widgets.bag import ROLES, SHADES, bag
from app.widgets.class_pairs import class_pairs
from app.widgets.distance_plot import distance_plot
from app.widgets.gallery import gallery
from app.widgets.mini_map import mini_map
from app.widgets.rank_gap import rank_gap
from app.widgets.triage import triage
from app.widgets.triplets import Triplet, triplets
from bon_core.training.audit import PHASES, read_step

ROWS = 16  # triplets shown at once
LAST_STEPS = 30  # recorded steps in the plot of distances
DRAWS = 60  # of each miner for the anchor
MOST_DRAWS = 1 << 30  # that can be asked for
ANCHORS = 60  # from which the miners are compared in general
MOST_SUSPECTS = 300
PAIRS = 48  # of classes
REPLAY, MOST, SIDE_BY_SIDE, MARGIN, SUSPECTS = (  # also the words in the address
    "Replay a step",
    "Mined most",
    "Miners side by side",
    "Drag the margin",
    "Suspicious labels",
)


def main() -> None:
    view = state.page(
        "Mined negatives",
        "An anchor is pulled towards a positive, of its own class, and pushed off a negative, of another. Negatives"
        " that are far away already teach nothing; here is which ones were found, and what finding them took.",
    )
    recorded = len(cached.recorded_steps(view)) > 0
    chosen = st.segmented_control(
        "Show",
        list(PARTS),
        default=REPLAY if recorded else SIDE_BY_SIDE,
        required=True,
        key="show",
        bind="query-params",
        label_visibility="collapsed",
    )
    if not recorded and chosen in (REPLAY, MOST, MARGIN):
        theme.empty(
            "This run kept no record of its batches.",
            "Runs that are trained here record every step; embeddings brought in a file have none. Miners side by side"
            " and suspicious labels work for both.",
        )
        return
    PARTS[chosen](view)
    if len(selection.ids()):
        links.follow(but="negatives")


# Replay ---------------------------------------------------------------------------------------------------------------


def _replay(view: View) -> None:
    view = replace(view, split="train")
    number = _choose_step(cached.recorded_steps(view))
    step = read_step(view.run.path, number)
    _what_of_the_selection(view)
    margin = view.run.config.training.margin
    kinds = miners.kinds_of(step["d_ap"], step["d_an"], margin)
    remembered = miners.remembered(step)
    _step_figures(step, kinds, margin)
    st.header("The bag", anchor=False)
    theme.legend(
        [
            (shade, role, str(int((step["role"] == k).sum())))
            for k, (role, shade) in enumerate(zip(ROLES, SHADES, strict=True))
        ]
    )
    theme.quiet(_bag_words(step, remembered))
    labels = _labels_of(view, step["id"])
    clicked = bag(view, step, miners.bag_groups(step, labels), remembered, key="bag")
    st.header("The triplets", anchor=False)
    theme.quiet(
        "The anchor stands at 0; the dot is its positive, the diamond its negative, the band the margin of"
        f" {margin:g}. A"
        " negative inside the band or left of the dot still costs; one right of the band teaches nothing."
    )
    left, right = st.columns([2.3, 1], gap="large")
    with left:
        rows = _which_anchors(view, step, kinds)
        again = triplets(view, [_triplet(step, kinds, row) for row in rows[:ROWS]], margin=margin, key="triplets")
        if len(rows) > ROWS:
            theme.quiet(f"The {ROWS} that violate the margin most, of {theme.count(len(rows))}.")
    with right:
        _step_map(view, step, rows[:ROWS])
    _to_miners(clicked if clicked is not None else again)


def _what_of_the_selection(view: View) -> None:
    """Say whether the selection was trained on at all; who comes from another page may not expect that."""
    if not len(selection.ids()):
        return
    inside = len(view.selected)
    theme.quiet(
        f"{theme.count(inside)} of the selected samples were trained on; {MOST} shows their negatives of all steps."
        if inside
        else "Nothing of the selection was trained on: its classes are held out. These are classes that were."
    )


def _choose_step(steps: np.ndarray) -> int:
    """The recorded step nearest to the slider's; one that is out of range, as of another run, is the last."""
    low, high = int(steps[0]), int(steps[-1])
    stride = int(np.gcd.reduce(np.diff(steps))) if len(steps) > 1 else 1
    if not low <= st.session_state.get("step", low) <= high:
        del st.session_state["step"]
    if low == high:
        return low
    asked = st.query_params.get("step")
    if asked is not None and "step" not in st.session_state and not (asked.isdecimal() and low <= int(asked) <= high):
        theme.trouble(f"The link names the step {asked}, which was not recorded; the last one is shown.")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(
            "Back", key="step-back", help="The recorded step before", on_click=_move_step, args=(-stride, low, high)
        )
        value = st.slider("Training step", low, high, value=high, step=stride, key="step", bind="query-params")
        st.button("Next", key="step-on", help="The recorded step after", on_click=_move_step, args=(stride, low, high))
    return int(steps[np.argmin(np.abs(steps - value))])


def _move_step(by: int, low: int, high: int) -> None:
    st.session_state["step"] = min(max(st.session_state.get("step", high) + by, low), high)


def _step_figures(step: dict[str, np.ndarray], kinds: np.ndarray, margin: float) -> None:
    learner = int(step["learner"][0])
    phase = PHASES[int(step["phase"][0])]
    theme.figures(
        [
            (phase if learner < 0 else f"{phase} · learner {learner}", "phase", "whose turn it was in this step"),
            (theme.count(len(kinds)), "images in the batch", ""),
            (
                theme.percent(step["active"].mean(), 0),
                "active",
                f"anchors whose triplet violates the margin of {margin:g}",
            ),
            (theme.percent((kinds == miners.HARD).mean(), 0), "hard", "the negative is nearer than the positive"),
            (theme.percent((kinds == miners.SEMI_HARD).mean(), 0), "semi-hard", "the negative lies inside the margin"),
            (
                f"{np.nanmean(step['d_ap']):.2f}",
                "mean d(a, p)",
                "in what the loss saw: a learner's own slice while they work apart",
            ),
            (
                f"{np.nanmean(step['d_an']):.2f}",
                "mean d(a, n)",
                "in what the loss saw: a learner's own slice while they work apart",
            ),
        ]
    )


def _bag_words(step: dict[str, np.ndarray], remembered: np.ndarray) -> str:
    if len(remembered):
        return (
            "Classes were drawn at random; the negatives came out of the memory of the latest batches as well. Those"
            " that were chosen and are not in this batch stand in a box of their own."
        )
    if (step["role"] == 1).any():
        return (
            "How the batch came about: each seed was drawn at random, then classes out of the seed's hash bucket"
            " were put beside it, so that the loss meets classes that look alike. Bucket numbers are those of that"
            " moment."
        )
    return (
        "This batch holds no bucket mates: its classes were drawn at random, as at the start of training, or by"
        " another miner."
    )


def _which_anchors(view: View, step: dict[str, np.ndarray], kinds: np.ndarray) -> np.ndarray:
    """Rows of the batch to show, those that violate the margin most first."""
    choices = ["all", "active", *(["my selection"] if len(selection.ids()) else [])]
    wanted = st.segmented_control(
        "Anchors",
        choices,
        default="all",
        required=True,
        key="anchors-with-selection" if len(selection.ids()) else "anchors",
        bind="query-params",
        label_visibility="collapsed",
    )
    keep = kinds != ""
    if wanted == "active":
        keep &= step["active"]
    elif wanted == "my selection":
        keep &= np.isin(step["id"], selection.ids()) | np.isin(step["negative"], selection.ids())
        if not keep.any():
            theme.empty("No selected sample was in this batch.", "Move the slider, or look at all anchors.")
    rows = np.flatnonzero(keep)
    return rows[np.argsort((step["d_an"] - step["d_ap"])[rows], kind="stable")]


def _triplet(step: dict[str, np.ndarray], kinds: np.ndarray, row: int) -> Triplet:
    there = np.flatnonzero(step["id"] == step["negative"][row])
    told = "out of the memory" if step["negative"][row] >= 0 else ""
    if len(there):
        told = ROLES[step["role"][there[0]]]
        bucket = int(step["bucket"][there[0]])
        same = bucket >= 0 and bucket == step["bucket"][row]
        told += f" in {bucket:#x}" if bucket >= 0 else ""
        told = f"{told}, the anchor's bucket" if same else told
    return Triplet(
        anchor=int(step["id"][row]),
        positive=int(step["positive"][row]),
        negative=int(step["negative"][row]),
        d_ap=float(step["d_ap"][row]),
        d_an=float(step["d_an"][row]),
        kind=str(kinds[row]),
        told=told,
    )


def _step_map(view: View, step: dict[str, np.ndarray], rows: np.ndarray) -> None:
    where = view.snapshot.position_of
    lines = [
        (where[int(step["id"][row])], where[int(step["negative"][row])], theme.VERMILION)
        for row in rows
        if int(step["id"][row]) in where and int(step["negative"][row]) in where
    ]
    everybody = view.snapshot.positions(step["id"])
    ends = np.array([end for line in lines for end in line[:2]], np.int64)
    mini_map(view, key="step-map", lines=lines, lit=[(everybody, theme.BLUE), (ends, theme.VERMILION)])
    theme.quiet(
        "The batch (blue) on the map of the chosen checkpoint, with a line from each anchor shown to its negative."
        " Short lines are hard negatives."
    )
    st.button(
        "Select this batch",
        icon=":material/select:",
        on_click=selection.put,
        args=(step["id"],),
        kwargs={"origin": f"batch of step {step['step'][0]}"},
    )


def _labels_of(view: View, ids: np.ndarray) -> np.ndarray:
    """Class of each id, (n,); -1 for one that is not in the snapshot."""
    where, labels = view.snapshot.position_of, view.snapshot.labels
    return np.array([labels[where[int(i)]] if int(i) in where else -1 for i in ids])


def _to_miners(identity: int | None) -> None:
    """A click on a picture of the replay makes it the anchor of the miners' page."""
    if identity is not None:
        selection.put(np.array([identity]), origin="an anchor")
        place.go("anchor", identity)
        st.rerun()


# Mined most -----------------------------------------------------------------------------------------------------------


def _most(view: View) -> None:
    """Which classes the training held against each other, over all its recorded steps."""
    view = replace(view, split="train")
    mined = cached.mined(view)
    among = np.isin(view.ids[mined["anchor"]], selection.ids())
    if not among.any():
        if len(selection.ids()):
            theme.quiet("Nothing of the selection was trained on, so these are the pairs of the whole training.")
        among[:] = True
    told = mined["d_ap"][among], mined["d_an"][among]
    pairs = class_pairs_of(
        np.asarray(view.snapshot.labels)[view.rows].astype(np.int64),
        mined["anchor"][among],
        mined["negative"][among],
        np.nan_to_num(told[0] - told[1]),
        top=PAIRS,
    )
    if not pairs:
        theme.empty("No recorded sample is in this snapshot.", "Choose another checkpoint or run in the header.")
        return
    own = view.run.config.training.margin
    theme.figures(
        [
            (theme.count(among.sum()), "negatives mined", "one for each anchor of a recorded batch"),
            (theme.count(len(np.unique(mined["step"][among]))), "recorded steps", ""),
            (
                theme.percent(miners.active_share(*told, own), 0),
                "taught something",
                f"they violated the margin of {own:g} when they were mined",
            ),
        ]
    )
    st.header(f"What {'the selection' if not among.all() else 'this model'} was trained against", anchor=False)
    theme.quiet(
        "Pairs of classes by how often the one was mined as the negative of the other; pictured is the hardest case,"
        " anchor first. Click a pair to select both classes, and to see what else was mined against them."
    )
    picked = class_pairs(view, pairs, key="most-mined")
    if picked is not None and picked < len(pairs):
        both = (pairs[picked].one, pairs[picked].other)
        names = " and ".join(view.snapshot.class_names[label] for label in both)
        selection.put(view.ids[np.isin(np.asarray(view.snapshot.labels)[view.rows], both)], origin=names)
        st.rerun()


# Miners side by side --------------------------------------------------------------------------------------------------


def _miners(view: View) -> None:
    where = view.snapshot.position_of
    fallback = view.selected[0] if len(view.selected) else view.rows[_most_wrong(view)]
    anchor = place.number(
        "anchor",
        lambda identity: (
            identity in where and view.snapshot.split[where[identity]] == view.snapshot.split[view.rows[0]]
        ),
        fallback=int(view.snapshot.ids[fallback]),
        words="anchor",
    )
    row = where[anchor]
    draw = place.number("draw", lambda number: number < MOST_DRAWS, fallback=0, words="draw")
    left, right = st.columns([1, 3.2], gap="large")
    with left:
        st.header(f"Anchor: {view.class_name(row)}", anchor=False)
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
        candidates = view.selected[:40] if len(view.selected) else view.rows[_wrong_rows(view)[:24]]
        theme.quiet("From the selection:" if len(view.selected) else "Or one that the model retrieves wrongly:")
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
            f"The anchor's bucket {view.snapshot.codes[row]:#x}{origin} holds {theme.count(mates)} samples of other"
            f" classes: BoN looks at these, exact search at all {theme.count(len(view.rows))}."
        )
    else:
        theme.quiet(f"The anchor's bucket{origin} holds no sample of another class, so BoN falls back to random ones.")


def _random_anchor(view: View) -> None:
    place.go("anchor", int(np.random.default_rng().choice(view.ids)))


def _wrong_rows(view: View) -> np.ndarray:
    """Places among the view's rows, those retrieved wrongly and worst first."""
    return np.argsort(-np.asarray(view.snapshot.hardness)[view.rows].astype(np.float32), kind="stable")


def _most_wrong(view: View) -> int:
    return int(_wrong_rows(view)[0])


# Margin ---------------------------------------------------------------------------------------------------------------


@st.fragment
def _margin(view: View) -> None:
    own = view.run.config.training.margin
    last = cached.recorded_steps(view)[-LAST_STEPS:]
    d_ap, d_an = cached.late_distances(view, int(last[0]))
    left, right = st.columns([1, 2], gap="large")
    with left:
        margin = st.slider("Margin", 0.0, 1.0, value=float(own), step=0.01, key="margin", bind="query-params")
        theme.figures([(theme.percent(miners.active_share(d_ap, d_an, margin), 0), "of these triplets are active", "")])
        st.markdown(
            "Each dot is a triplet that was mined in the last recorded steps. On the line the negative is exactly"
            " one margin farther than the positive. **Below the line** the loss is above zero and the network"
            " learns; above it, the triplet is dead weight.\n\nA larger margin wakes more triplets, and asks for"
            " more than may be possible."
        )
        theme.quiet(f"The run was trained with {own:g}. Steps {theme.count(last[0])} to {theme.count(last[-1])}.")
    with right:
        distance_plot(d_ap, d_an, margin, key="distances", height="min(60vh, 34rem)")


# Suspicious labels ----------------------------------------------------------------------------------------------------


def _suspects(view: View) -> None:
    splits = state.splits_of(view.snapshot)
    mined = "train" if len(cached.recorded_steps(view)) and "train" in splits else view.split
    split = st.segmented_control(
        "Split",
        splits,
        default=mined,
        format_func="of the {} split".format,
        required=True,
        key="suspects-of",
        bind="query-params",
        label_visibility="collapsed",
    )
    view = replace(view, split=split)
    found = cached.suspicion(view)
    listed = np.argsort(-found.score, kind="stable")[:MOST_SUSPECTS]
    listed = listed[(found.score[listed] > 0) & (found.vote[listed] > -1)]
    if not len(listed):
        theme.empty(
            "No label looks wrong here.", "Every sample lies among its own class; choose another split or checkpoint."
        )
        return
    theme.quiet(
        "The neighbours of these samples vote for another class than their label"
        + (", and in training that class kept being mined against them." if split == mined == "train" else ".")
        + " Either the two look alike, or the label is wrong. Keys 1, 2 and 3 judge, J and K step on and back."
    )
    triage(view, found, listed)


PARTS: dict[str, Callable[[View], None]] = {
    REPLAY: _replay,
    MOST: _most,
    SIDE_BY_SIDE: _miners,
    MARGIN: _margin,
    SUSPECTS: _suspects,
}
main()
