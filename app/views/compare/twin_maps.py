"""Two maps of the same samples side by side, with one lasso: an area or a click on either is answered in ids."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app import cached, pictures
from app.view import View
from app.widgets.map.colouring import Colouring
from app.widgets.map.point_map import by_row, samples_of
from app.widgets.map.webgl_map import Layout, LineKind, Look, MapEvent, MapView, available, webgl_map

HEIGHT = 500


def twin_maps(
    views: tuple[View, View],
    names: tuple[str, str],
    *,
    key: str,
    colour: Colouring,
    highlight: np.ndarray,
    lines: tuple[Sequence[tuple[int, int, LineKind]], Sequence[tuple[int, int, LineKind]]],
    focus: int | None,
) -> MapEvent | None:
    """Draw both.

    Parameters
    ----------
    views : of the same ids, in the same ascending order
    names : their titles
    colour : of the samples, on both maps
    highlight : (n,) int64 ids drawn on top, larger
    lines : (id, id, kind) of each map
    focus : an id that gets a ring

    Returns
    -------
    What has just happened on either, once; None otherwise.
    """
    ids = views[0].ids
    marked = np.isin(ids, highlight)
    if not available():
        from app.widgets.map.plain_map import plain_map  # pandas, which few visitors need here

        found = None
        for number, column in enumerate(st.columns(2, gap="medium")):
            with column:
                st.markdown(f"**{names[number]}**")
                event = plain_map(
                    views[number],
                    colour,
                    marked,
                    key=f"{key}-plain-{number}",
                    lines=lines[number],
                    focus=focus,
                    height=HEIGHT,
                    dimmed=bool(marked.any()),
                    select=True,
                    zoom=True,
                    words=f"Map by {names[number]}",
                )
            found = event if found is None else found
        return found

    def row_of(identity: int) -> int | None:
        row = int(np.searchsorted(ids, identity))
        return row if row < len(ids) and ids[row] == identity else None

    ring = None if focus is None else row_of(focus)
    drawn = [
        MapView(layout, title, lines=by_row(some, row_of), ring=ring)
        for layout, title, some in zip(_layouts(views, *map(cached.stamp, views)), names, lines, strict=True)
    ]
    look = Look(
        shades=colour.shade_numbers,
        palette=colour.shades,
        names=colour.names,
        marked=marked,
        thumbs=pictures.thumb_address(views[0]),
    )
    words = f"Maps of {len(ids)} samples by {names[0]} and by {names[1]}"
    return webgl_map(drawn, look, key=key, height=HEIGHT, words=words)


@st.cache_resource(max_entries=4, show_spinner=False)
def _layouts(_views: tuple[View, View], *stamps: tuple) -> list[Layout]:
    samples = samples_of(_views[0])
    return [Layout(np.asarray(view.snapshot.xy)[view.rows], samples) for view in _views]
