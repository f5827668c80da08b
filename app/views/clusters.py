"""K clusters: what each learner of divide and conquer looks after, and whether dividing was worth it."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import cached, place, selection, state, theme
from app.analysis.clusters import block_order, flow_matrix, labels_at, most_spread
from app.state import View
from app.widgets import charts, links
from app.widgets.learner_cards import Card, learner_cards
from bon_core.division import diagnostics
from bon_core.division.diagnostics import Exemplars
from bon_core.runs import Run

STRIP = 8  # pictures in a strip of a card
SPREAD = 36  # classes in the heat map before all are asked for
MOST_CLASSES = 2000


def main() -> None:
    view = state.page(
        "K clusters",
        "Divide and conquer splits the data into K clusters and the embedding into K slices; each learner trains one"
        " slice on one cluster, where everything looks alike and only fine differences are left to learn.",
    )
    learners = view.snapshot.meta["clusters_origin"] == "learners"
    if view.snapshot.learners == 1:
        brought = view.snapshot.meta["origin"] == "embeddings"
        theme.empty(
            "These embeddings came from a file: there are no learners in them."
            if brought
            else "This run was trained undivided: one learner, one embedding.",
            "The clusters below were made afterwards, to look at. Train with more than one learner on the Train page"
            " to see who looks after what.",
        )
    word = "learner" if learners else "cluster"
    clusterings = _clusterings(view.run.path, _stamp(view.run))
    _cards(view, word, clusterings)
    st.divider()
    _classes(view, word)
    left, right = st.columns(2, gap="large")
    with left:
        _distances(view, word)
    with right:
        _flows(clusterings)
    if view.snapshot.meta.get("division"):
        st.divider()
        _division(view)
    if view.run.events("clustering"):
        st.divider()
        _health(view.run)
    if len(selection.ids()):
        links.follow(but="clusters")


# Who looks after what -------------------------------------------------------------------------------------------------


def _cards(view: View, word: str, clusterings: list[dict[str, np.ndarray]]) -> None:
    clusters = np.asarray(view.snapshot.clusters)[view.rows]
    count = _count(view)
    sizes = np.bincount(clusters, minlength=count)
    selected = np.bincount(view.snapshot.clusters[view.selected], minlength=count)
    division = view.snapshot.meta.get("division")
    found = _exemplars(view, cached.stamp(view), _stamp(view.run))
    newcomers = view.split == "train" and len(clusterings) > 1
    cards = []
    for number, telling in enumerate(found):
        told = [f"{theme.percent(sizes[number] / max(len(clusters), 1), 0)} of the {view.split} split"]
        if division and number < len(division["slice_recall"]):
            told.append(f"its slice alone: Recall@1 {theme.percent(division['slice_recall'][number], 0)}")
        if len(view.selected):
            told.append(f"{theme.count(selected[number])} of the selection")
        strips = {"centre": telling.centre, "border to the others": telling.border}
        if newcomers:
            strips["newcomers of the last clustering"] = telling.newcomers
        cards.append(
            Card(
                name=f"{word.capitalize()} {number}",
                size=int(sizes[number]),
                share=float(sizes[number] / max(len(clusters), 1)),
                told=" · ".join(told),
                strips={name: view.ids[rows] for name, rows in strips.items()},
            )
        )
    picked = learner_cards(view, cards, key="cards")
    if not newcomers and clusterings:
        theme.quiet(
            "Test samples are shown with the learner whose centre is nearest. Switch to the train split for newcomers."
        )
    if picked is not None:
        kind, value = picked
        if kind == "cluster":
            selection.put(view.ids[clusters == value], origin=f"{word} {value}", rule=f"cluster:{value}")
        else:
            selection.put(np.array([value]), origin=f"a sample of a {word}")
        st.rerun()


@st.cache_data(max_entries=8, show_spinner=False)
def _exemplars(_view: View, stamp: tuple, clusterings_stamp: tuple) -> list[Exemplars]:
    clusters = np.asarray(_view.snapshot.clusters)[_view.rows].astype(np.int64)
    history = _clusterings(_view.run.path, clusterings_stamp)
    previous = None
    if len(history) > 1 and _view.split == "train":
        previous = labels_at(_view.ids, history[-2]["ids"], history[-2]["aligned"])
        previous = np.where(previous < 0, clusters, previous)
    return diagnostics.exemplars(cached.vectors(_view), clusters, _count(_view), count=STRIP, previous=previous)


def _count(view: View) -> int:
    return len(view.snapshot.centroids)


# Classes and clusters -------------------------------------------------------------------------------------------------


def _classes(view: View, word: str) -> None:
    st.subheader(f"Which classes a {word} holds", anchor=False)
    counts = diagnostics.class_counts(
        np.asarray(view.snapshot.labels)[view.rows],
        np.asarray(view.snapshot.clusters)[view.rows].astype(np.int64),
        len(view.snapshot.class_names),
        _count(view),
    )
    present = np.flatnonzero(counts.sum(axis=1))
    words = (f"the {SPREAD} most divided", f"all {theme.count(len(present))}")
    shown = present
    if len(present) > SPREAD:
        choice = st.segmented_control(
            "Classes", words, default=words[0], required=True, label_visibility="collapsed", key="class-choice"
        )
        if choice == words[0]:
            shown = present[most_spread(counts[present], SPREAD)]
        elif len(present) > MOST_CLASSES:
            shown = present[most_spread(counts[present], MOST_CLASSES)]
    shown = shown[block_order(counts[shown])]
    theme.quiet(
        f"Each column is a class, each row a {word}; the stronger the colour, the larger the share of the class it"
        " holds. A class in one block"
        " has one owner; a divided class has none. Click a cell to select its samples."
    )
    cell = _class_chart(counts[shown], shown, view.snapshot.class_names, word)
    if cell is not None and cell != st.session_state.get("class-cell"):
        st.session_state["class-cell"] = cell
        label, cluster = cell
        inside = (view.snapshot.labels[view.rows] == label) & (view.snapshot.clusters[view.rows] == cluster)
        origin = f"{view.snapshot.class_names[label]} in {word} {cluster}"
        selection.put(view.ids[inside], origin=origin)
        st.rerun()


def _class_chart(counts: np.ndarray, classes: np.ndarray, names: list[str], word: str) -> tuple[int, int] | None:
    """Draw the heat map; the (class, cluster) that was clicked last, or None."""
    number = counts.shape[1]
    table = pd.DataFrame(
        {
            "class": np.repeat(classes, number),
            "name": np.repeat([names[label] for label in classes], number),
            "place": np.repeat(np.arange(len(classes)), number),
            "cluster": np.tile(np.arange(number), len(classes)),
            "samples": counts.ravel(),
            "share": (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).ravel(),
        }
    )
    table["row"] = [f"{word} {k}" for k in table["cluster"]]
    few = len(classes) <= 60
    order = alt.EncodingSortField("place")
    axis = alt.Axis(
        title=None, labels=few, labelAngle=0, labelOverlap=False, labelLimit=44, labelFontSize=13, grid=False
    )
    chart = (
        alt.Chart(table)
        .mark_rect(cornerRadius=2 if few else 0)
        .encode(
            x=alt.X("class:O", sort=order, axis=axis if not few else None),
            y=alt.Y("row:N", sort=None, axis=alt.Axis(title=None, grid=False)),
            color=alt.value(theme.BLUE),
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 1]), legend=None),
            tooltip=["name:N", "row:N", "samples:Q", alt.Tooltip("share:Q", format=".0%")],
        )
        .add_params(alt.selection_point(name="cell", fields=["class", "cluster"], on="click", toggle=False))
    )
    layers = [chart]
    if few:
        words = table[table["cluster"] == 0].assign(row=f"{word} {number - 1}")
        layers.append(
            alt.Chart(words)
            .mark_text(baseline="top", dy=24, fontSize=13, color=theme.ink(), limit=40)
            .encode(x=alt.X("class:O", sort=order), y=alt.Y("row:N", sort=None), text="name:N")
        )
    whole = alt.layer(*layers).properties(height=34 * number + 24, usermeta={"embedOptions": {"renderer": "canvas"}})
    event = st.altair_chart(
        charts.styled(whole),
        key=f"class-chart-{few}",
        on_select="rerun",
        selection_mode="cell",
        width="stretch",
        alt=f"Share of each class that each {word} holds",
    )
    picked = event["selection"].get("cell") or []
    if not picked or "class" not in picked[0]:
        return None
    return int(picked[0]["class"]), int(picked[0]["cluster"])


# Distances and flows --------------------------------------------------------------------------------------------------


def _distances(view: View, word: str) -> None:
    st.subheader("Are negatives harder inside a cluster?", anchor=False)
    inside, anywhere = _negative_distances(view, cached.stamp(view))
    if not len(inside) or not len(anywhere):
        theme.empty("There are no such pairs.", f"Every {word} holds a single class in this split.")
        return
    theme.quiet(
        f"Distances of random pairs of different classes. Inside a {word} they lie at {inside.mean():.2f} on"
        " average, in the"
        f" whole split at {anywhere.mean():.2f}: "
        + (
            "a batch from one cluster is the harder one."
            if inside.mean() < anywhere.mean()
            else "dividing gains nothing here."
        )
    )
    theme.legend([(theme.VERMILION, f"inside a {word}", ""), (theme.CONTEXT, "whole split", "")])
    top = float(max(inside.max(), anywhere.max()))
    edges = np.linspace(0, top, 41)
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "from": edges[:-1],
                    "to": edges[1:],
                    "share": np.histogram(values, edges)[0] / len(values),
                    "what": name,
                }
            )
            for name, values in (("whole split", anywhere), (f"inside a {word}", inside))
        ]
    )
    shades = alt.Scale(domain=[f"inside a {word}", "whole split"], range=[theme.VERMILION, theme.CONTEXT])
    chart = (
        alt.Chart(table)
        .mark_area(opacity=0.5, interpolate="step-after", line=True)
        .encode(
            x=alt.X("from:Q", axis=alt.Axis(title="distance between two classes", grid=False, tickCount=6)),
            y=alt.Y("share:Q", stack=None, axis=alt.Axis(title="share of pairs", format="%", tickCount=4)),
            color=alt.Color("what:N", scale=shades, legend=None),
        )
        .properties(height=230)
    )
    charts.show(
        chart, key="negative-distances", alt_text="Histograms of negative distances inside clusters and overall"
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _negative_distances(_view: View, stamp: tuple) -> tuple[np.ndarray, np.ndarray]:
    snapshot, rows = _view.snapshot, _view.rows
    return diagnostics.negative_distances(
        cached.vectors(_view),
        np.asarray(snapshot.labels)[rows],
        np.asarray(snapshot.clusters)[rows],
        seed=0,
        samples=20_000,
    )


def _flows(clusterings: list[dict[str, np.ndarray]]) -> None:
    st.subheader("Who changed learner", anchor=False)
    if len(clusterings) < 2:
        theme.empty(
            "There are no two clusterings to compare.",
            "A divided run clusters again every few epochs; train longer, or with more learners than one.",
        )
        return
    last = len(clusterings) - 1
    steps = [int(clustering["step"]) for clustering in clusterings]
    at = place.number("clustering", lambda value: 1 <= value <= last, fallback=last, words="clustering")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        options = list(range(1, last + 1))
        chosen = st.selectbox(
            "Between",
            options,
            index=at - 1,
            format_func=lambda number: f"step {steps[number - 1]:,} → {steps[number]:,}",
            key=f"flow-{at}",
            label_visibility="collapsed",
            width=210,
        )
        names = st.segmented_control(
            "Names",
            ["aligned", "raw"],
            default="aligned",
            required=True,
            key="flow-names",
            label_visibility="collapsed",
        )
    if chosen != at:
        place.go("clustering", chosen)
        st.rerun()
    before, after = clusterings[at - 1]["aligned"], clusterings[at][names]
    flows = flow_matrix(before, after, len(clusterings[at]["centroids"]))
    moved = 1 - np.trace(flows) / max(flows.sum(), 1)
    words = (
        "Matched names: a learner keeps the cluster that overlaps most with the one it had, so little flows across."
        if names == "aligned"
        else "K-means' own names, before matching. Where they differ from the aligned ones, learners would swap jobs."
    )
    theme.quiet(f"{words} {theme.percent(moved)} of the samples changed.")
    learners = [f"learner {k}" for k in range(len(flows))]
    charts.show(
        charts.sankey(flows, before=learners, after=learners), key="flows", alt_text="Samples that changed learner"
    )


def _stamp(run: Run) -> tuple[int, int]:
    times = [path.stat().st_mtime_ns for path in (run.path / "clusterings").glob("step-*.npz")]
    return len(times), max(times, default=0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _clusterings(path: Path, stamp: tuple[int, int]) -> list[dict[str, np.ndarray]]:
    return Run(path).clusterings()


# Was it worth it? -----------------------------------------------------------------------------------------------------


def _division(view: View) -> None:
    division = view.snapshot.meta["division"]
    recall = division["slice_recall"]
    learners = [f"learner {k}" for k in range(len(recall))]
    best, whole = max(recall), division["whole"]
    gain = f"together they gain {100 * (whole - best):.1f} points." if whole > best else "together they gain nothing."
    verdict = f"The best slice alone reaches {theme.percent(best)}, all of them {theme.percent(whole)}: {gain}"
    st.subheader("Do the learners complement each other?", anchor=False)
    theme.quiet(f"{verdict} Recall@1 on samples that were not trained on.")
    first, second, third = st.columns([1, 1.15, 1.15], gap="large")
    with first:
        theme.quiet("Each slice alone, and the whole embedding.")
        hues = [theme.hue(k) for k in range(len(recall))]
        chart = charts.bars(
            [*learners, "whole"], [*recall, division["whole"]], colours=[*hues, theme.CONTEXT], percent=True, row=30
        )
        charts.show(chart, key="slice-recall", alt_text="Recall of each slice and of the whole")
    with second:
        theme.quiet("Each slice on each cluster. A specialist is best on its own, on the diagonal.")
        matrix = np.array(division["matrix"], np.float64)
        columns = [f"cluster {k}" for k in range(matrix.shape[1])]
        chart = charts.heatmap(matrix, learners, columns, value_title="Recall@1", domain=_range(matrix), cell=38)
        charts.show(chart, key="recall-matrix", alt_text="Recall of each learner's slice on each cluster")
    with third:
        theme.quiet("How alike two slices judge distances: 1 is the same opinion twice, near 0 a second opinion.")
        alike = np.array(division["correlation"], np.float64)
        chart = charts.heatmap(
            alike, learners, learners, value_title="correlation", number_format=".2f", domain=(0, 1), cell=38
        )
        charts.show(chart, key="slice-correlation", alt_text="Correlation between the slices' distances")


def _range(matrix: np.ndarray) -> tuple[float, float]:
    known = matrix[~np.isnan(matrix)]
    return (float(known.min()), float(max(known.max(), known.min() + 0.02))) if len(known) else (0, 1)


def _health(run: Run) -> None:
    events = run.events("clustering")
    total = sum(events[-1]["sizes"])
    st.subheader("Health over clusterings", anchor=False)
    first, second = st.columns(2, gap="large")
    sizes = pd.DataFrame(
        [
            {"step": event["step"], "share": size / total, "what": f"learner {k}"}
            for event in events
            for k, size in enumerate(event["sizes"])
        ]
    )
    kinds = {"moved": "changed learner", "moved_raw": "would have, unmatched", "dropped": "left out"}
    renamed = any(event["moved"] != event["moved_raw"] for event in events)
    if not renamed:  # the two curves are one
        del kinds["moved_raw"]
    rates = pd.DataFrame(
        [
            {"step": event["step"], "share": event[name] / total, "what": words}
            for event in events
            for name, words in kinds.items()
            if event.get(name) is not None
        ]
    )
    with first:
        theme.quiet("Sizes of the clusters; one that starves leaves its learner without work.")
        hues = {f"learner {k}": theme.hue(k) for k in range(len(events[-1]["sizes"]))}
        _points(sizes, hues, "Share of the samples in each cluster over the training", key="cluster-sizes")
    with second:
        kept = "" if renamed else " The warm start kept all names, so matching had nothing to rename."
        theme.quiet(
            f"Samples that changed learner, and those left out because they were alone in their class there.{kept}"
        )
        shades = {"moved": theme.BLUE, "moved_raw": theme.CONTEXT, "dropped": theme.VERMILION}
        hues = {words: shades[name] for name, words in kinds.items()}
        _points(rates, hues, "Share of the samples that changed learner or were left out", key="cluster-moves")


def _points(table: pd.DataFrame, colours: dict[str, str], words: str, *, key: str) -> None:
    theme.legend([(colour, name, "") for name, colour in colours.items()])
    chart = charts.curves(
        table, x="step", y="share", series="what", x_title="training step", colours=colours, percent=True, points=True
    )
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    charts.show(chart.encode(color=alt.Color("what:N", scale=scale, legend=None)), key=key, alt_text=words)


main()
