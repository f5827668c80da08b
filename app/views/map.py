"""Map: where the samples lie, who their neighbours really are, and where the map lies."""

import numpy as np
import streamlit as st

from app import pictures, selection, state, theme
from app.state import View
from app.widgets import charts
from app.widgets.colouring import colouring
from app.widgets.gallery import gallery
from app.widgets.links import follow
from app.widgets.point_map import LineKind, point_map

NEIGHBOURS = 10
FOCUS = "at"
MODES = ("New", "Add", "Subtract")


def main() -> None:
    view = state.page(
        "Map", "Drag a box to select, click a point for its true neighbours, scroll to zoom, shift-drag to move."
    )
    focus = _focus(view)
    wide, side = st.columns([3.1, 1], gap="medium")
    with wide:
        mode, colour = _controls(view)
        true, near = _neighbours(view, focus) if focus is not None else (np.empty(0, int), np.empty(0, int))
        news = point_map(
            view,
            key="map",
            colour=colour,
            highlight=selection.ids(),
            lines=_lines(view, focus, true, near),
            focus=focus,
            height=640,
        )
    _take(view, news, mode)
    with side:
        if focus is None:
            _overview(view)
        else:
            _focus_panel(view, focus, true, near)
    _selection_panel(view)


def _controls(view: View):
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        mode = st.segmented_control(
            "A box makes", MODES, default=MODES[0], required=True, key="mode", label_visibility="collapsed"
        )
        bit = 0
        if view.colour == "bit":
            bits = range(view.snapshot.bits)
            bit = st.selectbox("Bit", bits, key="bit", bind="query-params", width=90, label_visibility="collapsed")
        colour = colouring(view, bit=bit)
        with st.container(width="stretch"):
            colour.legend()
    return mode, colour


def _take(view: View, news: np.ndarray | None, mode: str) -> None:
    """A click sets the focus, a box the selection."""
    if news is None:
        return
    if len(news) == 1:
        st.query_params[FOCUS] = str(news[0])
    else:
        selection.put(news, mode=mode.lower(), origin="box on the map", rule=view.box_rule(news))
    st.rerun()


def _focus(view: View) -> int | None:
    """The clicked id, as the address has it."""
    text = st.query_params.get(FOCUS, "")
    return int(text) if text.isdecimal() and len(view.among(np.array([int(text)]))) else None


def _neighbours(view: View, focus: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the NEIGHBOURS nearest in the embedding space, and of those nearest on the map."""
    row = view.snapshot.position_of[focus]
    true = np.asarray(view.snapshot.neighbours[row])[:NEIGHBOURS]
    xy = np.asarray(view.snapshot.xy)
    distance = np.square(xy[view.rows] - xy[row]).sum(axis=1)
    distance[view.rows == row] = np.inf
    return true, view.rows[np.argsort(distance)[:NEIGHBOURS]]


def _lines(view: View, focus: int | None, true: np.ndarray, near: np.ndarray) -> list[tuple[int, int, LineKind]]:
    if focus is None:
        return []
    ids, labels = view.snapshot.ids, view.snapshot.labels
    own = labels[view.snapshot.position_of[focus]]
    found: list[tuple[int, int, LineKind]] = [(focus, int(ids[row]), "map") for row in np.setdiff1d(near, true)]
    return found + [(focus, int(ids[row]), "right" if labels[row] == own else "wrong") for row in true]


def _overview(view: View) -> None:
    snapshot, rows = view.snapshot, view.rows
    trust = np.asarray(snapshot.trust)[rows].astype(np.float32)
    theme.figures(
        [
            (theme.count(len(rows)), "samples", ""),
            (theme.count(len(np.unique(np.asarray(snapshot.labels)[rows]))), "classes", ""),
            (
                theme.percent(float(np.asarray(snapshot.correct)[rows].mean())),
                "nearest is right",
                "Share of samples whose nearest neighbour in the embedding space has the same class: Recall@1",
            ),
            (
                theme.percent(float(trust.mean()), 0),
                "of neighbours kept",
                "Share of the true neighbours that are also neighbours on the map; the rest the projection tore apart",
            ),
        ]
    )
    theme.quiet("A map of many dimensions on two must lie somewhere. Colour by map trust to see where.")
    st.markdown("**Hardness**", help="Distance to the nearest of the own class, less that to the nearest of another.")
    hardness = np.asarray(snapshot.hardness)[rows].astype(np.float32)
    chart = charts.histogram(hardness, mark=[0], x_title="above 0 a wrong class is nearer", height=150)
    charts.show(chart, key="map-hardness")
    if st.button("Select the 60 hardest", icon=":material/local_fire_department:", width="stretch"):
        selection.put(view.ids[np.argsort(-hardness)[:60]], origin="60 hardest")
        st.rerun()


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
            st.query_params[FOCUS] = str(clicked)
            st.rerun()

    st.markdown("**True neighbours**, nearest first")
    distances = np.asarray(snapshot.neighbour_distances[row])[: len(true)]
    shown(true, "map-true", [f"{distance:.2f}" for distance in distances.astype(float)])
    st.markdown("**Neighbours on the map**")
    shown(near, "map-near", None)
    words = "the map can be trusted here" if agree >= 6 else "look twice" if agree >= 3 else "this region lies"
    theme.quiet(f"{agree} of {len(true)} agree: {words}. Blue edges are the same class, vermilion another.")
    with st.container(horizontal=True, gap="small"):
        if st.button("Select these", help="The sample and its true neighbours"):
            selection.put(ids[[row, *true]], origin=f"neighbours of {view.class_name(row)}")
            st.rerun()
        if st.button("Select its class"):
            label = int(labels[row])
            selection.put(view.ids_of(f"class:{label}"), origin=f"class {view.class_name(row)}", rule=f"class:{label}")
            st.rerun()
        if st.button("Close", type="tertiary"):
            del st.query_params[FOCUS]
            st.rerun()


def _portrait(view: View, row: int) -> None:
    snapshot = view.snapshot
    image = pictures.picture(view, int(snapshot.ids[row]))
    facts = {
        "bucket": f"0x{int(snapshot.codes[row]):x}",
        "learner" if snapshot.meta["clusters_origin"] == "learners" else "cluster": str(int(snapshot.clusters[row])),
        "hardness": f"{float(snapshot.hardness[row]):+.2f}",
        "map trust": theme.percent(float(snapshot.trust[row]), 0),
        **{name: names[int(codes[row])] for name, (codes, names) in snapshot.fields.items()},
    }
    theme.portrait(
        view.class_name(row), facts, None if image is None else pictures.data_address(image, size=max(96, len(image)))
    )


def _selection_panel(view: View) -> None:
    rows = view.selected
    if not len(rows):
        theme.quiet("Nothing is selected. A box on the map, a bucket, a cluster or a class on the other pages selects.")
        return
    snapshot = view.snapshot
    labels = np.asarray(snapshot.labels)[rows]
    st.subheader(f"{theme.count(len(rows))} selected", anchor=False)
    follow(but="map")
    pictures_column, numbers_column = st.columns([1.6, 1], gap="large")
    with pictures_column:
        borders = ["" if right else "wrong" for right in np.asarray(snapshot.correct)[rows]]
        with st.container(height=470 if len(rows) > 120 else "content", border=False):
            clicked = gallery(view, np.asarray(snapshot.ids)[rows], key="map-gallery", borders=borders, size=46)
        theme.quiet("Vermilion edges: the nearest neighbour is of another class.")
        if clicked is not None:
            st.query_params[FOCUS] = str(clicked)
            st.rerun()
    with numbers_column:
        _shares("Classes", [snapshot.class_names[label] for label in labels], "map-classes")
        _shares("Buckets", [f"0x{code:x}" for code in np.asarray(snapshot.codes)[rows]], "map-buckets")
        _shares("Learners", [f"learner {k}" for k in np.asarray(snapshot.clusters)[rows]], "map-learners")


def _shares(title: str, values: list[str], key: str, most: int = 7) -> None:
    """The commonest values as bars."""
    names, counts = np.unique(np.array(values), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    st.markdown(f"**{title}** · {theme.count(len(names))}")
    charts.show(charts.bars(names[order], counts[order], row=20), key=key)


main()
