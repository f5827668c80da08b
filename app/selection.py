"""The one linked selection: sample ids that every page reads and writes, with undo, names and a link.

Ids, never positions: the same ids mean the same samples in every checkpoint and every run on the same data.
"""

import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import streamlit as st

from app import theme

Mode = Literal["new", "add", "subtract"]
KEY = "selection"
LINK = "sel"
LONGEST_LINK = 1500  # characters; browsers and chat programs cut longer ones
UNDO_DEPTH = 50


@dataclass(frozen=True)
class Selection:
    """What is selected. `ids` is sorted without repeats; `origin` says how it came about, in words."""

    ids: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    origin: str = ""
    rule: str = ""  # e.g. "bucket:63": enough to make the selection again; empty if only the ids are

    def with_ids(self, ids: np.ndarray, mode: Mode, origin: str, rule: str = "") -> "Selection":
        """This selection replaced by, united with or without `ids`."""
        ids = np.unique(np.asarray(ids, np.int64))
        if mode == "new":
            return Selection(ids, origin, rule)
        if mode == "add":
            return Selection(np.union1d(self.ids, ids), f"{self.origin} + {origin}" if self.origin else origin)
        return Selection(np.setdiff1d(self.ids, ids), f"{self.origin} − {origin}")


@dataclass(frozen=True)
class History:
    """The selection now, those before it, newest last, and those given a name."""

    now: Selection = field(default_factory=Selection)
    before: tuple[Selection, ...] = ()
    named: dict[str, Selection] = field(default_factory=dict)

    def to(self, selection: Selection) -> "History":
        if np.array_equal(selection.ids, self.now.ids):
            return replace(self, now=selection)
        return replace(self, now=selection, before=(*self.before, self.now)[-UNDO_DEPTH:])

    def back(self) -> "History":
        return replace(self, now=self.before[-1], before=self.before[:-1]) if self.before else self


def ids() -> np.ndarray:
    """The selected ids, (n,) int64, sorted."""
    return _history().now.ids


def origin() -> str:
    """How the selection came about, e.g. "bucket 0x3f + class Q"."""
    return _history().now.origin


def put(ids: np.ndarray, *, mode: Mode = "new", origin: str, rule: str = "") -> None:
    """Change the selection; the change can be undone.

    Parameters
    ----------
    ids : (n,) int64
    origin : a short phrase for the chip
    rule : "bucket:63", "class:12" or "cluster:2" where one says the same as the ids; links then stay short
    """
    _set(_history().to(_history().now.with_ids(ids, mode, origin, rule)))


def clear() -> None:
    """Select nothing."""
    _set(_history().to(Selection()))


def undo() -> None:
    """Return to the selection before the last change."""
    _set(_history().back())


def keep(name: str) -> None:
    """Give the selection a name, for this session."""
    history = _history()
    _set(replace(history, named={**history.named, name: history.now}))


def encode(selection: Selection) -> str | None:
    """Text for a link: the ids, or the rule where the ids are too many; None if neither fits."""
    if not len(selection.ids):
        return None
    steps = np.diff(selection.ids, prepend=0)
    packed = zlib.compress(b"".join(_varint(int(step)) for step in steps), 9)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    if len(text) <= LONGEST_LINK:
        return text
    return selection.rule or None


def decode(text: str) -> np.ndarray | str | None:
    """The ids of a link, (n,) int64, or its rule, or None if the text is neither."""
    if ":" in text:
        return text
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacked = zlib.decompressobj().decompress(packed, 1 << 20)
    except (binascii.Error, zlib.error, ValueError):
        return None
    steps, value, shift = [], 0, 0
    for byte in unpacked:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            steps.append(value)
            value, shift = 0, 0
    try:
        return np.cumsum(np.array(steps, np.int64))
    except OverflowError:
        return None


def read_link(resolve: Callable[[str], np.ndarray]) -> None:
    """Take the selection out of the address, once a session; `resolve` turns a rule into ids."""
    if KEY in st.session_state:
        return
    found = decode(st.query_params.get(LINK, ""))
    rule = found if isinstance(found, str) else ""
    ids = resolve(rule) if rule else found
    selection = Selection(np.unique(ids), rule.replace(":", " ") or "link", rule) if ids is not None else Selection()
    _set(History(now=selection))


def write_link() -> None:
    """Put the selection into the address of the page."""
    text = encode(_history().now)
    if text is None:
        st.query_params.pop(LINK, None)
    elif st.query_params.get(LINK) != text:
        st.query_params[LINK] = text


def chip(total: int) -> None:
    """The header's "47 / 412": how many of the split are selected; names inside, undo and clear beside."""
    history = _history()
    label = f"{theme.count(len(history.now.ids))} / {theme.count(total)}"
    with st.popover(label, icon=":material/select:", help="The selection, shared by all pages", key="selection-chip"):
        theme.quiet(f"Selected: {history.now.origin}" if len(history.now.ids) else "Nothing is selected yet.")
        with st.form("selection-names", border=False, clear_on_submit=True):
            name = st.text_input("Keep under a name", max_chars=40, placeholder="look-alikes of O")
            if st.form_submit_button("Keep", disabled=not len(history.now.ids)) and name.strip():
                keep(name.strip())
                st.rerun()
        for number, (name, selection) in enumerate(history.named.items()):
            _named_row(number, name, selection)
    with st.container(horizontal=True, gap=None, width="content"):
        st.button(
            "",
            icon=":material/undo:",
            help="Undo the last change of the selection",
            key="selection-undo",
            type="tertiary",
            on_click=undo,
            disabled=not history.before,
        )
        st.button(
            "",
            icon=":material/close:",
            help="Clear the selection (Esc)",
            key="selection-clear",
            type="tertiary",
            shortcut="Esc",
            on_click=clear,
            disabled=not len(history.now.ids),
        )


def _named_row(number: int, name: str, selection: Selection) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{name} · {theme.count(len(selection.ids))}", width="stretch")
        for sign, mode, words in (("=", "new", "Select"), ("+", "add", "Add"), ("−", "subtract", "Subtract")):
            st.button(
                sign,
                key=f"selection-{mode}-{number}",
                help=f"{words} this set",
                on_click=put,
                args=(selection.ids,),
                kwargs={"mode": mode, "origin": name, "rule": selection.rule if mode == "new" else ""},
            )


def _history() -> History:
    return st.session_state.setdefault(KEY, History())


def _set(history: History) -> None:
    st.session_state[KEY] = history


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first, the top bit set on all but the last; `value` is not negative."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
