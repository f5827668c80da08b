"""Where on a page one stands: whole numbers such as a bucket or an anchor, kept in the session and in the address.

A place that was chosen holds until the selection changes; then the page goes to where the new selection leads. The
browser's Back and Forward return to the places of their addresses.
"""

from collections.abc import Callable
from typing import overload

import streamlit as st

from app import address, selection, theme

MARK = "place-"  # in the session, before the name: the selection at which it was chosen


@overload
def number(name: str, possible: Callable[[int], bool], *, fallback: int, words: str) -> int: ...


@overload
def number(name: str, possible: Callable[[int], bool], *, fallback: int | None, words: str) -> int | None: ...


def number(name: str, possible: Callable[[int], bool], *, fallback: int | None, words: str) -> int | None:
    """The number `name` that was chosen, or that the address names; `fallback` if there is none or it is not possible.

    A number in the address that cannot be is said in a sentence; `words` names what it is, e.g. "bucket". Whatever
    results is written to the address.
    """
    text = address.value(name) or st.query_params.get(name)  # one that was not chosen holds once it was shown
    fresh = address.is_fresh(name)
    value = address.whole(text)
    if value is not None and not possible(value):
        value = None
    if fresh and value is None:
        theme.error_box(f"The link names the {words} {text}, which is not there; another one is shown.")
        address.forget(name)
    elif value is not None and (fresh or address.value(name) is None):
        go(name, value)
    elif len(selection.ids()) and st.session_state.get(MARK + name) != _mark():
        value = None
    value = fallback if value is None else value
    if value is not None:
        address.show(name, value)
    return value


def go(name: str, value: int) -> None:
    """Stand somewhere else from the next run of the script on; call it after a change of the selection, not before."""
    st.session_state[MARK + name] = _mark()
    address.choose(name, value)


def _mark() -> int:
    """Differs from one selection to the next."""
    return hash(selection.ids().tobytes())
