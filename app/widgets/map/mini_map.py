"""A small map to look at: the crowd as one grey picture, a few points highlighted on top, lines between some."""

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st

from app import cached, theme
from app.view import View
from app.widgets.map.webgl_map.plane import Beyond, Bounds, beyond, bulk
from app.widgets.primitives.board import board, text

SIDE = 300  # px of the picture of the crowd
MARGIN = 0.03
EDGE, LINE = 5, 15  # px from the border to an arrow, and between two
MAX_HIGHLIGHTED = 1500

CSS = """
.mini {width: 100%; max-width: 460px; aspect-ratio: 1; border: 1px solid rgba(128,128,128,.2); border-radius: 7px;
  display: block}
.mini circle {stroke: var(--st-background-color); stroke-width: .5}
.mini .far {font: 600 12px var(--st-font); paint-order: stroke; stroke: var(--st-background-color); stroke-width: 3}
.mini .ring {fill: none; stroke-width: 1.6}
"""


def mini_map(
    view: View,
    *,
    key: str,
    highlighted: Sequence[tuple[np.ndarray, str]] = (),
    lines: Iterable[tuple[int, int, str]] = (),
    rings: Sequence[tuple[float, float, str]] = (),
    words: str = "",
) -> None:
    """Draw it. What lies outside the part that maps open on is shown by arrows.

    Parameters
    ----------
    highlighted : (positions in the snapshot, CSS colour), drawn in this order
    lines : (position, position, CSS colour)
    rings : (x, y, CSS colour), places of the map that need not be a sample's
    words : said to those who cannot see it
    """
    home, far = _home(view, cached.stamp(view))
    shown = home.grown(MARGIN)
    low, span = np.asarray(shown.low), np.asarray(shown.span)
    xy = view.snapshot.xy

    def at(place: np.ndarray) -> tuple[float, float]:
        x, y = (np.asarray(place, np.float64) - low) / span
        return round(float(x) * SIDE, 1), round((1 - float(y)) * SIDE, 1)

    parts = [f'<image href="{_crowd(view)}" width="{SIDE}" height="{SIDE}"/>']
    for one, other, colour in lines:
        (x1, y1), (x2, y2) = at(xy[one]), at(xy[other])
        parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="1.2" stroke-opacity=".8"/>'
        )
    arrows = [(one, "currentColor", one.words) for one in far]
    for rows, colour in highlighted:
        outside = beyond(np.asarray(xy[rows]).reshape(-1, 2), home)
        arrows += [(one, colour, f"{one.words}, among those highlighted") for one in outside]
        radius = 3.6 if len(rows) < 60 else 2.4 if len(rows) < 400 else 1.6
        for row in rows[:MAX_HIGHLIGHTED]:
            x, y = at(xy[row])
            parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')
    for x, y, colour in rings:
        cx, cy = at(np.array([x, y]))
        parts.append(f'<circle class="ring" cx="{cx}" cy="{cy}" r="8" style="stroke:{colour}"/>')
    parts += _arrows(arrows)
    label = words or f"Small map of the {view.split} split"
    board(
        f'<svg class="mini" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{text(label)}">{"".join(parts)}</svg>',
        key=key,
        css=CSS,
    )


def _arrows(arrows: Sequence[tuple[Beyond, str, str]]) -> list[str]:
    """A text at the border for each (where, CSS colour, words on hover); two on one side stand in two lines."""
    lines: dict[tuple[int, int], int] = {}
    parts = []
    for one, colour, words in arrows:
        line = lines[one.across, one.up] = lines.get((one.across, one.up), -1) + 1
        x = {-1: EDGE, 0: SIDE / 2, 1: SIDE - EDGE}[one.across]
        y = {1: EDGE + 10 + LINE * line, 0: SIDE / 2 + LINE * line, -1: SIDE - EDGE - LINE * line}[one.up]
        anchor = {-1: "start", 0: "middle", 1: "end"}[one.across]
        parts.append(
            f'<text class="far" x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}"><title>{text(words)}</title>'
            f"{one.arrow} {one.count:,}</text>"
        )
    return parts


@st.cache_data(max_entries=8, show_spinner=False)
def _home(_view: View, stamp: tuple) -> tuple[Bounds, list[Beyond]]:
    xy = np.asarray(_view.snapshot.xy)[_view.rows]
    home = bulk(xy)
    return home, beyond(xy, home)


def _crowd(view: View) -> str:
    return _crowd_picture(view, cached.stamp(view))


@st.cache_data(max_entries=8, show_spinner=False)
def _crowd_picture(_view: View, stamp: tuple) -> str:
    """All points of the split, denser ones more opaque, as a PNG that suits a light and a dark page."""
    from PIL import Image

    home, _ = _home(_view, stamp)
    shown = home.grown(MARGIN)
    xy = np.asarray(_view.snapshot.xy)[_view.rows]
    xy = xy[home.holds(xy)]
    side = 2 * SIDE
    cells = ((xy - shown.low) / np.asarray(shown.span) * (side - 1)).astype(np.int64)
    counts = np.zeros((side, side))
    np.add.at(counts, (side - 1 - cells[:, 1], cells[:, 0]), 1)
    counts[:-1] += 0.6 * counts[1:]
    counts[:, :-1] += 0.6 * counts[:, 1:]
    picture = np.zeros((side, side, 4), np.uint8)
    picture[..., :3] = [int(theme.CONTEXT[i : i + 2], 16) for i in (1, 3, 5)]
    picture[..., 3] = np.where(counts > 0, np.clip(90 + 55 * counts, 0, 230), 0)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
