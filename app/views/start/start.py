"""Start: the model at hand, opened on its map; what it finds hard; ways to train or bring something of one's own."""

import numpy as np
import streamlit as st

from app import address, figures, jobs, pictures, selection, starting, state, theme, uploads
from app.analysis.retrieval import Confusion
from app.view import View
from app.widgets.map.colouring import colouring
from app.widgets.map.point_map import point_map
from app.widgets.map.webgl_map import drawing
from bon_core.base import paths
from bon_core.base.files import path_of
from bon_core.base.intake import counted
from bon_core.config import DataConfig, InputError
from bon_core.datasets.here import is_here
from bon_core.runs.run import Run

LEAD = "See what a metric-learning model finds hard, and why: its negatives, its hash buckets, its learners."
ROOMS = (
    ("learn", "Learn", "five questions; begin here if it is new to you"),
    ("map", "Map", "true neighbours, and where the map lies"),
    ("buckets", "Hash buckets", "which images share a code"),
    ("negatives", "Mined negatives", "what each anchor was trained against"),
    ("clusters", "K clusters", "what each learner looks after"),
    ("retrieval", "Retrieval", "ask with an image of your own"),
    ("timeline", "Timeline", "the training as a film"),
)
PAIRS = 3
NAME = 28  # columns of a class's name
EXPLORED = "explored-soon"  # in the session: the name of a run that is being made of embeddings
KINDS = ["zip", "npz", "parquet"]  # an .npy has its labels in another file, so it comes by its path


def main() -> None:
    starting.go_on()
    theme.style()
    view = state.header(needed=False)
    state.heading("Bag of Negatives, divide and conquer", LEAD)
    if view is None and not state.explorable():
        theme.empty("No model is here yet.", "Train one, or bring embeddings of your own: both below.")
    elif view is not None:
        _model(view)
    _ways(st.session_state.get("run"))


def _model(view: View) -> None:
    state.caution(view)
    wide, side = st.columns([2.1, 1], gap="large")
    with wide:
        colour = colouring(view)
        colour.legend()
        chosen = point_map(view, key="start-map", colour=colour, highlight=selection.ids(), height=500, zoom=False)
        unseen = (
            "" if view.split == "train" or view.snapshot.meta["origin"] != "trained" else " of a class never trained on"
        )
        theme.caption(
            f"Each point is a sample{unseen}. {drawing()} a crowd to look into it, click a point to look closer."
        )
    if chosen is not None:
        if len(chosen) > 1:
            selection.put(chosen.ids, origin="box on the map", rule=view.box_rule(chosen.ids))
        address.forget("at")
        if len(chosen) == 1:
            address.choose("at", chosen[0])
        st.switch_page("views/map/map.py")
    with side:
        _figures(view)
        _hard_pairs(view)
        _rooms()


def _figures(view: View) -> None:
    snapshot = view.snapshot
    metrics = snapshot.metrics.get(view.split, {})
    baseline = (snapshot.meta.get("baseline") or {}).get("recall@1")
    items = [
        (
            theme.percent(figures.metric(view, "recall@1")),
            f"Recall@1, {view.split}",
            "How often the nearest neighbour of an image is of its own class. "
            + metrics.get("protocol", "Each image is a query against all others of the split."),
        ),
        (
            theme.percent(figures.metric(view, "map@r")),
            "MAP@R",
            "How well all images of the own class are ranked before the others; 100 % is a perfect order.",
        ),
        (
            theme.percent(figures.bucket_entropy(view), 0),
            "bucket entropy",
            f"How evenly the {view.split} samples fill the {2**snapshot.bits:,} hash buckets, as a share of the"
            f" {snapshot.bits} bits there are: 100 % when all buckets are equally full.",
        ),
        (
            str(snapshot.learners),
            "learners" if snapshot.learners > 1 else "learner",
            "Each learner owns one slice of the embedding and trained on one cluster of the data."
            if snapshot.learners > 1
            else "One learner: the embedding is not divided.",
        ),
    ]
    if baseline is not None:
        items.insert(1, _untrained(snapshot.meta["baseline"], metrics.get("queries", 0)))
    theme.figures(items)


def _untrained(baseline: dict, queries: int) -> tuple[str, str, str]:
    """What a network has to beat, as a figure; of many samples it was measured on some."""
    of = str(baseline.get("of", "raw pixels"))
    if of == "frozen vectors":
        words = "Recall@1 of the vectors as they came, without the trained head."
    else:
        words = "Recall@1 of comparing the images pixel by pixel, without any network."
    if baseline.get("trained") is not None and baseline.get("queries", 0) < queries:
        words += (
            f" Measured on {theme.count(baseline['queries'])} held-out samples, among which the trained one has"
            f" {theme.percent(baseline['trained'])}."
        )
    return theme.percent(baseline["recall@1"]), of, words


def _hard_pairs(view: View) -> None:
    pairs = figures.confused(view)[:PAIRS]
    if not pairs:
        return
    st.markdown("**What it confuses most**")
    if view.snapshot.collapse:
        theme.caption("Nearly all samples lie at one place, so which classes are confused is left to chance.")
        return
    for number, pair in enumerate(pairs):
        _pair_row(view, number, pair)


def _pair_row(view: View, number: int, pair: Confusion) -> None:
    names = view.snapshot.class_names[pair.one], view.snapshot.class_names[pair.other]
    ends = (pair.query, pair.found)
    if int(view.snapshot.labels[view.rows[pair.query]]) != pair.one:
        ends = ends[::-1]
    faces = [pictures.picture(view, int(view.ids[place])) for place in ends]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False, key=f"pair-{number}"):
        shorts = view.short(pair.one, NAME), view.short(pair.other, NAME)
        theme.pair(
            names,
            shorts,
            [None if face is None else pictures.data_address(face, size=64) for face in faces],
            pair.count,
            pair.samples,
        )
        if st.button(
            "Look",
            key=f"look-{number}",
            help=f"Select all of {theme.plain(shorts[0])} and {theme.plain(shorts[1])} on the map",
        ):
            ids = np.concatenate([view.ids_of(f"class:{label}") for label in (pair.one, pair.other)])
            selection.put(ids, origin=f"{shorts[0]} and {shorts[1]}")
            address.choose("at", int(view.ids[pair.query]))
            st.switch_page("views/map/map.py")


def _rooms() -> None:
    """Where to go from here."""
    st.markdown("**Look into it**")
    with st.container(gap=None):
        for name, label, words in ROOMS:
            st.page_link(f"views/{name}/{name}.py", label=f"**{label}** · :gray[{words}]")


def _ways(shown: str | None) -> None:
    """What else can be done; `shown` is the run that is chosen above."""
    st.space("small")
    here, own = st.columns([1, 1.6], gap="medium")
    with here, st.container(border=True):
        st.markdown("**Train a model**")
        theme.caption(
            "Two minutes on this machine give a first one; you watch its map form. Compare miners and learners."
        )
        if st.button("Train", icon=":material/model_training:", type="primary", key="go-train"):
            st.switch_page("views/train/train.py")
    with here, st.container(border=True):
        st.markdown("**Open another run**")
        names = [name for name in state.explorable() if name != shown]
        if names:
            theme.caption("Trained here or brought; the menu at the top switches, too.")
            for name in names[:4]:
                st.button(
                    name,
                    key=f"open-{name}",
                    type="tertiary",
                    icon=":material/arrow_forward:",
                    on_click=state.look_at,
                    args=(name,),
                )
        else:
            theme.caption(
                "There is no other yet. Runs that you train, embeddings that you bring, and run folders put into"
                f" {paths.runs_folder()} are listed here."
            )
    with own, st.container(border=True):
        _bring()


def _bring() -> None:
    st.markdown("**Bring your own data**")
    theme.caption(
        "Embeddings of any model, to explore or to train a head on: npz or parquet with vectors and labels; npy with"
        " NAME_labels.npy beside it, by its path. Images: a zip with a sub-folder for each class. Nothing leaves this"
        " machine."
    )
    file = st.file_uploader("A file", type=KINDS, label_visibility="collapsed", key="upload")
    path = st.text_input(
        "or a path on this machine, or hf:OWNER/NAME of a Hugging Face data set",
        key="upload-path",
        placeholder="~/pictures/birds or vectors.parquet",
    )
    try:
        source = file.name if file is not None else path.strip()
        if source and (file is not None or _may_be_read(source)):
            level = theme.class_level("upload-level") if uploads.has_folders(source) else None
            _offer(_look_at(source, level) if file is None else _look_at_upload(file, level))
    except InputError as error:
        theme.error_box(str(error))
    for waiting in jobs.waiting():
        if waiting.verb == "snapshot" and not waiting.alive:
            starting.show(waiting)  # it did not start: here is why
    name = st.session_state.get(EXPLORED)
    job = jobs.known().get(name) if name else None
    if job is not None and job.alive:
        _on_the_way(job)


@st.fragment(run_every=1.0)
def _on_the_way(job: jobs.Job) -> None:
    """Embeddings that are being measured and mapped; once they are, their map is opened."""
    if job.alive:
        starting.show(job)
        theme.caption("Their map opens here when it is done. It goes on if you leave the page; Train lists it.")
        return
    st.session_state.pop(EXPLORED, None)
    if Run(paths.runs_folder() / job.name).snapshots():
        st.session_state[starting.ASKED_FOR] = job.name
    st.rerun()  # the page as a whole: it goes to the map, or says why there is none


def _may_be_read(source: str) -> bool:
    """Whether it is on this machine, or a button was pressed that fetches it."""
    fetched = st.session_state.setdefault("fetched", set())
    if source not in fetched and not is_here(DataConfig(name=source)):
        theme.caption(f"{source} is not on this machine. Fetching it asks other machines, such as huggingface.co.")
        if not st.button("Fetch it", icon=":material/download:", key="fetch"):
            return False
        fetched.add(source)
    return True


def _look_at_upload(file, level: int | None) -> uploads.Brought:
    known = st.session_state.get("brought")
    if known is None or known[0] != (file.file_id, level):
        with st.spinner("Looking into the file …"):
            st.session_state["brought"] = known = ((file.file_id, level), uploads.bring(file.name, file, level))
    return known[1]


def _look_at(source: str, level: int | None) -> uploads.Brought:
    """What lies at a path, or on the hub; looked into again only if a file has changed, for a million vectors take a
    moment.
    """
    there = path_of(source)
    key = (source, level, there.stat().st_mtime_ns, there.stat().st_size) if there.is_file() else (source, level)
    known = st.session_state.get("looked-at")
    if known is None or known[0] != key or there.is_dir():
        with st.spinner("Looking into it …"):
            st.session_state["looked-at"] = known = (key, uploads.inspect(source, level))
    return known[1]


def _offer(brought: uploads.Brought) -> None:
    """Say what was found and what can be done with it."""
    unit = "px" if brought.kind == "images" else "dimensions"
    found = f"{counted(brought.samples, brought.kind)} of {counted(brought.classes, 'classes')}"
    st.markdown(f"{found}, {brought.width} {unit}.")
    if brought.details:
        theme.caption(brought.details)
    if brought.kind == "images":
        if st.button("Train on them", type="primary"):
            _train_on(brought)
        return
    with st.container(horizontal=True, gap="small"):
        if st.button("Explore them", type="primary", icon=":material/scatter_plot:", key="explore-vectors"):
            name = jobs.free_name(brought.stem)
            jobs.start(name, ["snapshot", "--embeddings", brought.source, "--run", name])
            st.session_state[EXPLORED] = st.session_state[starting.WATCHED] = name
            st.rerun()
        if not brought.why_not and st.button(
            "Train a head on them",
            icon=":material/model_training:",
            key="train-vectors",
            help="A linear layer that brings together what your labels call alike; the model behind stays as it is",
        ):
            _train_on(brought)
    if brought.why_not:
        theme.caption(f"No head can be trained on them. {brought.why_not}")


def _train_on(brought: uploads.Brought) -> None:
    address.choose("train-data-choice", uploads.A_PATH)
    address.choose("train-path", brought.source)
    address.choose("train-level", brought.class_level)
    st.switch_page("views/train/train.py")


main()
