"""A small map to look at: the crowd as one grey picture, a few points lit on top, lines between some of them."""

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st

from app import cached, theme
from app.state import View
from app.widgets.board import board

SIDE = 300  # px of the picture of the crowd
MARGIN = 0.03
MOST_LIT = 1500

CSS = """
.mini {width: 100%; max-width: 460px; aspect-ratio: 1; border: 1px solid rgba(128,128,128,.2); border-radius: 7px;
  display: block}
.mini circle {stroke: var(--st-background-color); stroke-width: .5}
.mini .ring {fill: none; stroke-width: 1.6}
"""


def mini_map(
    view: View,
    *,
    key: str,
    lit: Sequence[tuple[np.ndarray, str]] = (),
    lines: Iterable[tuple[int, int, str]] = (),
    rings: Sequence[tuple[float, float, str]] = (),
    words: str = "",
) -> None:
    """Draw it.

    Parameters
    ----------
    lit : (positions in the snapshot, CSS colour), drawn in this order
    lines : (position, position, CSS colour)
    rings : (x, y, CSS colour), places of the map that need not be a sample's
    words : said to those who cannot see it
    """
    low, high = _corners(view)
    span = np.maximum(high - low, 1e-6)
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
    for rows, colour in lit:
        radius = 3.6 if len(rows) < 60 else 2.4 if len(rows) < 400 else 1.6
        for row in rows[:MOST_LIT]:
            x, y = at(xy[row])
            parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')
    for x, y, colour in rings:
        cx, cy = at(np.array([x, y]))
        parts.append(f'<circle class="ring" cx="{cx}" cy="{cy}" r="8" style="stroke:{colour}"/>')
    label = words or f"Small map of the {view.split} split"
    board(
        f'<svg class="mini" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{label}">{"".join(parts)}</svg>',
        key=key,
        css=CSS,
    )


def _corners(view: View) -> tuple[np.ndarray, np.ndarray]:
    xy = np.asarray(view.snapshot.xy)[view.rows]
    low, high = xy.min(axis=0), xy.max(axis=0)
    margin = MARGIN * np.maximum(high - low, 1e-3)
    return low - margin, high + margin


def _crowd(view: View) -> str:
    return _crowd_picture(view, cached.stamp(view))


@st.cache_data(max_entries=8, show_spinner=False)
def _crowd_picture(_view: View, stamp: tuple) -> str:
    """All points of the split, denser ones more opaque, as a PNG that suits a light and a dark page."""
    from PIL import Image

    low, high = _corners(_view)
    xy = np.asarray(_view.snapshot.xy)[_view.rows]
    side = 2 * SIDE
    cells = ((xy - low) / np.maximum(high - low, 1e-6) * (side - 1)).astype(np.int64)
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
