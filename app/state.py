"""What is being looked at: run, checkpoint, split, colour. It lives in the header's widgets and in the address.

Every view starts with `page(title, lead)`, which draws the header and returns the View.
"""

import html
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import address, pictures, selection, theme
from app.view import COLOURS, View
from app.widgets.primitives.copy_link import copy_link
from app.widgets.tools.selection_chip import selection_chip
from bon_core.base.files import is_number, read_json
from bon_core.config import InputError
from bon_core.datasets.image_set import SPLIT_NAMES
from bon_core.runs import store
from bon_core.runs.run import Run
from bon_core.runs.snapshot import Snapshot

GONE = "gone"  # in the session: menu -> (what a link asked for in vain, what is shown instead)
EPOCH_NAME = "epoch {:.4g}"


def explorable() -> dict[str, Run]:
    """Runs that have a snapshot, by name: the bundled ones first, then the user's, newest first."""
    found = [run for run in store.list_runs() if _can_be_shown(run)]
    found.sort(key=lambda run: not run.bundled)
    return {run.name: run for run in found}


def _can_be_shown(run: Run) -> bool:
    """Whether the run has a snapshot whose description can be read."""
    return any(is_number(meta(run, step).get("epoch")) for step in reversed(run.snapshots()))


def page(title: str, lead: str) -> View:
    """Start a page: header, title, one line on what it is for. Stops with an empty state if there is no run."""
    theme.style()
    view = header()
    heading(title, lead)
    if view is None:
        theme.empty(
            "There is nothing to explore yet.",
            "Train a model on the Train page, or bring embeddings on the Start page; they appear here when done.",
        )
        st.stop()
    caution(view)
    return view


def caution(view: View) -> None:
    """A line where the embedding has collapsed: figures and maps of it look better than they are."""
    if view.snapshot.collapse:
        st.warning(theme.plain(view.snapshot.collapse), icon=":material/warning:")


def heading(title: str, lead: str) -> None:
    """The page's title and one line on what it is for."""
    st.html(f'<div class="heading"><h1>{html.escape(title)}</h1><p>{html.escape(lead)}</p></div>')


def header(*, chip: bool = True, needed: bool = True) -> View | None:
    """The row that every page has: run, checkpoint, split, colour, selection, link. None if there is no run to show.

    A snapshot that cannot be opened is a sentence. It ends the page, unless the view is not `needed`: then None.
    Without `chip` the selection is kept but not shown, and Esc does not clear it.
    """
    found = explorable()
    if not found:
        if address.value("run"):
            theme.error_box(f"The link names the run {address.value('run')}, which is not here or has no snapshot yet.")
        return None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="header"):
        run = found[menu("run", list(found), "Run", width=230)]
        try:
            view = _rest_of_header(run, chip)
        except InputError as error:
            theme.error_box(str(error))
            if needed:
                st.stop()
            return None
    say_what_is_gone("run", "epoch", "split", "colour")
    if selection.link_error():
        theme.error_box(selection.link_error())
    if chip:
        pictures.offer(view.run)
    _, gone = view.elsewhere
    if chip and gone:
        whole = theme.count(len(selection.ids()))
        theme.caption(
            f"Not in this snapshot: {theme.count(gone)} of the {whole} selected samples; the others are shown."
        )
    return view


def _rest_of_header(run: Run, chip: bool) -> View:
    steps = epochs(run)
    snapshot = opened(run, steps[menu("epoch", list(reversed(steps)), "Checkpoint", width=130)])
    splits = splits_of(snapshot)
    split = menu("split", splits, "Split", width=120)
    colours = {**COLOURS, **{name: name for name in snapshot.fields}}
    words = menu("colour", list(colours.values()), "Colouring", width=190, icon=":material/palette:")
    colour = next(name for name, value in colours.items() if value == words)
    view = View(run, snapshot, split, colour)
    selection.read_link(run, view.ids_of)
    if chip:
        selection_chip(view)
    whole = selection.write_link()
    shown = {"run": run.name, "epoch": epoch_name(snapshot), "split": split, "colour": words}
    copy_link(shown, left_out="" if whole else "Copied; keep the selection under a name to link it too")
    return view


def menu(
    key: str, options: list[str], label: str, *, width: int, icon: str | None = None, explicit: bool = False
) -> str:
    """A choice that is kept in the address; one that is no longer offered falls back to the first.

    What was not chosen but is the default of the moment is left out of the address unless `explicit`, which suits menus
    of one page: it then also holds. What a link asks for in vain is remembered for `say_what_is_gone`.
    """
    asked = address.value(key)
    if address.is_fresh(key) and asked not in options:
        st.session_state.setdefault(GONE, {})[key] = (f"the {label.lower()} {asked}", options[0])
    if asked not in options:
        address.forget(key)
        if explicit:
            address.choose(key, options[0])
    control = address.control(key, options[0], among=options.__contains__)
    return st.selectbox(label, options, label_visibility="collapsed", width=width, icon=icon, **control)


def look_at(run: str, **choices: str) -> None:
    """Choose another run, at its newest checkpoint, unless the choices (epoch, split, colour) say otherwise."""
    address.forget("epoch", "split", "colour")
    for name, value in {"run": run, **choices}.items():
        address.choose(name, value)


def say_what_is_gone(*keys: str) -> None:
    """One sentence on what the link asked these menus for in vain, until another choice is made there."""
    gone = st.session_state.get(GONE, {})
    left = [gone[key] for key in keys if key in gone and st.session_state.get(key) == gone[key][1]]
    if left:
        asked, shown = (", ".join(words) for words in zip(*left, strict=True))
        theme.error_box(f"The link names what is not here: {asked}. Shown instead: {shown}.")


def epochs(run: Run) -> dict[str, int]:
    """The run's checkpoints that can be shown: "epoch 12" -> step, ascending."""
    found = {step: meta(run, step).get("epoch") for step in run.snapshots()}
    return {EPOCH_NAME.format(epoch): step for step, epoch in found.items() if is_number(epoch)}


def epoch_name(snapshot: Snapshot) -> str:
    """The checkpoint as the menu has it."""
    return EPOCH_NAME.format(snapshot.meta["epoch"])


def splits_of(snapshot: Snapshot) -> list[str]:
    """The splits in a snapshot, the one to look at first before the others."""
    present = np.unique(np.asarray(snapshot.split))
    return [SPLIT_NAMES[code] for code in (1, 2, 0) if code in present]


def meta(run: Run, step: int) -> dict[str, Any]:
    """Epoch and data of the run's snapshot of that step, without opening it; {} if its meta.json is damaged."""
    path = run.snapshot_path(step) / "meta.json"
    return _meta(path, changed(path))


@lru_cache(maxsize=256)
def _meta(path: Path, changed: int) -> dict[str, Any]:
    try:
        found = read_json(path)
        return {name: found.get(name) for name in ("epoch", "data")}
    except (InputError, AttributeError):  # the last: no object, but a list or a number
        return {}


def opened(run: Run, step: int) -> Snapshot:
    """The run's snapshot of that step; it stays open for the next visits."""
    return _opened(run.path, step, changed(run.snapshot_path(step) / "meta.json"))


@lru_cache(maxsize=8)
def _opened(path: Path, step: int, changed: int) -> Snapshot:
    return Run(path).snapshot(step)


def changed(path: Path) -> int:
    """When a file was last written: part of a cache's key, for a run made anew under an old name; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
