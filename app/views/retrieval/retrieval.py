"""Retrieval: query the space, see what comes back and who brought it, and which classes are taken for each other."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app import cached, figures, pictures, selection, state, theme, url_state
from app.analysis.retrieval import Neighbour, failures, place_among, retrieve
from app.names import apart
from app.view import View
from app.views.retrieval.neighbour_strip import neighbour_strip
from app.widgets.charts.class_pairs import class_pairs
from app.widgets.map.mini_map import mini_map
from app.widgets.primitives import links
from app.widgets.primitives.gallery import gallery
from bon_core.config import InputError
from bon_core.datasets.image_set import SPLIT_NAMES, ImageSet
from bon_core.evaluation.neighbours import ASKED_AGAIN
from bon_core.runs.weights import embed_image

if TYPE_CHECKING:
    from PIL import Image
    from streamlit.runtime.uploaded_file_manager import UploadedFile

FOUND = 16
HEADING = 48  # columns of a class's name in the heading
FAILURES = 48
LARGEST_UPLOAD = 20  # MB
SEARCHES = {
    "exact": "Neighbours were searched exactly.",
    "hnsw": "Neighbours were searched by walking a graph (HNSW), as comparing all with all would take too long.",
    "ivf-pq": "Neighbours were searched by short codes (IVF-PQ), as a graph would outgrow the memory.",
}
METRICS = {
    "recall@1": "Recall@1",
    "recall@2": "Recall@2",
    "recall@4": "Recall@4",
    "recall@8": "Recall@8",
    "map@r": "MAP@R",
    "r_precision": "R-Precision",
    "nmi": "NMI",
}


def main() -> None:
    view = state.page(
        "Retrieval",
        "Ask with one picture, get those that the model finds most alike. It is right when the nearest is of the"
        " same class; where it is wrong, look at what it mixed up.",
    )
    _ask(view)
    st.divider()
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        _confusions(view)
    with right:
        _failures(view)
    st.divider()
    _metrics(view)
    if len(selection.ids()):
        links.follow(but="retrieval")


# Asking ---------------------------------------------------------------------------------------------------------------


def _ask(view: View) -> None:
    left, right = st.columns([1, 3.1], gap="large")
    with left:
        vector, row, label = _query(view)
    leave_out = -1 if row is None else int(np.searchsorted(view.rows, row))
    found = retrieve(cached.vectors(view), vector, view.snapshot.masks, k=FOUND, leave_out=leave_out)
    with right:
        st.header("Nearest first", anchor=False)
        _found_words(view, found, label)
        clicked = neighbour_strip(view, found, label=label, key="found")
        ids = view.ids[[neighbour.row for neighbour in found]]
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Select these",
                key="found-select",
                icon=":material/select:",
                on_click=selection.put,
                args=(ids,),
                kwargs={"origin": "retrieved"},
            )
            st.button(
                "Add to selection",
                key="found-add",
                icon=":material/add:",
                on_click=selection.put,
                args=(ids,),
                kwargs={"origin": "retrieved", "mode": "add"},
            )
    with left:
        _query_map(view, found, row, label)
    if clicked is not None:
        _query_by(clicked)
        st.rerun()


def _query(view: View) -> tuple[np.ndarray, int | None, int | None]:
    """The query: its vector (D,), and its position and class if it is a sample of the split."""
    upload = st.session_state.get("upload")
    vector = _uploaded(view, upload) if upload is not None else None
    if vector is None:
        identity = _query_id(view)
        row = view.snapshot.position_of[identity]
        st.header(f"Query: {theme.plain(apart(view.short_name(row, HEADING)))}", anchor=False)
        gallery(view, np.array([identity]), key="query-picture", size=96, borders=["query"])
    with st.container(horizontal=True, gap="small"):
        st.button("Random", icon=":material/casino:", on_click=_random, args=(view,), key="query-random")
        st.button("Hardest failure", on_click=_hardest, args=(view,), key="query-hardest")
    if len(view.selected):
        theme.caption("From the selection:")
        picked = gallery(view, np.asarray(view.snapshot.ids)[view.selected[:30]], key="query-candidates", size=36)
        if picked is not None:
            _query_by(picked)
            st.rerun()
    if view.snapshot.meta["origin"] == "trained" and pictures.image_set(view.run) is not None:
        st.file_uploader(
            "Or ask with a picture of your own",
            type=["png", "jpg", "jpeg", "webp", "bmp", "gif"],
            max_upload_size=LARGEST_UPLOAD,
            key="upload",
        )
    if vector is not None:
        return vector, None, None
    return cached.vectors(view)[np.searchsorted(view.rows, row)], row, int(view.snapshot.labels[row])


def _query_id(view: View) -> int:
    where = view.snapshot.position_of
    if len(view.selected):
        fallback = view.selected[0]
    else:
        worst = _failures_of(view)
        fallback = view.rows[worst[0]] if len(worst) else view.rows[0]
    code = view.snapshot.split[view.rows[0]]
    return url_state.number(
        "query",
        lambda identity: identity in where and view.snapshot.split[where[identity]] == code,
        fallback=int(view.snapshot.ids[fallback]),
        words="query",
    )


def _query_by(identity: int) -> None:
    """Ask with a sample from now on, no longer with an upload."""
    url_state.go("query", identity)
    st.session_state.pop("upload", None)


def _random(view: View) -> None:
    _query_by(int(np.random.default_rng().choice(view.ids)))


def _hardest(view: View) -> None:
    """The hardest failure, or the next one if it is shown already."""
    worst = view.ids[_failures_of(view)]
    if len(worst):
        now = np.flatnonzero(worst == int(st.query_params.get("query", -1)))
        _query_by(int(worst[(now[0] + 1) % len(worst)] if len(now) else worst[0]))


def _uploaded(view: View, upload: "UploadedFile") -> np.ndarray | None:
    """The vector of an uploaded picture, (D,) float32; None, with a sentence, if it cannot be asked with."""
    from bon_core.datasets.folder import open_picture

    try:
        image = open_picture(upload)
        image.load()
    except InputError as error:
        theme.error_box(f"{upload.name} cannot be asked with: {error}. Try a smaller one.")
        return None
    except Exception:  # Pillow raises a dozen types on damaged files
        theme.error_box(f"{upload.name} is no picture that can be read; try a PNG or JPEG.")
        return None
    asked, inverted = _on_the_ground_of(pictures.image_set(view.run), image)
    try:
        with st.spinner("Embedding your picture; the first time takes a few seconds."):
            vector = _embedded(view.run.path, upload.file_id, view, asked)
    except InputError as error:
        theme.error_box(str(error))
        return None
    st.header("Query: your picture", anchor=False)
    st.image(image, width=110)
    if inverted:
        theme.caption("Light and dark were swapped before asking: the model was trained on the opposite ground.")
    return vector


def _on_the_ground_of(images: ImageSet | None, image: "Image.Image") -> tuple["Image.Image", bool]:
    """The picture with light and dark swapped if that brings its edge nearer to the data set's ground; and whether."""
    from PIL import Image, ImageOps

    ground = None if images is None else pictures.ground_of(images)
    if ground is None:
        return image, False
    whole = image.convert("RGBA")
    grey = Image.alpha_composite(Image.new("RGBA", image.size, "white"), whole).convert("L")
    pixels = np.asarray(grey)
    edge = float(np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])))
    if abs(255 - edge - ground) < abs(edge - ground):
        return ImageOps.invert(grey), True
    return image, False


@st.cache_data(max_entries=32, show_spinner=False)
def _embedded(path: Path, file_id: str, _view: View, _image: "Image.Image") -> np.ndarray:
    return embed_image(_view.run, _image)


def _found_words(view: View, found: list[Neighbour], label: int | None) -> None:
    words = "Click a picture to ask with it."
    if label is not None:
        labels = np.asarray(view.snapshot.labels)[view.rows[[neighbour.row for neighbour in found]]]
        words = f"{int((labels == label).sum())} of {len(found)} are of the query's class (✓). {words}"
    theme.caption(words)
    learners = view.snapshot.learners
    if learners > 1:
        theme.legend([(theme.hue(k), f"learner {k}", "") for k in range(learners)])
        theme.caption(
            "The bar is the squared distance, made up exactly of the learners' parts; the numbers are the ranks that"
            " each learner alone would have given, the best in bold: that learner brought it."
        )


def _query_map(view: View, found: list[Neighbour], row: int | None, label: int | None) -> None:
    rows = view.rows[[neighbour.row for neighbour in found]]
    right = np.asarray(view.snapshot.labels)[rows] == label
    if row is None:
        distances = np.array([neighbour.distance for neighbour in found])
        xy = place_among(np.asarray(view.snapshot.xy)[rows].astype(np.float64), distances)
        words = "Your picture is not on the map; the ring is the mean of its neighbours' places, weighted by nearness."
        highlighted = [(rows, theme.BLUE)]
        lines = []
    else:
        xy = view.snapshot.xy[row]
        words = "The query (ring) and what it retrieved, on the map."
        highlighted = [(rows[right], theme.RIGHT), (rows[~right], theme.WRONG)]
        lines = [(row, other, theme.RIGHT if hit else theme.WRONG) for other, hit in zip(rows, right, strict=True)]
    mini_map(
        view,
        key="query-map",
        highlighted=highlighted,
        lines=lines,
        rings=[(float(xy[0]), float(xy[1]), theme.OLIVE)],
        words=words,
    )
    theme.caption(words)


# Where it is wrong ----------------------------------------------------------------------------------------------------


def _confusions(view: View) -> None:
    st.header("Classes taken for each other", anchor=False)
    pairs = figures.confused(view)
    if not pairs:
        theme.empty("No class is taken for another here.", "Every first neighbour in this split is right.")
        return
    theme.caption(
        "How many samples of the two classes have their nearest neighbour in the other class, either way; pictured is"
        " the worst case. Click a pair to select both classes."
    )
    place_of_pair = class_pairs(view, pairs, key="confusions", caption="{count:,} of {samples:,}")
    if place_of_pair is not None and place_of_pair < len(pairs):
        pair = pairs[place_of_pair]
        both = np.isin(np.asarray(view.snapshot.labels)[view.rows], (pair.one, pair.other))
        selection.put(view.ids[both], origin=f"{view.short(pair.one)} and {view.short(pair.other)}")
        _query_by(int(view.ids[pair.query]))
        st.rerun()


def _failures(view: View) -> None:
    st.header("Worst failures", anchor=False)
    worst = _failures_of(view)[:FAILURES]
    if not len(worst):
        theme.empty("There is no failure in this split.", "Choose another split or checkpoint in the header.")
        return
    theme.caption("By severity: how much nearer another class is than the query's own. Click one to ask with it.")
    hardness = np.asarray(view.snapshot.hardness)[view.rows[worst]]
    captions = [f"+{value:.2f}" for value in hardness]
    picked = gallery(view, view.ids[worst], key="failures", captions=captions, size=44)
    if picked is not None:
        _query_by(picked)
        st.rerun()


def _failures_of(view: View) -> np.ndarray:
    snapshot, rows = view.snapshot, view.rows
    return failures(np.asarray(snapshot.correct)[rows], np.asarray(snapshot.hardness)[rows].astype(np.float32))


# How good it is -------------------------------------------------------------------------------------------------------


def _metrics(view: View) -> None:
    st.header("How good it is", anchor=False)
    metrics = view.snapshot.metrics
    lines = {split: metrics[split] for split in reversed(SPLIT_NAMES) if split in metrics}
    table = pd.DataFrame(
        {name: [_number(found.get(key)) for found in lines.values()] for key, name in METRICS.items()},
        index=list(lines),
    )
    table["queries"] = [theme.count(found["queries"]) for found in lines.values()]
    table["classes"] = [theme.count(found["classes"]) for found in lines.values()]
    baseline = view.snapshot.meta.get("baseline")
    if baseline:
        table.loc[baseline.get("of", "raw pixels")] = [_number(baseline.get(key)) for key in METRICS] + ["", ""]
    st.table(table)
    protocol = next((found["protocol"] for found in lines.values() if found.get("protocol")), "")
    of = baseline.get("of", "raw pixels") if baseline else ""
    raw = f" {of.capitalize()}: the same, on the evaluated split, without the network." if baseline else ""
    if protocol:
        st.html(f'<div class="caption">Protocol: {html.escape(protocol)}.{raw}{_searched(view)}</div>')


def _searched(view: View) -> str:
    """How the neighbours behind these figures were searched, and what that search misses."""
    search = view.snapshot.meta.get("search")
    kind, found = (str(search.get("kind")), search.get("recall")) if isinstance(search, dict) else ("", None)
    if kind not in SEARCHES:  # made by an earlier version
        return ""
    if kind == "exact" or not isinstance(found, float):
        return f" {SEARCHES[kind]}"
    return (
        f" {SEARCHES[kind]} It finds {theme.percent(found, 1)} of the true neighbours, by"
        f" {ASKED_AGAIN} queries that were searched exactly as well; figures may be low by as much."
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


main()
