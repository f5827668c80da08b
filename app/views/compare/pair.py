"""Two views side by side: which two, and what they say of the samples that both know."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

from app import address, cached, selection, state, theme
from app.view import View
from app.views.compare.changes import Comparison, Side, compare
from app.views.compare.versus import HUES
from app.widgets.primitives.board import text
from bon_core.config import InputError
from bon_core.runs.run import Run

K = 10  # neighbours that are compared
RUN, EPOCH = "other", "other_epoch"  # in the address


@dataclass(frozen=True)
class Pair:
    """The two views, their names, and what they say of the c samples in common."""

    views: tuple[View, View]
    names: tuple[str, str]
    found: Comparison

    @property
    def whole(self) -> bool:
        """Whether both hold the very same samples."""
        return all(len(view.rows) == len(self.found.ids) for view in self.views)

    @cached_property
    def classes(self) -> np.ndarray:
        """The class name of each sample in common, (c,) str."""
        return _class_names(self.views[0])[self.found.places[0]]

    @cached_property
    def among(self) -> np.ndarray:
        """Places among those in common that are selected, or all if none is."""
        chosen = np.flatnonzero(np.isin(self.found.ids, selection.ids()))
        return chosen if len(chosen) else np.arange(len(self.found.ids))

    @cached_property
    def harder(self) -> np.ndarray:
        """How much the hardness of each sample in common grew, (c,) float32."""
        here, there = (
            np.asarray(view.snapshot.hardness)[view.rows[places]].astype(np.float32)
            for view, places in zip(self.views, self.found.places, strict=True)
        )
        return there - here

    @cached_property
    def movers(self) -> np.ndarray:
        """Of `among`, those whose neighbours changed most before the others."""
        known = self.among[~np.isnan(self.found.kept[self.among])]
        return known[np.lexsort((-np.abs(self.harder[known]), self.found.kept[known]))]


def pair_of(view: View, other: View) -> Pair:
    """Match the two; the matching is kept."""
    if view.run.path == other.run.path:
        names = state.epoch_name(view.snapshot), state.epoch_name(other.snapshot)
    else:
        names = view.run.name, other.run.name
    return Pair((view, other), names, _compare(view, other, cached.stamp(view), cached.stamp(other)))


def choose_other(view: View) -> View | None:
    """The second view, chosen by menus of its own, which name the first beside them; None if there is nothing else."""
    found = {name: run for name, run in state.explorable().items() if _epochs_but(view, run)}
    if not found:
        return None
    mine = view.snapshot.meta.get("data")
    order = sorted(found, key=lambda name: (_data(found[name]) != mine, name == view.run.name))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare-with"):
        first, second = (f'<i style="background:{hue}"></i>' for hue in HUES)
        here = f"{text(view.run.name)} · {state.epoch_name(view.snapshot)}"
        words = f"<span>{first}{here}</span><span>against</span><span>{second}</span>"
        st.html(f'<div class="legend">{words}</div>', width="content")
        run = found[state.menu(RUN, order, "Other run", width=230, explicit=True)]
        steps = _epochs_but(view, run)
        epoch = state.menu(EPOCH, list(reversed(steps)), "Other checkpoint", width=130, explicit=True)
        st.button(
            "",
            icon=":material/swap_horiz:",
            help="Swap the two",
            key="swap",
            on_click=_swap,
            args=(view, run, epoch),
        )
    state.say_what_is_gone(RUN, EPOCH)
    try:
        snapshot = state.opened(run, steps[epoch])
    except InputError as error:
        theme.error_box(str(error))
        st.stop()
    splits = state.splits_of(snapshot)
    split = view.split if view.split in splits else splits[0]
    known = view.colour in state.COLOURS or view.colour in snapshot.fields
    return View(run, snapshot, split, view.colour if known else "cluster")


def _epochs_but(view: View, run: Run) -> dict[str, int]:
    """The checkpoints of a run, without the one that the header shows."""
    return {name: step for name, step in state.epochs(run).items() if run.snapshot_path(step) != view.snapshot.path}


def _data(run: Run) -> str | None:
    """What the run's last snapshot was made of."""
    return state.meta(run, run.snapshots()[-1]).get("data")


def _swap(view: View, run: Run, epoch: str) -> None:
    address.choose(RUN, view.run.name)
    address.choose(EPOCH, state.epoch_name(view.snapshot))
    address.choose("run", run.name)
    address.choose("epoch", epoch)


@st.cache_resource(max_entries=8, show_spinner=False)
def _compare(_view: View, _other: View, stamp: tuple, other_stamp: tuple) -> Comparison:
    return compare(_side(_view), _side(_other), k=K)


def _side(view: View) -> Side:
    ids = np.asarray(view.snapshot.ids)
    return Side(view.ids, _class_names(view), ids[np.asarray(view.snapshot.neighbours)[view.rows]])


def _class_names(view: View) -> np.ndarray:
    return np.array(view.snapshot.class_names)[np.asarray(view.snapshot.labels)[view.rows]]
