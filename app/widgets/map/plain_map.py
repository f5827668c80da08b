"""The map for browsers without WebGL 2: a Vega-Lite spec on a canvas, with box, click, zoom and hover.

More than MAX_POINTS are thinned evenly and drawn over a histogram of all. Highlights are a second small layer: a
colour condition on all points costs half a second a mouse move. As long as nothing but data changes between two runs of
the script, the browser keeps zoom and box.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import pictures, theme
from app.selection import Mode
from app.view import View
from app.widgets.map.colouring import Colouring
from app.widgets.map.far import arrows
from app.widgets.map.webgl_map import LineKind, MapEvent, why_not
from app.widgets.map.webgl_map.plane import Bounds, beyond, bulk, whole

MAX_POINTS = 20_000
CELLS = 64  # the histogram over which a larger set is thinned has CELLS x CELLS cells
MAX_FACES = 400  # thumbnails drawn at once on the map
FACE = 26  # px of such a thumbnail
REACH = {"stroke": "black", "strokeOpacity": 0, "strokeWidth": 7}  # unseen, so that small points are easy to hit
PAN = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"
BOX = "[pointerdown[!event.shiftKey], window:pointerup] > window:pointermove!"
LINES = {  # kind: colour, dash
    "right": (theme.RIGHT, [1, 0]),
    "wrong": (theme.WRONG, [1, 0]),
    "map": (theme.CONTEXT, [3, 3]),
    "pair": (theme.VERMILION, [1, 0]),
}
BARE = {"grid": False, "domain": False, "labels": False, "ticks": False, "title": None}
MARGIN = 0.02  # around the points
MODES: dict[str, Mode] = {"New": "new", "Add": "add", "Subtract": "subtract"}

Spec = dict[str, Any]  # of Vega-Lite, or a part of one

# The layers that are the same on every map.
HERE: Spec = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
THERE: Spec = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
HISTOGRAM: Spec = {
    "data": {"name": "density"},
    "mark": {"type": "rect", "color": theme.CONTEXT, "clip": True},
    "encoding": {
        **HERE,
        **THERE,
        "opacity": {
            "field": "points",
            "type": "quantitative",
            "scale": {"type": "sqrt", "range": [0.04, 0.5]},
            "legend": None,
        },
    },
}
FACES: Spec = {
    "data": {"name": "faces"},
    "mark": {"type": "image", "width": FACE, "height": FACE, "clip": True},
    "encoding": {**HERE, "url": {"field": "url", "type": "nominal"}},
}
CONNECTIONS: Spec = {
    "data": {"name": "lines"},
    "mark": {"type": "rule", "strokeWidth": 1.4, "opacity": 0.9, "clip": True},
    "encoding": {
        **HERE,
        **THERE,
        "color": {"field": "shade", "type": "nominal", "scale": None},
        "strokeDash": {
            "field": "kind",
            "type": "nominal",
            "scale": {"domain": list(LINES), "range": [dash for _, dash in LINES.values()]},
            "legend": None,
        },
    },
}
RING: Spec = {
    "data": {"name": "ring"},
    "mark": {"type": "point", "size": 260, "strokeWidth": 2, "color": theme.VERMILION, "clip": True},
    "encoding": HERE,
}


def plain_map(
    view: View,
    colour: Colouring,
    marked: np.ndarray,
    *,
    key: str,
    lines: Sequence[tuple[int, int, LineKind]],
    focus: int | None,
    height: int,
    dimmed: bool,
    select: bool,
    zoom: bool,
    words: str,
) -> MapEvent | None:
    """Draw the map of the view's split; `point_map` explains the parameters. `marked` is (n,) bool."""
    xy = _xy(view)
    home = bulk(xy)
    shown = thin(xy, MAX_POINTS, home)
    far = beyond(xy, home)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        mode = "New"
        if select:
            mode = st.segmented_control("A box makes", MODES, default="New", required=True, key=f"{key}-mode")
        everything = bool(far) and st.toggle("All points", key=f"{key}-all", help="; ".join(one.words for one in far))
    window = ((st.session_state.get(key) or {}).get("selection") or {}).get("zoom") or {}  # from the run before
    numbers = np.full(len(shown), -1, np.int16) if dimmed else colour.shade_numbers[shown]
    drawn = thin(xy, MAX_POINTS, home, among=np.flatnonzero(marked))
    datasets = {
        "density": _density(xy if len(shown) < len(xy) else xy[:0], home),
        "crowd": _table(view, shown, numbers),
        "marked": _table(view, drawn, colour.shade_numbers[drawn]),
        "faces": _faces(view, window),
        "lines": _line_table(view, lines),
        "ring": _place(view, focus),
    }
    spec = _spec(view, colour, datasets, height, select, zoom, (whole(xy) if everything else home).grown(MARGIN))
    spec["layer"] += arrows([] if everything else far)
    remark = why_not()
    if len(shown) < len(xy):
        remark += (
            f" {theme.count(len(shown))} of {theme.count(len(xy))} points are drawn, spread evenly, over a histogram of"
            " all; a box selects all that lie in it."
        )
    if not select:
        st.vega_lite_chart(spec, key=key, width="stretch", alt=words)
        theme.caption(remark)
        return None
    modes = ["box", "pick", "zoom"] if zoom else ["box", "pick"]
    event = st.vega_lite_chart(spec, key=key, on_select="rerun", selection_mode=modes, width="stretch", alt=words)
    theme.caption(remark)
    return _news(view, event["selection"], key, MODES[mode])


def thin(xy: np.ndarray, most: int, home: Bounds, *, among: np.ndarray | None = None) -> np.ndarray:
    """Places of at most about `most` points that keep crowds crowded and lonely points there.

    Every cell of a 2-D histogram over `home` gives the same share of its points, but at least one; so do the cells
    around it, which hold what lies outside. Places ascend.
    """
    places = np.arange(len(xy)) if among is None else among
    if len(places) <= most:
        return places
    cell = np.maximum(home.span, 1e-9) / (CELLS - 1e-3)
    side = CELLS + 2
    cells = (np.clip(np.floor((xy[places] - home.low) / cell), -1, CELLS).astype(np.int64) + 1) @ (1, side)
    order = np.random.default_rng(0).permutation(len(places))
    order = order[np.argsort(cells[order], kind="stable")]
    sizes = np.bincount(cells, minlength=side * side)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = rank < np.maximum(1, np.repeat(sizes * most // len(places), sizes))
    return np.sort(places[order[kept]])


def within(xy: np.ndarray, box: dict[str, Sequence[float]]) -> np.ndarray:
    """Which of the points (n, 2) lie in {"x": [low, high], "y": [low, high]}: (n,) bool."""
    inside = np.ones(len(xy), bool)
    for axis, name in enumerate("xy"):
        if name in box:
            low, high = sorted(box[name])
            inside &= (xy[:, axis] >= low) & (xy[:, axis] <= high)
    return inside


def _spec(view: View, colour: Colouring, datasets: dict, height: int, select: bool, zoom: bool, shown: Bounds) -> Spec:
    """The layers, bottom up: histogram, points, thumbnails, lines, highlighted points, the ring."""
    low, high = shown.low, shown.high
    smallest = float(np.clip(110_000 / max(len(view.rows), 1), 7, 60))  # px², smaller in a crowd, growing with the zoom
    size = {"expr": f"clamp({smallest} * {high[0] - low[0]} / span(domain('x')), {smallest}, {max(smallest, 70)})"}
    address = pictures.thumb_address(view)
    crowd = {
        "data": {"name": "crowd"},
        "transform": _told(address),
        "params": _params(zoom) if select else [],
        "mark": {"type": "circle", "size": size, "clip": True, **REACH},
        "encoding": {
            "x": {**HERE["x"], "scale": {"domain": [low[0], high[0]], "nice": False}, "axis": BARE},
            "y": {**HERE["y"], "scale": {"domain": [low[1], high[1]], "nice": False}, "axis": BARE},
            "color": _colours(colour),
            "opacity": {"condition": {"test": "datum.c < 0", "value": 0.3}, "value": 0.8},
            "tooltip": _tooltip(address),
        },
    }
    marked = {
        "data": {"name": "marked"},
        "transform": _told(address),
        "mark": {"type": "circle", "size": max(3 * smallest, 34), "clip": True, "stroke": "white", "strokeWidth": 0.5},
        "encoding": {**HERE, "color": _colours(colour), "opacity": {"value": 1}, "tooltip": _tooltip(address)},
    }
    return {
        "datasets": datasets,
        "layer": [*([HISTOGRAM] if len(datasets["density"]) else []), crowd, FACES, CONNECTIONS, marked, RING],
        "height": height,
        "padding": 0,
        "config": {"view": {"stroke": None}, "mark": {"aria": False}},
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }


def _params(zoom: bool) -> list[Spec]:
    """Drag a box, click a point, scroll to zoom, drag with shift to move."""
    mark = {"fill": theme.BLUE, "fillOpacity": 0.08, "stroke": theme.BLUE, "strokeOpacity": 0.7}
    box = {"type": "interval", "on": BOX, "translate": BOX, "zoom": False, "mark": mark}
    pick = {"type": "point", "fields": ["id"], "on": "click", "toggle": False, "clear": False}
    window = {"type": "interval", "on": PAN, "translate": PAN, "zoom": "wheel!"}
    params = [{"name": "box", "select": box}, {"name": "pick", "select": pick}]
    return [*params, {"name": "zoom", "select": window, "bind": "scales"}] if zoom else params


def _told(address: str | None) -> list[Spec]:
    """What is worked out in the browser for the tooltip, so that it need not travel."""
    fields = [{"calculate": "'0x' + format(datum.code, 'x')", "as": "bucket"}]
    return [*fields, {"calculate": f"'{address}' + datum.id + '.png'", "as": "image"}] if address else fields


def _tooltip(address: str | None) -> list[Spec]:
    fields: list[Spec] = [{"field": "image", "type": "nominal"}] if address else []
    fields += [{"field": name, "type": "nominal"} for name in ("class", "bucket", "cluster")]
    return [*fields, {"field": "trust", "type": "quantitative", "format": ".0%", "title": "map trust"}]


def _colours(colour: Colouring) -> Spec:
    """Colour numbers of a Colouring, -1 being grey context."""
    scale = {"domain": [-1, *range(len(colour.shades))], "range": [theme.CONTEXT, *colour.shades]}
    return {"field": "c", "type": "nominal", "scale": scale, "legend": None}


def _table(view: View, places: np.ndarray, numbers: np.ndarray) -> pd.DataFrame:
    snapshot, rows = view.snapshot, view.rows[places]
    xy = np.asarray(snapshot.xy)[rows]
    return pd.DataFrame(
        {
            "id": np.asarray(snapshot.ids)[rows].astype(np.float64),  # a browser has no whole numbers of 64 bits
            "x": xy[:, 0],
            "y": xy[:, 1],
            "c": numbers.astype(np.int16),
            "class": np.asarray(snapshot.class_names, dtype=object)[np.asarray(snapshot.labels)[rows]],
            "code": np.asarray(snapshot.codes)[rows].astype(np.float64),
            "cluster": np.asarray(snapshot.clusters)[rows],
            "trust": np.asarray(snapshot.trust)[rows].astype(np.float32),
        }
    )


def _density(xy: np.ndarray, home: Bounds) -> pd.DataFrame:
    """How many points lie in each cell of `home` that holds any."""
    counts, x, y = np.histogram2d(xy[:, 0], xy[:, 1], bins=CELLS, range=list(zip(home.low, home.high, strict=True)))
    i, j = np.nonzero(counts)
    return pd.DataFrame({"x": x[i], "x2": x[i + 1], "y": y[j], "y2": y[j + 1], "points": counts[i, j]})


def _faces(view: View, window: dict) -> pd.DataFrame:
    """Thumbnails to lay over the points, once the zoom is so close that few are in sight."""
    address = pictures.thumb_address(view)
    places = np.flatnonzero(within(_xy(view), window)) if window and address else np.empty(0, np.int64)
    places = places if len(places) <= MAX_FACES else places[:0]
    xy = _xy(view)[places]
    urls = [f"{address}{identity}.png" for identity in view.ids[places]]
    return pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "url": pd.Series(urls, dtype=object)})


def _line_table(view: View, lines: Sequence[tuple[int, int, LineKind]]) -> pd.DataFrame:
    where, xy = view.snapshot.position_of, view.snapshot.xy
    known = [(where[a], where[b], kind) for a, b, kind in lines if a in where and b in where]
    start = np.array([xy[a] for a, _, _ in known], np.float32).reshape(-1, 2)
    end = np.array([xy[b] for _, b, _ in known], np.float32).reshape(-1, 2)
    kinds = [kind for _, _, kind in known]
    table = {"x": start[:, 0], "y": start[:, 1], "x2": end[:, 0], "y2": end[:, 1]}
    words = {"shade": [LINES[kind][0] for kind in kinds], "kind": kinds}
    return pd.DataFrame({**table, **{name: pd.Series(column, dtype=object) for name, column in words.items()}})


def _place(view: View, identity: int | None) -> pd.DataFrame:
    row = None if identity is None else view.snapshot.position_of.get(int(identity))
    xy = np.empty((0, 2), np.float32) if row is None else np.asarray(view.snapshot.xy[row])[None]
    return pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1]})


def _news(view: View, chosen: dict, key: str, mode: Mode) -> MapEvent | None:
    """What has changed in the chart's selections since the last run of the script."""
    seen = st.session_state.setdefault(f"{key}-seen", {})
    points: list[dict] = chosen.get("pick") or []
    box: dict[str, Sequence[float]] = chosen.get("box") or {}
    now = {"pick": points, "box": box}
    changed = [name for name in now if now[name] and now[name] != seen.get(name)]
    st.session_state[f"{key}-seen"] = now
    if not changed:
        return None
    if changed[0] == "pick":
        picked = [int(point["id"]) for point in points if point.get("id") is not None]
        return MapEvent("pick", np.array(picked[:1], np.int64)) if picked else None
    (left, right), (low, high) = (sorted(box.get(axis, (-np.inf, np.inf))) for axis in "xy")
    corners = np.array([[left, low], [right, low], [right, high], [left, high]])
    return MapEvent("area", np.sort(view.ids[within(_xy(view), box)]), mode, polygon=corners)


def _xy(view: View) -> np.ndarray:
    return np.asarray(view.snapshot.xy)[view.rows]
