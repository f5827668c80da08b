"""The map of a view: every sample a point where the projection puts it; lasso, box, click, zoom and hover.

One widget for every size: WebGL 2 draws fifteen thousand points as readily as a million. Only a browser without it gets
the plain map.
"""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from app import cached, pictures
from app.view import View
from app.widgets.map.colouring import Colouring, colouring
from app.widgets.map.webgl_map import Layout, LineKind, Look, MapEvent, MapView, Samples, available, webgl_map


def point_map(
    view: View,
    *,
    key: str,
    colour: Colouring | None = None,
    highlight: np.ndarray | None = None,
    lines: Sequence[tuple[int, int, LineKind]] = (),
    focus: int | None = None,
    height: int = 560,
    dimmed: bool | None = None,
    select: bool = True,
    zoom: bool = True,
) -> MapEvent | None:
    """Draw the map of the view's split.

    Parameters
    ----------
    key : stable name of the widget; one map a key on a page
    colour : colours of all points; by default the header's choice
    highlight : (n,) int64 ids drawn on top, larger; those outside the split are left out
    lines : (id, id, kind): "right" or "wrong" true neighbours, "map" neighbours in 2-D (dashed), "pair" any other
    focus : an id that gets a ring
    height : pixels
    dimmed : draw all points but the highlighted ones grey; by default whenever something is highlighted
    select : answer to areas and clicks; False draws a map to look at only
    zoom : answer to the wheel; False leaves it to the page

    Returns
    -------
    What has just happened on the map, once: a click on a sample, or an area and the ids in it; None otherwise.
    """
    colour = colour or colouring(view)
    marked = (
        np.isin(view.ids, highlight) if highlight is not None and len(highlight) else np.zeros(len(view.rows), bool)
    )
    dimmed = bool(marked.any()) if dimmed is None else dimmed
    words = f"Map of {len(view.rows)} samples of the {view.split} split of run {view.run.name}"
    if not available():
        from app.widgets.map.plain_map import plain_map  # pandas, which few visitors need here

        return plain_map(
            view,
            colour,
            marked,
            key=f"{key}-plain",
            lines=lines,
            focus=focus,
            height=height,
            dimmed=dimmed,
            select=select,
            zoom=zoom,
            words=words,
        )
    layout = layout_of(view)
    look = Look(
        shades=colour.shade_numbers,
        palette=colour.shades,
        names=colour.names,
        marked=marked,
        dimmed=None if dimmed == bool(marked.any()) else dimmed,
        thumbs=pictures.thumb_address(view),
    )
    drawn = MapView(layout, lines=by_row(lines, view.row_of), ring=None if focus is None else view.row_of(focus))
    return webgl_map([drawn], look, key=key, height=height, select=select, wheel=zoom, words=words)


def layout_of(view: View) -> Layout:
    """Where the view's samples lie, kept for as long as the snapshot is."""
    return _layout(view, cached.stamp(view), str(getattr(view.snapshot, "recipe", "")))


@st.cache_resource(max_entries=8, show_spinner=False)
def _layout(_view: View, stamp: tuple, recipe: str) -> Layout:
    return Layout(np.asarray(_view.snapshot.xy)[_view.rows], samples_of(_view))


def samples_of(view: View) -> Samples:
    """Who the points of the view's map are."""
    labels = np.asarray(view.snapshot.labels)[view.rows]
    return Samples(view.ids, labels, view.snapshot.class_names)


def by_row(
    lines: Sequence[tuple[int, int, LineKind]], row_of: Callable[[int], int | None]
) -> list[tuple[int, int, LineKind]]:
    """Lines between ids as lines between rows; those with an end that has no row are left out."""
    ends = ((row_of(one), row_of(other), kind) for one, other, kind in lines)
    return [(one, other, kind) for one, other, kind in ends if one is not None and other is not None]
