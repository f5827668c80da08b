"""The selection in the header: how many of the split, and inside it what they are, named sets and their algebra."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from app import selection, theme
from app.selection import SIGNS, Mode, Selection
from app.view import View
from app.widgets.tools.take_away import take_away
from bon_core.base.intake import counted
from bon_core.config import InputError

HERE = "the selection"  # as an operand
WORDS: dict[Mode, str] = {
    "new": "Select this set",
    "add": "Add this set to the selection",
    "intersect": "Keep only what is in this set too",
    "subtract": "Take this set out of the selection",
}
OPERATIONS: tuple[Mode, ...] = ("add", "intersect", "subtract")


def selection_chip(view: View) -> None:
    """Draw "47 / 412" with undo and clear beside it."""
    inside, (other, gone) = len(view.selected), view.elsewhere
    outside = f" + {theme.count(other + gone)}" if other + gone else ""
    label = f"{theme.count(inside)}{outside} / {theme.count(len(view.rows))}"
    with st.popover(label, icon=":material/select:", help="The selection, shared by all pages", key="selection-chip"):
        _inside(view, other, gone)
    with st.container(horizontal=True, gap=None, width="content"):
        st.button(
            "",
            icon=":material/undo:",
            help="Undo the last change of the selection",
            key="selection-undo",
            type="tertiary",
            on_click=selection.undo,
            disabled=not selection.history().before,
        )
        st.button(
            "",
            icon=":material/close:",
            help="Clear the selection (Esc)",
            key="selection-clear",
            type="tertiary",
            shortcut="Esc",
            on_click=selection.clear,
            disabled=not len(selection.ids()),
        )


@st.fragment
def _inside(view: View, other: int, gone: int) -> None:
    _what_is_selected(view, other, gone)
    try:
        sets = selection.named(view.run)
    except InputError as error:
        theme.error_box(str(error))
        return
    _name(view)
    for number, found in enumerate(sets.values()):
        _set_row(view, number, found)
    if sets:
        _algebra(sets)


def _what_is_selected(view: View, other: int, gone: int) -> None:
    chosen = selection.now()
    if not len(chosen.ids):
        theme.caption("Nothing is selected. Draw on the map, or choose a bucket, a class, a learner or a set below.")
        return
    theme.caption(chosen.origin)
    parts = [f"{theme.count(len(view.selected))} in the {view.split} split"]
    parts += [f"{theme.count(other)} in other splits"] if other else []
    parts += [f"{theme.count(gone)} not in this snapshot"] if gone else []
    theme.caption(f"{counted(len(chosen.ids), 'samples')}: {', '.join(parts)}.")
    with st.container(horizontal=True, gap="small"):
        if st.button("Invert", key="selection-invert", help="Select the rest of the split instead"):
            _change(lambda: selection.put(np.setdiff1d(view.ids, chosen.ids), origin=f"not ({chosen.origin})"))
        take_away(lambda: _columns(view, chosen.ids), name=f"{view.run.name}-selection", key="selection")


def _columns(view: View, ids: np.ndarray) -> dict[str, np.ndarray]:
    """What is known of the samples `ids`, of all splits."""
    from bon_core.exports.tables import points

    wanted = np.isin(np.asarray(view.snapshot.ids), ids)
    return {name: np.asarray(column)[wanted] for name, column in points(view.snapshot).items()}


def _name(view: View) -> None:
    with (
        st.form("selection-names", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        name = st.text_input("Keep it with the run, as", max_chars=40, placeholder="look-alikes of O").strip()
        kept = st.form_submit_button("Keep", disabled=not len(selection.ids()))
    if kept and name:
        _change(lambda: selection.keep(view.run, name))


def _set_row(view: View, number: int, found: Selection) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", wrap=False):
        with st.container(width="stretch"):
            theme.caption(f"{found.origin} · {theme.count(len(found.ids))}")
        for mode, sign in SIGNS.items():
            rule = found.rule if mode == "new" else ""
            if st.button(sign, key=f"selection-{mode}-{number}", help=WORDS[mode]):
                _change(partial(selection.put, found.ids, mode=mode, origin=found.origin, rule=rule))
        if st.button("", icon=":material/delete:", key=f"selection-forget-{number}", help="Forget this name"):
            _change(lambda: selection.forget(view.run, found.origin))


def _algebra(sets: dict[str, Selection]) -> None:
    """Two sets and what to do with them; the outcome is counted before it is selected."""
    theme.caption("Combine two sets")
    operands = {HERE: selection.now(), **sets}
    names = list(operands)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        one = st.selectbox("First set", names, index=1, key="algebra-one", label_visibility="collapsed")
        mode = st.segmented_control(
            "Operation",
            OPERATIONS,
            default="intersect",
            format_func=SIGNS.__getitem__,
            required=True,
            key="algebra-mode",
            label_visibility="collapsed",
        )
        other = st.selectbox(
            "Second set", names, index=len(names) - 1, key="algebra-other", label_visibility="collapsed"
        )
    outcome = operands[one].with_ids(operands[other].ids, mode, operands[other].origin)
    count = len(outcome.ids)
    if st.button(f"Select these {theme.count(count)}", key="algebra-select", disabled=not count, width="stretch"):
        _change(lambda: selection.put(outcome.ids, origin=outcome.origin))


def _change(action: Callable[[], None]) -> None:
    """Do it and draw the page anew, or say why it cannot be done."""
    try:
        action()
    except InputError as error:
        theme.error_box(str(error))
    else:
        st.rerun(scope="app")
