"""A recorded step replayed: the bag that was composed, and its triplets."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app import address, cached, selection, theme, url_state
from app.analysis.triplets import HARD, SEMI_HARD, kinds_of
from app.view import View
from app.views.negatives import batches
from app.views.negatives.bag import ROLES, SHADES, bag
from app.widgets.charts.triplets import Triplet, triplets
from app.widgets.map.mini_map import mini_map
from bon_core.runs.audit import PHASES, read_step

ROWS = 16  # triplets shown at once
VIOLATING = "violating the margin"


def show(view: View) -> None:
    """One recorded step of a view's run."""
    view = replace(view, split="train")
    number = _choose_step(cached.recorded_steps(view))
    step = read_step(view.run.path, number)
    _what_of_the_selection(view)
    margin = view.run.config.training.margin
    kinds = kinds_of(step["d_ap"], step["d_an"], margin)
    remembered = batches.remembered(step)
    _step_figures(step, kinds, margin)
    st.header("The bag", anchor=False)
    theme.legend(
        [
            (shade, role, str(int((step["role"] == k).sum())))
            for k, (role, shade) in enumerate(zip(ROLES, SHADES, strict=True))
        ]
    )
    theme.caption(_bag_words(step, remembered))
    labels = _labels_of(view, step["id"])
    clicked = bag(view, step, batches.bag_groups(step, labels), remembered, key="bag")
    st.header("The triplets", anchor=False)
    theme.caption(
        "The anchor stands at 0; the dot is its positive, the diamond its negative, the band the margin of"
        f" {margin:g}. A"
        " negative inside the band or left of the dot violates the margin; one right of the band does not."
    )
    left, right = st.columns([2.3, 1], gap="large")
    with left:
        rows = _which_anchors(view, step, kinds)
        again = triplets(view, [_triplet(step, kinds, row) for row in rows[:ROWS]], margin=margin, key="triplets")
        if len(rows) > ROWS:
            theme.caption(f"The {ROWS} whose negative is nearest against the positive, of {theme.count(len(rows))}.")
    with right:
        _step_map(view, step, rows[:ROWS])
    _to_miners(clicked if clicked is not None else again)


def _what_of_the_selection(view: View) -> None:
    """Say whether the selection was trained on at all; who comes from another page may not expect that."""
    if not len(selection.ids()):
        return
    inside = len(view.selected)
    theme.caption(
        f"{theme.count(inside)} of the selected samples were trained on; Mined most shows their negatives of all steps."
        if inside
        else "Nothing of the selection was trained on: its classes are held out. These are classes that were."
    )


def _choose_step(steps: np.ndarray) -> int:
    """The recorded step nearest to the slider's; one that is out of range, as of another run, is the last."""
    low, high = int(steps[0]), int(steps[-1])
    stride = int(np.gcd.reduce(np.diff(steps))) if len(steps) > 1 else 1
    if low == high:
        return low
    control = address.control("step", high, read=int, among=lambda step: low <= step <= high)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(
            "Back", key="step-back", help="The recorded step before", on_click=_move_step, args=(-stride, low, high)
        )
        value = st.slider("Training step", low, high, step=stride, **control)
        st.button("Next", key="step-on", help="The recorded step after", on_click=_move_step, args=(stride, low, high))
    return int(steps[np.argmin(np.abs(steps - value))])


def _move_step(by: int, low: int, high: int) -> None:
    address.choose("step", min(max(st.session_state.get("step", high) + by, low), high))


def _step_figures(step: dict[str, np.ndarray], kinds: np.ndarray, margin: float) -> None:
    learner = int(step["learner"][0])
    phase = PHASES[int(step["phase"][0])]
    theme.figures(
        [
            (phase if learner < 0 else f"{phase} · learner {learner}", "phase", "whose turn it was in this step"),
            (theme.count(len(kinds)), "images in the batch", ""),
            (
                theme.percent(step["active"].mean(), 0),
                "violate the margin",
                f"share of all anchors of the batch whose negative is nearer than the positive + {margin:g}",
            ),
            (
                theme.percent((kinds == HARD).mean(), 0),
                "hard",
                "share of all anchors: the negative is nearer than the positive",
            ),
            (
                theme.percent((kinds == SEMI_HARD).mean(), 0),
                "semi-hard",
                "share of all anchors: the negative lies inside the margin",
            ),
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
    choices = ["all", VIOLATING, *(["my selection"] if len(selection.ids()) else [])]
    key = "anchors-with-selection" if len(selection.ids()) else "anchors"
    wanted = st.segmented_control(
        "Anchors",
        choices,
        required=True,
        label_visibility="collapsed",
        **address.control(key, "all", among=choices.__contains__),
    )
    keep = kinds != ""
    if wanted == VIOLATING:
        keep &= step["active"]
    elif wanted == "my selection":
        keep &= np.isin(step["id"], selection.ids()) | np.isin(step["negative"], selection.ids())
        if not keep.any():
            theme.empty("No selected sample was in this batch.", "Move the slider, or look at all anchors.")
    rows = np.flatnonzero(keep)
    return rows[np.argsort((step["d_an"] - step["d_ap"])[rows], kind="stable")]


def _triplet(step: dict[str, np.ndarray], kinds: np.ndarray, row: int) -> Triplet:
    there = np.flatnonzero(step["id"] == step["negative"][row])
    caption = "out of the memory" if step["negative"][row] >= 0 else ""
    if len(there):
        caption = ROLES[step["role"][there[0]]]
        bucket = int(step["bucket"][there[0]])
        same = bucket >= 0 and bucket == step["bucket"][row]
        caption += f" in {bucket:#x}" if bucket >= 0 else ""
        caption = f"{caption}, the anchor's bucket" if same else caption
    return Triplet(
        anchor=int(step["id"][row]),
        positive=int(step["positive"][row]),
        negative=int(step["negative"][row]),
        d_ap=float(step["d_ap"][row]),
        d_an=float(step["d_an"][row]),
        kind=str(kinds[row]),
        caption=caption,
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
    mini_map(view, key="step-map", lines=lines, highlighted=[(everybody, theme.BLUE), (ends, theme.VERMILION)])
    theme.caption(
        "The batch (blue) on the map of the chosen checkpoint, with a line from each anchor shown to its negative."
        " Lengths on the map are not distances in the embedding; those stand beside the triplets."
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
        url_state.go("anchor", identity)
        st.rerun()
