"""Map: where the samples lie, who their neighbours really are, and where the map lies."""

import numpy as np
import streamlit as st

from app import address, cached, figures, pictures, selection, state, theme
from app.view import View
from app.views.map.projection_menu import Redrawn, projection_menu
from app.views.map.shares import shares
from app.widgets.charts.histogram import histogram
from app.widgets.charts.plot import ticks
from app.widgets.map.colouring import Colouring, colouring
from app.widgets.map.point_map import point_map
from app.widgets.map.webgl_map import LineKind, MapEvent, drawing, happened
from app.widgets.primitives.gallery import gallery
from app.widgets.primitives.links import follow

KEY = "map"
FOCUS = "at"
BINS = 36
REDRAWN = "map-redrawn"  # in the session: whether the map drawn last is another than the snapshot's
MAX_PICTURES = 60  # of a selection


def main() -> None:
    _take(happened(KEY))
    view = state.page("Map", f"{drawing()} points to select them, click one for its true neighbours, scroll to zoom.")
    focus = _focus(view)
    wide, side = st.columns([3.1, 1], gap="medium")
    with wide:
        view, colour = _map_and_colour(view)
        true, near = _neighbours(view, focus) if focus is not None else (np.empty(0, int), np.empty(0, int))
        event = point_map(
            view,
            key=KEY,
            colour=colour,
            highlight=selection.ids(),
            lines=_lines(view, focus, true, near),
            focus=focus,
            height=640,
        )
    if event is not None:  # of the plain map, which tells nothing before it is drawn
        _take(event)
        st.rerun()
    with side:
        if focus is None:
            _overview(view)
        else:
            _focus_panel(view, focus, true, near)
    _selection_panel(view)


def _map_and_colour(view: View) -> tuple[View, Colouring]:
    """The view on the map that was chosen, and its colouring by the header's choice unless another is asked for.

    The legend is drawn; hash bits have a menu of their own.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        view, colour = projection_menu(view)
        st.session_state[REDRAWN] = isinstance(view.snapshot, Redrawn)
        bit = 0
        if view.colour == "bit":
            bits = range(view.snapshot.bits)
            control = address.control("bit", 0, read=int, among=bits.__contains__)
            bit = st.selectbox("Bit", bits, width=90, label_visibility="collapsed", **control)
        colour = colour or colouring(view, bit=bit)
        with st.container(width="stretch"):
            colour.legend(np.searchsorted(view.rows, view.selected))
    return view, colour


def _take(event: MapEvent | None) -> None:
    """A click sets the focus, an area the selection."""
    if event is not None and event.kind == "pick":
        address.choose(FOCUS, event.ids[0])
    elif event is not None:
        rule = "" if st.session_state.get(REDRAWN) else event.rule  # a box in a link is one on the snapshot's map
        selection.put(event.ids, mode=event.mode, origin="area on the map", rule=rule)


def _focus(view: View) -> int | None:
    """The clicked id, as the address has it; one that is not here is said, and closed."""
    text = address.value(FOCUS)
    if text is None:
        return None
    identity = address.whole(text)
    row = None if identity is None else view.snapshot.position_of.get(identity)
    if row is not None and state.SPLIT_NAMES[int(view.snapshot.split[row])] == view.split:
        address.show(FOCUS, text)
        return identity
    address.forget(FOCUS)
    theme.error_box(f"Sample {text} is not in the {view.split} split of {view.run.name}, so it is not opened.")
    return None


def _neighbours(view: View, focus: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the nearest in the embedding space, as many as the map trust counts, and of those on the map."""
    count = figures.trust_at(view)
    row = view.snapshot.position_of[focus]
    true = np.asarray(view.snapshot.neighbours[row])[:count]
    xy = np.asarray(view.snapshot.xy)
    distance = np.square(xy[view.rows] - xy[row]).sum(axis=1)
    distance[view.rows == row] = np.inf
    return true, view.rows[np.argsort(distance)[:count]]


def _lines(view: View, focus: int | None, true: np.ndarray, near: np.ndarray) -> list[tuple[int, int, LineKind]]:
    if focus is None:
        return []
    ids, labels = view.snapshot.ids, view.snapshot.labels
    own = labels[view.snapshot.position_of[focus]]
    found: list[tuple[int, int, LineKind]] = [(focus, int(ids[row]), "map") for row in np.setdiff1d(near, true)]
    return found + [(focus, int(ids[row]), "right" if labels[row] == own else "wrong") for row in true]


def _overview(view: View) -> None:
    classes, counts, edges = _facts(view, cached.stamp(view))
    theme.figures(
        [
            (theme.count(len(view.rows)), "samples", ""),
            (theme.count(classes), "classes", ""),
            (
                theme.percent(figures.metric(view, "recall@1")),
                "Recall@1",
                "Share of samples whose nearest neighbour in the embedding space is of their class; those alone in"
                " their class are left out",
            ),
            (
                theme.percent(figures.map_trust(view), 0),
                "map trust",
                f"Share of a sample's {figures.trust_at(view)} true nearest neighbours that are also among as many"
                " nearest on the map, on average",
            ),
        ]
    )
    theme.caption("A map of many dimensions on two must lie somewhere. Colour by map trust to see where.")
    st.markdown("**Hardness**", help="Distance to the nearest of the own class, less that to the nearest of another.")
    named = ticks(float(edges[0]), float(edges[-1]), 5)
    picked = histogram(counts, edges, key="map-hardness", title="above 0 a wrong class is nearer", ticks=named, above=0)
    hardness = np.asarray(view.snapshot.hardness)[view.rows].astype(np.float32)
    if picked is not None:
        low, high = edges[picked : picked + 2]
        inside = (hardness >= low) & (hardness <= high)
        selection.put(view.ids[inside], origin=f"hardness {low:.2f} to {high:.2f}")
        st.rerun()
    if st.button("Select the 60 hardest", icon=":material/local_fire_department:", width="stretch"):
        selection.put(view.ids[np.argsort(-hardness)[:60]], origin="60 hardest")
        st.rerun()


@st.cache_data(max_entries=8, show_spinner=False)
def _facts(_view: View, stamp: tuple) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of classes, counts and edges of a histogram of the hardness."""
    snapshot, rows = _view.snapshot, _view.rows
    hardness = np.asarray(snapshot.hardness)[rows].astype(np.float64)
    counts, edges = np.histogram(hardness[np.isfinite(hardness)], bins=BINS)
    classes = len(np.unique(np.asarray(snapshot.labels)[rows]))
    return classes, counts, edges


def _focus_panel(view: View, focus: int, true: np.ndarray, near: np.ndarray) -> None:
    snapshot = view.snapshot
    row = snapshot.position_of[focus]
    agree = len(np.intersect1d(true, near))
    _portrait(view, row)
    labels = np.asarray(snapshot.labels)
    ids = np.asarray(snapshot.ids)

    def shown(rows: np.ndarray, key: str, captions: list[str] | None) -> None:
        borders = ["right" if labels[other] == labels[row] else "wrong" for other in rows]
        clicked = gallery(view, ids[rows], key=key, captions=captions, borders=borders, size=46)
        if clicked is not None:
            address.choose(FOCUS, clicked)
            st.rerun()

    st.markdown("**True neighbours**, nearest first")
    distances = np.asarray(snapshot.neighbour_distances[row])[: len(true)]
    shown(true, "map-true", [f"{distance:.2f}" for distance in distances.astype(float)])
    st.markdown("**Neighbours on the map**")
    shown(near, "map-near", None)
    share = agree / max(len(true), 1)
    words = "most are true" if share >= 0.6 else "look twice" if share >= 0.3 else "this region misleads"
    theme.caption(f"{agree} of {len(true)} agree: {words}. Blue edges are the same class, vermilion another.")
    with st.container(horizontal=True, gap="small"):
        if st.button("Select these", help="The sample and its true neighbours"):
            selection.put(ids[[row, *true]], origin=f"neighbours of {view.short_name(row)}")
            st.rerun()
        if st.button("Select its class"):
            label = int(labels[row])
            selection.put(view.ids_of(f"class:{label}"), origin=f"class {view.short_name(row)}", rule=f"class:{label}")
            st.rerun()
        if st.button("Close", type="tertiary"):
            address.forget(FOCUS)
            st.rerun()


def _portrait(view: View, row: int) -> None:
    snapshot = view.snapshot
    image = pictures.picture(view, int(snapshot.ids[row]))
    facts = {
        "bucket": f"0x{int(snapshot.codes[row]):x}",
        "learner" if snapshot.meta["clusters_origin"] == "learners" else "cluster": str(int(snapshot.clusters[row])),
        "hardness": f"{float(snapshot.hardness[row]):+.2f}",
        "map trust": f"{theme.percent(float(snapshot.trust[row]), 0)} of {figures.trust_at(view)}",
        **{name: names[int(codes[row])] for name, (codes, names) in snapshot.fields.items()},
    }
    theme.portrait(
        view.class_name(row), facts, None if image is None else pictures.data_address(image, size=max(96, len(image)))
    )


def _selection_panel(view: View) -> None:
    rows = view.selected
    if not len(rows):
        theme.caption(
            "Nothing is selected. Draw on the map, or choose a bucket, a cluster or a class on the other pages."
        )
        return
    snapshot = view.snapshot
    labels = np.asarray(snapshot.labels)[rows]
    st.header(f"{theme.count(len(rows))} selected", anchor=False)
    follow(but="map")
    pictures_column, numbers_column = st.columns([1.6, 1], gap="large")
    with pictures_column:
        some = rows[:: -(-len(rows) // MAX_PICTURES)]
        borders = ["" if right else "wrong" for right in np.asarray(snapshot.correct)[some]]
        with st.container(height=470 if len(some) > 120 else "content", border=False):
            clicked = gallery(view, np.asarray(snapshot.ids)[some], key="map-gallery", borders=borders, size=46)
        shown = f"{theme.count(len(some))} of them, evenly spread, are shown. " if len(some) < len(rows) else ""
        theme.caption(f"{shown}Vermilion edges: the nearest neighbour is of another class.")
        if clicked is not None:
            address.choose(FOCUS, clicked)
            st.rerun()
    with numbers_column:
        learner = "learner" if snapshot.meta["clusters_origin"] == "learners" else "cluster"
        shares("Classes", labels, snapshot.class_names.__getitem__)
        shares("Buckets", np.asarray(snapshot.codes)[rows], hex)
        shares(f"{learner.capitalize()}s", np.asarray(snapshot.clusters)[rows], f"{learner} {{}}".format)


main()
