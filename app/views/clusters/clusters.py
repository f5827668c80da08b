"""K clusters: what each learner of divide and conquer looks after, and what dividing brought."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import address, cached, figures, selection, state, theme, url_state
from app.figures import Slices
from app.view import View
from app.views.clusters.class_map import class_map
from app.views.clusters.flows import block_order, flow_matrix, labels_at, most_spread, phases, specialists
from app.views.clusters.heat_matrix import heat_matrix
from app.views.clusters.learner_cards import Card, learner_cards
from app.views.clusters.phase_strip import phase_strip
from app.views.clusters.ribbons import ribbons
from app.widgets.charts.plot import PLOT, Line, plot
from app.widgets.primitives import links
from app.widgets.primitives.board import board
from bon_core.division import diagnostics
from bon_core.division.diagnostics import Exemplars
from bon_core.runs.run import Run

STRIP = 8  # pictures in a strip of a card
SPREAD = 36  # classes in the heat map before all are asked for
MAX_CLASSES = 600
BINS = 40


def main() -> None:
    view = state.page(
        "K clusters",
        "Divide and conquer gives each of K learners one cluster of the data and one slice of the embedding; in the end"
        " all slices are trained together.",
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
    stretches = phases([event for event in cached.events(view.run) if event.get("kind") == "step"])
    divided = [event for event in cached.events(view.run) if event.get("kind") == "clustering"]
    if len(stretches) > 1:
        phase_strip(stretches, [event["step"] for event in divided], key="phases")
    _cards(view, word, clusterings)
    st.divider()
    _classes(view, word)
    left, right = st.columns(2, gap="large")
    with left:
        _distances(view, word)
    with right:
        _flows(clusterings)
    slices = figures.slices(view)
    if slices is not None:
        st.divider()
        _division(view, slices)
    if divided:
        st.divider()
        _health(divided)
    if len(selection.ids()):
        links.follow(but="clusters")


# Who looks after what -------------------------------------------------------------------------------------------------


def _cards(view: View, word: str, clusterings: list[dict[str, np.ndarray]]) -> None:
    clusters = np.asarray(view.snapshot.clusters)[view.rows]
    count = _count(view)
    sizes = np.bincount(clusters, minlength=count)
    selected = np.bincount(view.snapshot.clusters[view.selected], minlength=count)
    slices = figures.slices(view)
    found = _exemplars(view, cached.stamp(view), _stamp(view.run))
    newcomers = view.split == "train" and len(clusterings) > 1
    cards = []
    for number, telling in enumerate(found):
        caption = [f"{theme.percent(sizes[number] / max(len(clusters), 1), 0)} of the {view.split} split"]
        if slices is not None and number < len(slices.alone):
            caption.append(f"its slice alone: Recall@1 {theme.percent(slices.alone[number])} ({slices.split})")
        if len(view.selected):
            caption.append(f"{theme.count(selected[number])} of the selection")
        strips = {"centre": telling.centre, "border to the others": telling.border}
        if newcomers:
            strips["newcomers of the last clustering"] = telling.newcomers
        cards.append(
            Card(
                name=f"{word.capitalize()} {number}",
                size=int(sizes[number]),
                share=float(sizes[number] / max(len(clusters), 1)),
                caption=" · ".join(caption),
                strips={name: view.ids[rows] for name, rows in strips.items()},
            )
        )
    st.header(f"What each {word} looks after", anchor=False)
    theme.caption(
        "At its centre lies what it is made of. At its border lies what the next clustering may give to another"
        f" {word}. Click a picture to select it."
    )
    picked = learner_cards(view, cards, key="cards")
    if not newcomers and clusterings:
        theme.caption(
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
    classes = np.asarray(_view.snapshot.labels)[_view.rows]
    return diagnostics.exemplars(
        cached.vectors(_view), clusters, _count(_view), count=STRIP, previous=previous, classes=classes
    )


def _count(view: View) -> int:
    return len(view.snapshot.centroids)


# Classes and clusters -------------------------------------------------------------------------------------------------


def _classes(view: View, word: str) -> None:
    st.header(f"Which classes a {word} holds", anchor=False)
    counts = diagnostics.class_counts(
        np.asarray(view.snapshot.labels)[view.rows],
        np.asarray(view.snapshot.clusters)[view.rows].astype(np.int64),
        len(view.snapshot.class_names),
        _count(view),
    )
    present = np.flatnonzero(counts.sum(axis=1))
    many = f"all {theme.count(len(present))}" if len(present) <= MAX_CLASSES else f"the {MAX_CLASSES} most divided"
    words = (f"the {SPREAD} most divided", many)
    shown = present
    if len(present) > SPREAD:
        choice = st.segmented_control(
            "Classes",
            words,
            required=True,
            label_visibility="collapsed",
            **address.control("classes", words[0], among=words.__contains__),
        )
        shown = present[most_spread(counts[present], SPREAD if choice == words[0] else MAX_CLASSES)]
    shown = shown[block_order(counts[shown])]
    theme.caption(
        f"Each column is a class, each row a {word}; the stronger the colour, the larger the share of the class it"
        " holds. A class in one block"
        " has one owner; a divided class has none. Click a cell to select its samples."
    )
    with st.container(key="class-map"):
        names = [view.snapshot.class_names[label] for label in shown]
        cell = class_map(counts[shown], shown.tolist(), names, word, key="classes-of-clusters")
    if cell is not None:
        label, cluster = cell
        inside = (view.snapshot.labels[view.rows] == label) & (view.snapshot.clusters[view.rows] == cluster)
        origin = f"{view.short(label)} in {word} {cluster}"
        selection.put(view.ids[inside], origin=origin)
        st.rerun()


# Distances and flows --------------------------------------------------------------------------------------------------


def _distances(view: View, word: str) -> None:
    st.header(f"Are negatives nearer inside a {word}?", anchor=False)
    inside, anywhere = _negative_distances(view, cached.stamp(view))
    if not len(inside) or not len(anywhere):
        theme.empty("There are no such pairs.", f"Every {word} holds a single class in this split.")
        return
    theme.caption(
        f"Two random samples of different classes lie {inside.mean():.2f} apart on average inside a {word},"
        f" {anywhere.mean():.2f} in the whole split: {_nearer(float(inside.mean()), float(anywhere.mean()), word)}."
    )
    kinds = ((f"inside a {word}", theme.VERMILION, inside), ("whole split", theme.CONTEXT, anywhere))
    theme.legend([(shade, name, "") for name, shade, _ in kinds])
    edges = np.linspace(0, float(max(inside.max(), anywhere.max())), BINS + 1)
    lines = []
    for name, shade, values in reversed(kinds):
        shares = np.histogram(values, edges)[0] / len(values)
        stairs = np.column_stack([np.repeat(edges, 2)[1:-1], np.repeat(shares, 2)])
        lines.append(Line(name, shade, stairs, area=True))
    drawn = plot(
        lines,
        words=f"Distances of negatives inside a {word} and in the whole split",
        written=lambda share: theme.percent(share, 0),
        y=(0, 1.08 * max(float(line.points[:, 1].max()) for line in lines)),
        title="distance between two classes, by share of pairs",
        height=200,
    )
    board(drawn, key="negative-distances", css=PLOT)


@st.cache_data(max_entries=8, show_spinner=False)
def _negative_distances(_view: View, stamp: tuple) -> tuple[np.ndarray, np.ndarray]:
    """How far apart random negatives are inside a cluster, and anywhere."""
    snapshot, rows = _view.snapshot, _view.rows
    return diagnostics.negative_distances(
        cached.vectors(_view),
        np.asarray(snapshot.labels)[rows],
        np.asarray(snapshot.clusters)[rows],
        seed=0,
        samples=20_000,
    )


def _flows(clusterings: list[dict[str, np.ndarray]]) -> None:
    st.header("Does a learner keep its job?", anchor=False)
    if len(clusterings) < 2:
        theme.empty(
            "There are no two clusterings to compare.",
            "A divided run clusters again every few epochs; train longer, or with more learners than one.",
        )
        return
    last = len(clusterings) - 1
    steps = [int(clustering["step"]) for clustering in clusterings]
    at = url_state.number("clustering", lambda value: 1 <= value <= last, fallback=last, words="clustering")
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
            required=True,
            label_visibility="collapsed",
            **address.control("names", "aligned", among=("aligned", "raw").__contains__),
        )
    if chosen != at:
        url_state.go("clustering", chosen)
        st.rerun()
    now, before = clusterings[at], clusterings[at - 1]["aligned"]
    flows = flow_matrix(before, now[names], len(now["centroids"]))
    moved = 1 - np.trace(flows) / max(flows.sum(), 1)
    if np.array_equal(now["raw"], now["aligned"]):
        words = "k-means began at the clusters before and kept all names by itself: raw and aligned are the same here."
    elif names == "aligned":
        words = "Matched names: a learner keeps the cluster that overlaps most with the one it had."
    else:
        words = (
            "k-means' own names, before matching: where ribbons cross, a learner would have been given another's job."
        )
    theme.caption(f"{words} {theme.percent(moved)} of the samples changed. Click a ribbon to select its samples.")
    picked = ribbons(flows, [f"learner {k}" for k in range(len(flows))], key="flows")
    if picked is not None:
        one, other = picked
        inside = (before == one) & (now[names] == other)
        words = f"learner {one} → {other}" if one != other else f"learner {one}, who stayed"
        selection.put(now["ids"][inside], origin=f"{words} at step {theme.count(steps[at])}")
        st.rerun()


def _stamp(run: Run) -> tuple[int, int]:
    times = [path.stat().st_mtime_ns for path in (run.path / "clusterings").glob("step-*.npz")]
    return len(times), max(times, default=0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _clusterings(path: Path, stamp: tuple[int, int]) -> list[dict[str, np.ndarray]]:
    return Run(path).clusterings()


# Was it worth it? -----------------------------------------------------------------------------------------------------


def _nearer(inside: float, anywhere: float, word: str) -> str:
    """Whether that is less, at two digits."""
    gap = round(anywhere, 2) - round(inside, 2)
    return f"they are {'nearer' if gap > 0 else 'no nearer'} inside a {word}"


def _division(view: View, slices: Slices) -> None:
    recall, matrix, whole = slices.alone, slices.matrix, slices.whole
    learners = [(f"learner {k}", theme.hue(k)) for k in range(len(recall))]
    st.header("Conquer: what do the learners add to each other?", anchor=False)
    theme.caption(
        f"The best slice alone reaches {theme.percent(recall.max())}, all of them {theme.percent(whole)}:"
        f" {figures.gain_words(slices)}. Recall@1 of the {slices.split} split."
    )
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        st.markdown("**Who is good at what**")
        ahead = specialists(matrix)
        theme.caption(
            "Recall@1 of each slice alone, on the samples of each cluster and on all; the last row is the whole"
            " embedding. Underlined: the best slice of a column. Specialists would be best on the diagonal"
            + ("." if np.isnan(ahead) else f"; here a learner is {_points_ahead(ahead)} on its own cluster.")
        )
        together = np.append(_whole_by_cluster(view, matrix.shape[1]), whole)
        values = np.vstack([np.column_stack([matrix, recall]), together])
        apart = values[:-1]
        heat_matrix(
            values,
            [*learners, ("all together", "")],
            [*(f"cluster {k}" for k in range(matrix.shape[1])), "all"],
            key="recall-matrix",
            domain=_range(values),
            words=lambda value: theme.percent(value),
            caption=lambda row, column, value: f"{row} on {column}: Recall@1 {value}",
            best=np.vstack([apart == np.nanmax(np.where(np.isnan(apart), -1, apart), axis=0), together < 0]),
        )
    with right:
        st.markdown("**How alike they judge**")
        alike = slices.correlation
        apart = alike[~np.eye(len(alike), dtype=bool)]
        mean = f" On average {np.nanmean(apart):.2f}." if (~np.isnan(apart)).any() else ""
        theme.caption(
            "Correlation of two slices' distances over random pairs: 1 is the same opinion twice, 0 an"
            f" opinion of its own.{mean}"
        )
        heat_matrix(
            alike,
            learners,
            [name for name, _ in learners],
            key="slice-correlation",
            domain=(0, 1),
            words=lambda value: f"{value:.2f}",
            caption=lambda row, column, value: f"{row} and {column}: correlation {value}",
        )


def _points_ahead(share: float) -> str:
    return f"{abs(100 * share):.1f} points {'better' if share >= 0 else 'worse'} than the others"


def _whole_by_cluster(view: View, count: int) -> np.ndarray:
    """Recall@1 of the whole embedding on each cluster of the split that the slices were measured on, (K,)."""
    split = np.asarray(view.snapshot.split)
    rows = np.flatnonzero(split == split.max())
    labels = np.asarray(view.snapshot.labels)[rows]
    rows = rows[np.bincount(labels)[labels] > 1]  # those alone in their class ask nothing, as in all metrics
    clusters, hits = np.asarray(view.snapshot.clusters)[rows], np.asarray(view.snapshot.correct)[rows]
    with np.errstate(invalid="ignore"):
        return np.bincount(clusters, hits, minlength=count)[:count] / np.bincount(clusters, minlength=count)[:count]


def _range(matrix: np.ndarray) -> tuple[float, float]:
    known = matrix[~np.isnan(matrix)]
    return (float(known.min()), float(max(known.max(), known.min() + 0.02))) if len(known) else (0, 1)


def _health(events: list[dict]) -> None:
    total = sum(events[-1]["sizes"])
    st.header("Health over clusterings", anchor=False)
    first, second = st.columns(2, gap="large")
    steps = np.array([event["step"] for event in events], np.float64)
    kinds = {
        "moved": ("changed learner", theme.BLUE),
        "moved_raw": ("would have, unmatched", theme.CONTEXT),
        "dropped": ("left out", theme.VERMILION),
    }
    renamed = any(event["moved"] != event["moved_raw"] for event in events)
    if not renamed:  # the two curves are one
        del kinds["moved_raw"]
    with first:
        theme.caption("Sizes of the clusters; one that starves leaves its learner without work.")
        shares = np.array([event["sizes"] for event in events]) / total
        lines = [
            Line(f"learner {k}", theme.hue(k), np.column_stack([steps, share])) for k, share in enumerate(shares.T)
        ]
        _shares(lines, "Share of the samples in each cluster over the training", key="cluster-sizes")
    with second:
        kept = "" if renamed else " The warm start kept all names, so matching had nothing to rename."
        theme.caption(
            f"Samples that changed learner, and those left out because they were alone in their class there.{kept}"
        )
        lines = [
            Line(words, shade, np.array([(e["step"], e[name] / total) for e in events if e.get(name) is not None]))
            for name, (words, shade) in kinds.items()
        ]
        _shares(lines, "Share of the samples that changed learner or were left out", key="cluster-moves")


def _shares(lines: list[Line], words: str, *, key: str) -> None:
    known = [line for line in lines if len(line.points)]
    if not known:
        return
    theme.legend([(line.shade, line.name, "") for line in known])
    highest = max(float(line.points[:, 1].max()) for line in known)
    drawn = plot(
        known,
        words=words,
        written=lambda share: f"{100 * share:.3g} %",
        x=(min(line.points[0, 0] for line in known), max(line.points[-1, 0] for line in known)),
        y=(0, max(1.08 * highest, 0.01)),
        title="training step",
        height=150,
    )
    board(drawn, key=key, css=PLOT)


main()
