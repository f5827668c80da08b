"""Which map of the samples: UMAP with settings of one's choice, or the principal axes; and how far to trust it.

A map is drawn when it is first asked for, and kept beside the run: from then on it is there at once.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import streamlit as st

from app import address, cached, figures, sidecar, theme
from app.view import View
from app.views.map.projections import DISTANCES, NEIGHBOURS, RECIPES, USUAL, Recipe, draw
from app.widgets.map.colouring import Colouring
from app.widgets.primitives.board import board
from bon_core.base.files import read_npz, whole_file
from bon_core.base.paths import indexes_folder
from bon_core.config import InputError
from bon_core.evaluation.neighbours import NeighbourTable
from bon_core.maps.projection import Progress, some_rows, trust, trustworthiness
from bon_core.runs.snapshot import Snapshot

FOLDER = "maps"
MAX_MEASURED = 30_000  # samples that are all measured; of more, SAMPLED are
SAMPLED = 2000
WORST = 0.02  # share of samples that get the end of the ramp

CSS = """
.maps {display: grid; grid-template-columns: 1fr auto auto; gap: 2px 20px; min-width: 300px}
.maps span {text-align: right; opacity: .8}
.maps span:nth-child(3n + 1) {text-align: left}
.maps .head {font-size: 12px; opacity: .72}
.maps .now {font-weight: 650; opacity: 1}
"""


@dataclass(frozen=True)
class Redrawn(Snapshot):
    """A snapshot whose map of one split is another one."""

    recipe: Recipe
    xy: np.ndarray  # (N, 2)
    trust: np.ndarray  # (N,)


def projection_menu(view: View) -> tuple[View, Colouring | None]:
    """Draw it; returns the view on the map that was chosen, and its colouring by trustworthiness if that is asked for.

    The settings are in the address of the page.
    """
    menu = st.popover(
        "Projection", icon=":material/tune:", help="How the map is made, and how far to trust it", key="maps"
    )
    with menu:
        recipe = _chosen()
        asked = st.button("Draw all maps now", help="Each is then there at once", width="stretch", key="draw-all")
    made = _made(cached.stamp(view))
    _provide(view, made, RECIPES if asked else [recipe])
    chosen = view if recipe == USUAL else replace(view, snapshot=made[recipe.name])
    with menu:
        measured = st.toggle("Measure trustworthiness", key="measured", help=_measured_help(len(view.rows)))
        if measured:
            each = _trustworthiness(chosen, recipe)
        _table(made, recipe, view)
        whole = measured and len(view.rows) <= MAX_MEASURED
        colour = whole and st.toggle("Colour the map by it", key="by-trustworthiness")
    return chosen, _colouring(each) if colour else None


def _chosen() -> Recipe:
    """By which recipe, as the controls have it."""

    def choice(label: str, options: Sequence[str], default: str, key: str, words: str) -> str:
        control = address.control(key, default, among=options.__contains__, words=label.lower())
        return st.segmented_control(label, options, required=True, help=words, **control)

    method = choice("Method", ("UMAP", "PCA"), "UMAP", "method", "PCA shows the two widest axes and bends nothing")
    if method == "PCA":
        return Recipe("PCA")
    few, near = "Few show the fine grain, many the large shape", "How close neighbours may be packed"
    neighbours = choice("Neighbours", [str(k) for k in NEIGHBOURS], str(USUAL.neighbours), "neighbours", few)
    distance = choice("Smallest distance", [f"{d:g}" for d in DISTANCES], f"{USUAL.distance:g}", "distance", near)
    return Recipe("UMAP", int(neighbours), float(distance))


# Drawn, read, kept ----------------------------------------------------------------------------------------------------


@st.cache_resource(max_entries=3, show_spinner=False)
def _made(stamp: tuple) -> dict[str, Snapshot]:
    """The maps of a view that are at hand, by recipe."""
    return {}


def _provide(view: View, made: dict[str, Snapshot], recipes: Iterable[Recipe]) -> None:
    """See that the maps are at hand. What takes long shows how far it is, and any other click stops it."""
    made.setdefault(USUAL.name, view.snapshot)
    lacking = [recipe for recipe in recipes if recipe.name not in made]
    bar = st.empty()
    for recipe in lacking:
        made[recipe.name] = _read(view, recipe) or _drawn(view, recipe, _shown(bar, f"Drawing {recipe}"))
    bar.empty()


def _drawn(view: View, recipe: Recipe, progress: Progress) -> Redrawn:
    progress(0, 1)
    vectors = np.asarray(view.snapshot.vectors)[view.rows]  # as they are kept, so that their index is known again
    xy = draw(recipe, vectors, _neighbours(view), like=_xy(view), indexes=indexes_folder(), progress=progress)
    _keep(view, recipe, xy)
    return _redrawn(view, recipe, xy)


def _redrawn(view: View, recipe: Recipe, xy: np.ndarray) -> Redrawn:
    snapshot = view.snapshot
    whole, trusted = np.array(snapshot.xy), np.array(snapshot.trust)
    whole[view.rows], trusted[view.rows] = xy, trust(xy, _neighbours(view))
    return Redrawn(snapshot.path, snapshot.meta, recipe, whole, trusted)


def _paths(view: View, recipe: Recipe) -> tuple[Path, Path]:
    """Where the map is kept, and where it came with the run; a bundled run is not written to."""
    name = f"{view.snapshot.path.name}-{view.split}-{recipe.name}.npz"
    return sidecar.path_of(view.run, FOLDER).parent / FOLDER / name, view.run.path / FOLDER / name


def _keep(view: View, recipe: Recipe, xy: np.ndarray) -> None:
    path, _ = _paths(view, recipe)
    try:
        path.parent.mkdir(parents=view.run.bundled, exist_ok=True)
        with whole_file(path) as temporary:
            np.savez(temporary, xy=xy, of=_digest(view.snapshot, cached.stamp(view)))
    except OSError:
        return  # a folder that cannot be written to: the map lives as long as the explorer does


def _read(view: View, recipe: Recipe) -> Redrawn | None:
    """The map that was kept; None if there is none, it is damaged, or it is of other vectors."""
    of = _digest(view.snapshot, cached.stamp(view))
    for path in _paths(view, recipe):
        with suppress(InputError):
            kept_map = read_npz(path)
            xy = kept_map.get("xy")
            if xy is not None and xy.shape == (len(view.rows), 2) and str(kept_map.get("of")) == of:
                return _redrawn(view, recipe, xy)
    return None


@st.cache_data(max_entries=16, show_spinner=False)
def _digest(_snapshot: Snapshot, stamp: tuple) -> str:
    """Differs from one embedding to the next."""
    return blake2b(np.ascontiguousarray(_snapshot.vectors).data, digest_size=16).hexdigest()


def _neighbours(view: View) -> NeighbourTable:
    snapshot = view.snapshot
    distances = np.asarray(snapshot.neighbour_distances).astype(np.float32)
    return NeighbourTable(np.asarray(snapshot.neighbours), distances).part(view.rows)


def _xy(view: View) -> np.ndarray:
    return np.asarray(view.snapshot.xy)[view.rows]


def _shown(place, words: str) -> Progress:
    return lambda done, of: place.progress(done / of, text=words)


# How far to trust it --------------------------------------------------------------------------------------------------


def _measured_help(count: int) -> str:
    """What the measure says."""
    words = "How seldom the map shows neighbours that are none: 1 if never, about 0.5 if by chance."
    return words if count <= MAX_MEASURED else f"{words} Measured on {theme.count(SAMPLED)} samples."


@st.cache_resource(max_entries=3, show_spinner=False)
def _measured(stamp: tuple) -> dict[str, np.ndarray]:
    """Trustworthiness of the samples on the maps that were measured, by recipe."""
    return {}


def _trustworthiness(view: View, recipe: Recipe) -> np.ndarray:
    """Of every sample of the view, (n,), or of some of them if there are very many."""
    known = _measured(cached.stamp(view))
    if recipe.name not in known:
        count = len(view.rows)
        rows = some_rows(count, seed=0, most=SAMPLED if count > MAX_MEASURED else count)
        bar = st.empty()
        progress = _shown(bar, "Measuring")
        known[recipe.name] = trustworthiness(_xy(view), cached.vectors(view), rows, progress=progress)
        bar.empty()
    return known[recipe.name]


def _table(made: dict[str, Snapshot], chosen: Recipe, view: View) -> None:
    """What is known of every map at hand."""
    known = _measured(cached.stamp(view))
    lines = []
    for recipe in RECIPES:
        if recipe.name in made:
            share = figures.map_trust(view, made[recipe.name])
            each = known.get(recipe.name)
            worth = "–" if each is None else f"{each.mean(dtype=np.float64):.4f}"
            cells = (str(recipe), theme.percent(share, 0), worth)
            lines.append((" now" if recipe == chosen else "", cells))
    rows = "".join(
        f'<span class="{kind}">{cell}</span>'
        for kind, cells in ((" head", ("map", "map trust", "trustworthiness")), *lines)
        for cell in cells
    )
    board(f'<div class="maps">{rows}</div>', key="maps-caption", css=CSS)


def _colouring(each: np.ndarray) -> Colouring:
    low = min(float(np.quantile(each, WORST)), 0.999)
    ends = (f"{low:.3f}: shows strangers as neighbours", "1: all it shows are neighbours")
    return Colouring("trustworthiness", each, tuple(reversed(theme.DIVERGING)), domain=(low, 1), ends=ends)
