"""The film of a training: recorded samples glide from moment to moment in the browser, marked ones leave a trail.

All moments travel once; playing, stepping and hovering need no answer from Python.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from app import theme
from app.selection import Mode
from app.widgets.map.webgl_map.plane import bulk, quantised

HERE = Path(__file__).resolve().parent

_html, _css, _js = ((HERE / f"film.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
_film = st.components.v2.component("film", html=_html, css=_css, js=_js)


@dataclass(frozen=True, kw_only=True)
class Film:
    """What is shown of n samples at F moments."""

    name: str  # differs from any other film's
    steps: np.ndarray  # (F,)
    steps_per_epoch: float
    ids: np.ndarray  # (n,)
    xy: np.ndarray  # (F, n, 2)
    classes: np.ndarray  # (n,) index into names
    names: Sequence[str]
    colours: np.ndarray  # (1, n), or (F, n) if they change: index into shades, -1 for grey
    shades: Sequence[str]
    recall: Sequence[tuple[int, float]]  # (step, Recall@1)
    phases: Sequence[tuple[int, int, str, str, str]]  # from step, to step, short name, long name, colour
    thumbs: str | None  # address of thumbnails


@dataclass(frozen=True)
class Told:
    """What a visitor has just done."""

    moment: int | None  # the step at which the film came to rest
    picked: np.ndarray | None  # (n,) int64 ids just clicked or boxed
    how: Mode  # never "intersect"


def film(
    shown: Film, *, key: str, moment: int, selected: np.ndarray, followed: Sequence[tuple[np.ndarray, str]]
) -> Told:
    """Draw it.

    Parameters
    ----------
    key : stable name of the widget
    moment : step at which the film rests
    selected : (s,) places among the samples that are lit, with a trail; all others turn grey
    followed : (places, name) of groups with a trail and their name beside them
    """
    places = shown.xy.reshape(-1, 2)
    frame, packed = quantised(places, bulk(places))
    data = {
        "film": shown.name,
        "xy": base64.b64encode(packed.tobytes()).decode(),
        "extent": frame.span,
        "unit": frame.unit,
        "steps": shown.steps.tolist(),
        "stepsPerEpoch": shown.steps_per_epoch,
        "ids": shown.ids.tolist(),
        "classes": shown.classes.tolist(),
        "names": list(shown.names),
        "colours": shown.colours.tolist(),
        "shades": list(shown.shades),
        "context": theme.CONTEXT,
        "recall": list(shown.recall),
        "phases": list(shown.phases),
        "thumbs": shown.thumbs,
        "selected": selected.tolist(),
        "followed": [(places.tolist(), name) for places, name in followed],
        "moment": moment,
    }
    sent = _film(key=key, data=data, on_moment_change=_nothing, on_picked_change=_nothing, height="content")
    picked = sent.picked
    return Told(
        moment=None if sent.moment is None else int(sent.moment),
        picked=None if picked is None else np.array(picked["ids"], np.int64),
        how="new" if picked is None else picked["how"],
    )


def _nothing() -> None:
    """A trigger needs a callback to be reported at all."""
