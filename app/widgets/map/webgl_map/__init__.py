"""The map at scale: up to a million samples, drawn by WebGL 2 in the browser, in one or several views side by side.

    samples = Samples(ids, labels, class_names)
    before, after = Layout(xy_before, samples), Layout(xy_after, samples)
    event = webgl_map([MapView(before, "epoch 1"), MapView(after, "epoch 9")], Look(shades, palette), key="movers")

What travels, and when: coordinates (4 bytes a point and view, 8 where a few points lie far off) and colours (1 byte)
once, under the hash of their content, so that the browser keeps them; the selection, one bit a point, with every run of
the script. Back comes the id that was clicked, or the polygon of a box or lasso. The ids in it are worked out here, of
the very numbers that the browser lit points up by: both find the same, and nothing is drawn twice.

Points travel in one shuffled order: any prefix is a fair sample to draw while the map moves, and no class lies on top
for coming last. The front end is in `front/`: plain modules, no build step, served by `routes()`.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import theme
from app.selection import Mode
from app.widgets.map.webgl_map import buffers
from app.widgets.map.webgl_map.buffers import Buffer
from app.widgets.map.webgl_map.labels import class_labels
from app.widgets.map.webgl_map.plane import Bounds, Frame, bulk, inside, quantised

MAX_VERTICES = 4000  # of a polygon
MISSING = "no-webgl"  # in the session of a browser that cannot draw the map: what it said
NO_WEBGL = "no WebGL 2"  # what front/scene.js says where there is none
UNFETCHED = "fetched: "  # begins what it says where the front end did not come
EVENT = "-event"  # after a map's key, in the session: what has just been done to it

LineKind = Literal["right", "wrong", "map", "pair"]
LINES = {"right": theme.RIGHT, "wrong": theme.WRONG, "map": theme.CONTEXT, "pair": theme.VERMILION}


@dataclass(frozen=True, eq=False)
class Samples:
    """Who the points are. Worth keeping between runs of the script: what travels is worked out once."""

    ids: np.ndarray  # (n,) int64
    labels: np.ndarray  # (n,) class numbers
    class_names: Sequence[str]

    @cached_property
    def order(self) -> np.ndarray:
        """The order in which the points travel, (n,) int32: the same for all sets of n."""
        return _shuffled(len(self.ids))

    @cached_property
    def buffers(self) -> dict[str, Buffer]:
        """Ids, class numbers and class names, which the browser fetches once the map stands."""
        return {
            "ids": Buffer(np.asarray(self.ids, "<i8")[self.order].tobytes()),
            "labels": Buffer(np.asarray(self.labels, "<u4")[self.order].tobytes()),
            "names": Buffer(json.dumps(list(self.class_names), ensure_ascii=False).encode()),
        }


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the samples lie. Worth keeping between runs of the script."""

    xy: np.ndarray  # (n, 2) float, row i is sample i
    samples: Samples

    @cached_property
    def frame(self) -> Frame:
        return self._quantised[0]

    @cached_property
    def home(self) -> Bounds:
        """The part of the plane on which the map opens."""
        return bulk(self.xy)

    @property
    def places(self) -> np.ndarray:
        """(n, 2) uint16 or float32: the coordinates as they travel, row i is sample i."""
        return self._quantised[1]

    @cached_property
    def coordinates(self) -> Buffer:
        """`places` in travelling order."""
        return Buffer(self.places[self.samples.order].tobytes())

    @cached_property
    def names(self) -> Buffer:
        """Class names and where they stand, as JSON."""
        found = class_labels(self.xy, np.asarray(self.samples.labels), self.samples.class_names, self.home)
        return Buffer(json.dumps(found, ensure_ascii=False).encode())

    @cached_property
    def _quantised(self) -> tuple[Frame, np.ndarray]:
        return quantised(self.xy, self.home)


@dataclass(frozen=True, eq=False)
class MapView:
    """One picture of the samples: a layout, and what is drawn over it."""

    layout: Layout
    title: str = ""
    lines: Sequence[tuple[int, int, LineKind]] = ()  # (row, row, kind)
    ring: int | None = None  # row that gets a ring


@dataclass(frozen=True, eq=False)
class Look:
    """How the samples look, the same in every view."""

    shades: np.ndarray  # (n,) numbers that index `palette`
    palette: Sequence[str]  # "#RRGGBB"
    names: Sequence[str] = ()  # of the shades, for the card of a point; none for a ramp
    marked: np.ndarray | None = None  # (n,) bool: drawn on top, larger
    dimmed: bool | None = None  # all but the marked ones grey; by default whenever one is marked
    thumbs: str | None = None  # address of thumbnails, to which "<id>.png" is added; None without images


@dataclass(frozen=True, eq=False)
class MapEvent:
    """What somebody did to the map: picked a point, or drew an area. Where ids are asked for, it stands for its ids."""

    kind: Literal["pick", "area"]
    ids: np.ndarray  # (m,) int64, ascending; one for a pick, any number for an area
    mode: Mode = "new"
    view: int = 0
    polygon: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))  # (p, 2), in the view's coordinates

    @property
    def rule(self) -> str:
        """The area as a rule for links, "box:LEFT,RIGHT,LOW,HIGH"; empty if its sides are not level and upright."""
        ends = [np.unique(self.polygon[:, axis]) for axis in range(2)]
        if len(self.polygon) != 4 or any(len(end) != 2 for end in ends):
            return ""
        return "box:" + ",".join(np.format_float_positional(end, trim="-") for end in np.concatenate(ends))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: int) -> int:
        return int(self.ids[place])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.ids, dtype, copy=copy)


def webgl_map(
    views: Sequence[MapView],
    look: Look,
    *,
    key: str,
    height: int = 560,
    select: bool = True,
    wheel: bool = True,
    linked: bool = False,
    words: str = "Map",
) -> MapEvent | None:
    """Draw the samples, which all views share; ask `available()` first.

    Parameters
    ----------
    key : stable name of the widget
    height : pixels, of all views together
    select : answer to clicks and areas; False draws a map to look at only
    wheel : zoom with the wheel; False leaves it to the page
    linked : move and zoom all views together, for aligned projections
    words : said to those who cannot see the map

    Returns
    -------
    What has just happened, once, unless `happened` was asked before; None otherwise.
    """
    samples = views[0].layout.samples
    assert all(view.layout.samples is samples for view in views), "views of one map share their samples"
    data = {
        "front": f"{FRONT}map.js",
        "count": len(samples.ids),
        "views": [_view_data(view) for view in views],
        "who": {name: buffer.address for name, buffer in samples.buffers.items()},
        **_look_data(look, samples.order),
        "height": height,
        "select": select,
        "wheel": wheel,
        "linked": linked,
        "words": words,
    }
    hear = partial(_hear, key, tuple(views))
    _component(key=key, data=data, height=height, on_pick_change=hear, on_area_change=hear, on_missing_change=hear)
    return happened(key)


def happened(key: str) -> MapEvent | None:
    """What has just been done to the map `key`, once; asked before the page is drawn, it is drawn with it at once."""
    return st.session_state.pop(key + EVENT, None)


def available() -> bool:
    """False once the visitor's browser has said that it has no WebGL 2; draw something plainer then."""
    return MISSING not in st.session_state


def why_not() -> str:
    """Why the plain map is drawn, in a sentence."""
    missing = st.session_state.get(MISSING, "")
    if missing.startswith(UNFETCHED):
        return (
            f"The map's program could not be fetched ({missing.removeprefix(UNFETCHED)}), so this is the plain map,"
            " with boxes and no lasso. A proxy must pass on all addresses; then reload the page."
        )
    reason = f" ({missing})" if missing and missing != NO_WEBGL else ""
    return f"This browser offers no WebGL 2{reason}, so this is the plain map, with boxes and no lasso."


def drawing() -> str:
    """How to draw an area on the map that the visitor's browser shows, to begin a sentence."""
    return "Draw around" if available() else "Drag a box around"


def routes() -> list[Route]:
    """GET /webgl-map/VERSION/FILE, the front end; GET /points/HASH, what pages have put there."""
    return [Route("/webgl-map/{version}/{name}", _serve_front), buffers.route()]


def _view_data(view: MapView) -> dict[str, Any]:
    layout = view.layout
    return {
        "xy": layout.coordinates.address,
        "low": layout.frame.low,
        "span": layout.frame.span,
        "unit": layout.frame.unit,
        "home": [layout.home.low, layout.home.high],
        "names": layout.names.address,
        "title": view.title,
        "lines": [[*layout.xy[one].tolist(), *layout.xy[other].tolist(), kind] for one, other, kind in view.lines],
        "ring": None if view.ring is None else layout.xy[view.ring].tolist(),
    }


def _look_data(look: Look, order: np.ndarray) -> dict[str, Any]:
    shades = (np.asarray(look.shades)[order] % 256).astype(np.uint8)  # palettes longer than that repeat their hues
    marked = (
        b""
        if look.marked is None or not look.marked.any()
        else np.packbits(look.marked[order], bitorder="little").tobytes()
    )
    return {
        "shades": Buffer(shades.tobytes()).address,
        "palette": list(look.palette)[:256],
        "shadeNames": list(look.names),
        "marked": base64.b64encode(marked).decode(),
        "dimmed": look.dimmed,
        "thumbs": look.thumbs,
        "hues": {"grey": theme.CONTEXT, "area": theme.BLUE, "ring": theme.VERMILION, "lines": LINES},
    }


def _hear(key: str, views: Sequence[MapView]) -> None:
    """Runs before the script does, with the views as they were drawn last."""
    sent = st.session_state[key]
    if sent.get("missing"):
        st.session_state[MISSING] = str(sent["missing"])
    st.session_state[key + EVENT] = _event(sent.get("pick"), sent.get("area"), views)


def _event(pick: str | None, area: dict[str, Any] | None, views: Sequence[MapView]) -> MapEvent | None:
    """None if it is about other samples or coordinates than are there now."""
    if pick is not None:
        picked = np.array([int(pick)], np.int64)
        return MapEvent("pick", picked) if np.isin(picked, views[0].layout.samples.ids).all() else None
    shown = [view.layout.coordinates.address for view in views]
    if area is None or area["of"] not in shown:
        return None
    number = shown.index(area["of"])
    layout = views[number].layout
    polygon = np.array(area["polygon"], np.float64).reshape(-1, 2)[:MAX_VERTICES]
    ids = np.sort(np.asarray(layout.samples.ids)[inside(layout.places, layout.frame.steps(polygon))])
    return MapEvent("area", ids, area["mode"], number, polygon)


@lru_cache(maxsize=4)
def _shuffled(count: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(count).astype(np.int32)


async def _serve_front(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES or request.path_params["version"] != VERSION:
        return Response(status_code=404)
    headers = {"Cache-Control": "max-age=31536000, immutable"}
    return Response(FILES[name], media_type=TYPES[Path(name).suffix], headers=headers)


TYPES = {".js": "text/javascript", ".css": "text/css"}
FILES = {path.name: path.read_bytes() for path in (Path(__file__).parent / "front").iterdir() if path.suffix in TYPES}
VERSION = hashlib.sha256(b"".join(FILES[name] for name in sorted(FILES))).hexdigest()[:12]
FRONT = f"webgl-map/{VERSION}/"  # seen from a page, which a proxy may have put below a prefix
# Streamlit sends these two along with every run of the script, so they only say where the front end is.
HTML = "".join(f'<link rel="modulepreload" href="{FRONT}{name}">' for name in sorted(FILES) if name.endswith(".js"))
HTML += f'<link rel="stylesheet" href="{FRONT}map.css"><div class="map"></div>'
JS = """
export default async function (component) {
  let front;
  try {
    front = await import(new URL(component.data.front, location.href).href);
  } catch (error) {
    component.setTriggerValue("missing", `fetched: ${error.message ?? error}`);
    return undefined;
  }
  return front.default(component);
}
"""
_component = st.components.v2.component("webgl_map", html=HTML, js=JS)
