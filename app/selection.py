"""The one linked selection: sample ids that every page reads and writes, with undo, named sets and a link.

Ids, never positions: the same ids mean the same samples in every checkpoint and every run on the same data.
"""

import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import streamlit as st

from app import address, browsing, sidecar
from bon_core.config import InputError
from bon_core.runs.run import Run

Mode = Literal["new", "add", "intersect", "subtract"]
SIGNS: dict[Mode, str] = {"new": "=", "add": "∪", "intersect": "∩", "subtract": "−"}
KEY = "selection"
LINK = "sel"
LINK_ERROR = "selection-link-error"
LONGEST_LINK = 1500  # characters; browsers and chat programs cut longer ones
BIG = 10_000  # bytes; beyond, no effort makes them short enough for a link
UNDO_DEPTH = 50
SETS = "sets"  # the file that named sets are kept in
SET_RULE = "set:"
NEGATIVE = "~"  # before ids of which one is negative


@dataclass(frozen=True)
class Selection:
    """What is selected. `ids` is sorted without repeats; `origin` says how it came about, in words."""

    ids: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    origin: str = ""
    rule: str = ""  # e.g. "bucket:63" or "set:odd ones": enough to make it again; empty if only the ids are

    @cached_property
    def packed(self) -> str:
        """The ids as text."""
        return pack(self.ids)

    def with_ids(self, ids: np.ndarray, mode: Mode, origin: str, rule: str = "") -> "Selection":
        """This selection replaced by `ids`, united or intersected with them, or without them."""
        ids = np.unique(np.asarray(ids, np.int64))
        if mode == "new":
            return Selection(ids, origin, rule)
        if mode == "add":
            return Selection(np.union1d(self.ids, ids), f"{self.origin} ∪ {origin}" if self.origin else origin)
        if mode == "intersect":
            return Selection(np.intersect1d(self.ids, ids, assume_unique=True), f"({self.origin}) ∩ {origin}")
        return Selection(np.setdiff1d(self.ids, ids, assume_unique=True), f"({self.origin}) − {origin}")


@dataclass(frozen=True)
class History:
    """The selection now, and those before it, newest last."""

    now: Selection = field(default_factory=Selection)
    before: tuple[Selection, ...] = ()

    def to(self, selection: Selection) -> "History":
        if np.array_equal(selection.ids, self.now.ids):
            return replace(self, now=selection)
        return replace(self, now=selection, before=(*self.before, self.now)[-UNDO_DEPTH:])

    def back(self) -> "History":
        return replace(self, now=self.before[-1], before=self.before[:-1]) if self.before else self


def now() -> Selection:
    """The selection."""
    return history().now


def history() -> History:
    """The selection and those before it."""
    return st.session_state.setdefault(KEY, History())


def ids() -> np.ndarray:
    """The selected ids, (n,) int64, sorted."""
    return now().ids


def put(ids: np.ndarray, *, mode: Mode = "new", origin: str, rule: str = "") -> None:
    """Change the selection; the change can be undone.

    Parameters
    ----------
    ids : (n,) int64
    origin : a short phrase for the chip
    rule : "bucket:63", "class:12", "cluster:2" or "set:NAME" where one says the same as the ids; links then stay short
    """
    _set(history().to(now().with_ids(ids, mode, origin, rule)))


def clear() -> None:
    """Select nothing."""
    _set(history().to(Selection()))


def undo() -> None:
    """Return to the selection before the last change."""
    _set(history().back())


# Named sets -----------------------------------------------------------------------------------------------------------


def named(run: Run) -> dict[str, Selection]:
    """The run's named sets, in the order in which they were kept.

    Raises
    ------
    InputError
        If the file that keeps them is damaged.
    """
    found = {}
    for name, entry in sidecar.read(run, SETS).items():
        try:
            ids = decode(entry["ids"]) if entry["ids"] else np.empty(0, np.int64)
        except (KeyError, TypeError) as error:
            raise InputError(f"The set {name} in {sidecar.path_of(run, SETS)} is damaged; remove it there.") from error
        if not isinstance(ids, np.ndarray):
            raise InputError(f"The set {name} in {sidecar.path_of(run, SETS)} is damaged; remove it there.")
        found[name] = Selection(np.unique(ids), name, SET_RULE + name)
    return found


def keep(run: Run, name: str) -> None:
    """Give the selection a name that lasts with the run; one that has the name already is replaced.

    Raises
    ------
    InputError
        If the sets cannot be read or written.
    """
    sidecar.change(run, SETS, lambda sets: {**sets, name: {"ids": now().packed, "origin": now().origin}})
    if not now().rule:
        _set(replace(history(), now=replace(now(), rule=SET_RULE + name)))


def forget(run: Run, name: str) -> None:
    """Take a name away; the selection stays.

    Raises
    ------
    InputError
        If the sets cannot be read or written.
    """
    sidecar.change(run, SETS, lambda sets: {other: entry for other, entry in sets.items() if other != name})


# The link -------------------------------------------------------------------------------------------------------------


def encode(selection: Selection) -> str | None:
    """Text for a link: the ids, or the rule where the ids are too many; None if neither fits."""
    if not len(selection.ids):
        return None
    return selection.packed if len(selection.packed) <= LONGEST_LINK else selection.rule or None


def pack(ids: np.ndarray) -> str:
    """Sorted ids as short text of letters, digits, - and _; after a ~ where one is negative."""
    negative = len(ids) > 0 and int(ids[0]) < 0
    steps = np.asarray(ids, "<i8").tobytes() if negative else _varints(np.diff(ids, prepend=0))
    packed = zlib.compress(steps, 9 if len(steps) < BIG else 1)
    return NEGATIVE * negative + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> np.ndarray | str | None:
    """The ids of a link, (n,) int64, or its rule, or None if the text is neither."""
    if ":" in text:
        return text
    negative = text.startswith(NEGATIVE)
    text = text.removeprefix(NEGATIVE)
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(packed, 1 << 24)
    except (binascii.Error, zlib.error, ValueError):
        return None
    if not unpacker.eof:  # cut short
        return None
    if negative:
        return np.frombuffer(unpacked, "<i8").astype(np.int64) if len(unpacked) % 8 == 0 else None
    steps = _from_varints(unpacked)
    ids = None if steps is None else np.cumsum(steps)
    return None if ids is None or (ids < 0).any() else ids  # they ran over the end of the numbers


def read_link(run: Run, resolve: Callable[[str], np.ndarray]) -> None:
    """Take the selection out of the address, once a session and after Back and Forward.

    `resolve` turns a rule into ids. What is wrong with the address is a sentence in `trouble` until the selection
    changes.
    """
    asked = address.value(LINK) or ""
    if KEY in st.session_state and not (browsing.walked() and asked != (encode(now()) or "")):
        return
    selection, sentence = _linked(run, asked, resolve)
    _set(history().to(selection) if KEY in st.session_state else History(selection))
    st.session_state[LINK_ERROR] = sentence


def _linked(run: Run, text: str, resolve: Callable[[str], np.ndarray]) -> tuple[Selection, str]:
    found = decode(text) if text else np.empty(0, np.int64)
    if found is None:
        return Selection(), "The link's selection cannot be read, it may have been cut short; nothing is selected."
    if isinstance(found, np.ndarray):
        return Selection(np.unique(found), "link"), ""
    words = found.replace(":", " ", 1)
    try:
        sets = named(run) if found.startswith(SET_RULE) else {}
    except InputError as error:
        return Selection(), str(error)
    selection = sets.get(found.removeprefix(SET_RULE)) or Selection(np.unique(resolve(found)), words, found)
    gone = f"The link selects what is not here: {words}. Nothing is selected."
    return (selection, "") if len(selection.ids) else (Selection(), gone)


def link_error() -> str:
    """What is wrong with the link that the selection came by; "" if nothing is, or it has changed since."""
    return st.session_state.get(LINK_ERROR, "")


def write_link() -> bool:
    """Put the selection into the address of the page; False if it is too large for one and has no name."""
    text = encode(now())
    if text is None:
        address.forget(LINK)
    else:
        address.choose(LINK, text)
        address.show(LINK, text)
    return text is not None or not len(ids())


def _set(changed: History) -> None:
    st.session_state[KEY] = changed
    st.session_state.pop(LINK_ERROR, None)


def _varints(values: np.ndarray) -> bytes:
    """Seven bits a byte, lowest first, the top bit set on all but a value's last byte; values (n,) are not negative."""
    places = range(0, max(int(values.max(initial=0)).bit_length(), 1), 7)
    shifted = values[:, None] >> np.array(places)  # (n, 1..9)
    needed = shifted > 0
    needed[:, 0] = True
    groups = (shifted & 0x7F).astype(np.uint8)
    groups[:, :-1] |= needed[:, 1:].astype(np.uint8) << 7
    return groups[needed].tobytes()


def _from_varints(text: bytes) -> np.ndarray | None:
    """The values (n,) int64 that `_varints` packed; None if it was something else."""
    groups = np.frombuffer(text, np.uint8)
    last = np.flatnonzero(groups < 0x80)
    if not len(groups) or last[-1:].tolist() != [len(groups) - 1]:
        return np.empty(0, np.int64) if not len(groups) else None
    first = np.concatenate([[0], last[:-1] + 1])
    size = last - first + 1
    if size.max() > 9:
        return None
    shift = 7 * (np.arange(len(groups)) - np.repeat(first, size))
    return np.add.reduceat((groups & 0x7F).astype(np.int64) << shift, first)
