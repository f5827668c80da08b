"""The address of a page: what was chosen, remembered for the session and shown to the browser.

Streamlit drops a page's parameters when another page is opened, so none is bound to a widget. What the address or a
person chose is remembered here by name, on every page that knows the name, until something else is chosen. While a page
is drawn it says what its address is to hold; that is sent once, at the end, so that one click is one step of Back.
After the browser's Back and Forward the address is right, and what is remembered follows.

    begin()                      # once a run of the script, before the page
    value("bucket")              # what was chosen, as text; None if nothing was
    choose("bucket", 5)          # from now on
    show("bucket", 5)            # in the address of this page
    st.slider(..., **control("margin", 0.2, read=float, among=lambda margin: 0 <= margin <= 1))
    send()                       # once the page is drawn
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar, overload

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import browsing, theme

CHOSEN = "address-chosen"  # in the session: name -> text
SHOWN = "address-shown"  # name -> text: the address as it is to be
PAGE = "address-page"  # the page that was drawn last
OPENED = "address-opened"  # whether another page was drawn before
READ = "address-read"  # names taken out of the address since Back or Forward
FRESH = "address-fresh"  # names taken out of the address that nobody has looked at yet
WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
LONGEST = 60  # characters of a link in a sentence
T = TypeVar("T")


def begin() -> None:
    """Start a page: take over the address of a first visit, and give the next page the address of the last one."""
    chosen, context = _chosen(), get_script_run_ctx()
    before, here = st.session_state.get(PAGE), context.page_script_hash if context is not None else ""
    shown = st.session_state.get(SHOWN, {})
    st.session_state.update({PAGE: here, READ: set(), SHOWN: {}, OPENED: before != here})
    if before in (None, here) or browsing.walked():
        return
    if not len(st.query_params):
        st.query_params.from_dict(shown)  # as it still is in the browser: Back gains no step by it
    for name, text in st.query_params.to_dict().items():
        if shown.get(name) != text:  # whoever opened the page said so
            chosen[name] = text
            st.session_state[FRESH].add(name)


def send(*, whole: bool = True) -> None:
    """Tell the browser the address; where the page was not drawn to its end, only what it has said so far."""
    now = st.query_params.to_dict()
    wanted = st.session_state[SHOWN] if whole else {**now, **st.session_state[SHOWN]}
    st.session_state[SHOWN] = wanted
    if now != wanted:
        st.query_params.from_dict(wanted)


def value(name: str) -> str | None:
    """What was chosen, by the address or by a person; None if nothing was."""
    chosen = _chosen()
    if browsing.walked() and name not in st.session_state.setdefault(READ, set()):
        st.session_state[READ].add(name)
        if st.query_params.get(name) != chosen.get(name):
            forget(name)
            if name in st.query_params:
                chosen[name] = st.query_params[name]
                st.session_state[FRESH].add(name)
    return chosen.get(name)


def is_fresh(name: str) -> bool:
    """Whether the value came out of the address and this is the first question about it: if it cannot be, say so."""
    fresh = name in st.session_state.get(FRESH, ())
    if fresh:
        st.session_state[FRESH].discard(name)
    return fresh


def choose(name: str, value: object) -> None:
    """Remember a choice; None is none."""
    if value is None:
        forget(name)
        return
    _chosen()[name] = _text(value)
    st.session_state[FRESH].discard(name)


def forget(*names: str) -> None:
    """Choose nothing: the default of the moment counts again."""
    for name in names:
        _chosen().pop(name, None)
        st.session_state[FRESH].discard(name)


def show(name: str, value: object) -> None:
    """Have the address of this page hold it."""
    st.session_state.setdefault(SHOWN, {})[name] = _text(value)
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run and st.query_params.get(name) != _text(value):
        st.query_params[name] = _text(value)  # a part of the page alone is drawn again, and nobody sends at its end


@overload
def control(
    name: str, default: str, *, among: Callable[[str], bool], words: str = "", key: str | None = None
) -> dict[str, Any]: ...


@overload
def control(
    name: str,
    default: T,
    *,
    among: Callable[[T], bool],
    read: Callable[[str], T],
    words: str = "",
    key: str | None = None,
) -> dict[str, Any]: ...


def control(
    name: str,
    default: Any,
    *,
    among: Callable[[Any], bool],
    read: Callable[[str], Any] = str,
    words: str = "",
    key: str | None = None,
) -> dict[str, Any]:
    """Arguments for a widget whose value is remembered, and in the address unless it is the default of the moment.

    Parameters
    ----------
    default : the value where none was chosen
    among : whether a value can be chosen now; one that cannot gives way to the default
    read : makes the value out of its text in the address, may raise ValueError
    words : what it is, for the sentence about a link that names what cannot be; by default the name
    key : of the widget, where it is another one at another time; by default the name
    """
    text, found = value(name), default
    if text is not None:
        try:
            possible = among(read(text))
        except ValueError:
            possible = False
        found = read(text) if possible else default
        if is_fresh(name) and not possible:
            shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
            theme.error_box(
                f"The link names the {words or name} {shown}, which is not there; {_text(default)} is shown."
            )
            forget(name)
        elif possible:
            show(name, text)
    key = key or name
    # On a page that was just opened, the value in the session still is that of the last page's widget.
    if st.session_state.get(OPENED) or st.session_state.get(key) != found:
        st.session_state[key] = found
    return {"key": key, "on_change": _take, "args": (name, key)}


def whole(text: str | None) -> int | None:
    """The whole number that a text is; None if it is none, or none of 64 bits."""
    number = int(text) if text is not None and WHOLE.fullmatch(text) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _take(name: str, key: str) -> None:
    """A person has moved the widget."""
    choose(name, st.session_state[key])


def _chosen() -> dict[str, str]:
    if CHOSEN not in st.session_state:
        st.session_state[CHOSEN] = st.query_params.to_dict()
        st.session_state[FRESH] = set(st.session_state[CHOSEN])
    return st.session_state[CHOSEN]


def _text(value: object) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
