"""Where on a page one stands: whole numbers such as a bucket or an anchor, kept in the session and in the address.

A place that was chosen holds until the selection changes; then the page goes to where the new selection leads. The
browser's Back and Forward return to the places of their addresses.
"""

from collections.abc import Callable

import streamlit as st

from app import browsing, selection, theme

PREFIX = "place-"


def number(name: str, possible: Callable[[int], bool], *, fallback: int | None, words: str) -> int | None:
    """The number `name` that was chosen, or that the address names; `fallback` if there is none or it is not possible.

    A number in the address that cannot be is said in a sentence; `words` names what it is, e.g. "bucket". Whatever
    results is written to the address.
    """
    if browsing.walked():
        st.session_state.pop(PREFIX + name, None)
    chosen = st.session_state.get(PREFIX + name)
    if chosen is None:
        value = _from_address(name, possible, words)
        if value is not None:
            go(name, value)
    else:
        value, mark = chosen
        if not possible(value) or (len(selection.ids()) and mark != _mark()):
            value = None
    value = fallback if value is None else value
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = str(value)
    return value


def go(name: str, value: int) -> None:
    """Stand somewhere else from the next run of the script on; call it after a change of the selection, not before."""
    st.session_state[PREFIX + name] = (value, _mark())
    st.query_params[name] = str(value)


def _from_address(name: str, possible: Callable[[int], bool], words: str) -> int | None:
    text = st.query_params.get(name)
    if text is None:
        return None
    value = int(text) if text.isdecimal() and len(text) < 20 else None
    if value is None or not possible(value):
        theme.trouble(f"The link names the {words} {text}, which is not there; another one is shown.")
        return None
    return value


def _mark() -> int:
    """Differs from one selection to the next."""
    return hash(selection.ids().tobytes())
