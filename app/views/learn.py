"""Learn: five questions about metric learning, each answered by the chosen run's own data after one has predicted."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import cached, place, selection, state, theme
from app.analysis import lessons, miners
from app.analysis.lessons import Question, Study
from app.state import View
from app.widgets import ladder, wall
from app.widgets.bit_strip import bit_strip
from app.widgets.corners import Corner, corners
from app.widgets.distance_plot import distance_plot
from app.widgets.gallery import gallery
from app.widgets.mini_map import mini_map
from app.widgets.prediction import ask_or_show, predict, revealed
from app.widgets.scene_rail import scene_rail
from app.widgets.triplets import Triplet, triplets
from bon_core.division import diagnostics
from bon_core.division.diagnostics import Exemplars
from bon_core.training.audit import read_step

SCENE, PRESENT = "scene", "present"  # in the address
NOW, PRESENTING = "learn-scene", "learn-presenting"  # in the session
RAIL = "rail"  # key of a widget: in the session as long as one stays on this page
DOOR = "learn-door"  # in the session: the page to go to, and what its address says
LAST_STEPS = 30  # recorded steps whose triplets are drawn
NEIGHBOURS = 10
STRIP = 16  # pictures of a learner, if there is room


@dataclass(frozen=True)
class Lesson:
    """What a scene shows of a view.

    story : what one must know to predict, and some more, which a speaker says instead
    value : the true answer to the question
    figure, told : the answer as a large figure, and in words, again with some more
    takeaway : one sentence to keep
    exhibit : draws the interactive part; it is told whether the answer may be seen
    door : words on the button to the real page, the page, and how it shall stand there
    """

    story: tuple[str, str]
    question: Question
    value: float
    figure: str
    told: tuple[str, str]
    takeaway: str
    exhibit: Callable[[bool], None]
    door: tuple[str, str, Callable[[], dict[str, Any]]]


@dataclass(frozen=True)
class Missing:
    """Why a scene cannot be shown of a view."""

    words: str
    remedy: str


@dataclass(frozen=True)
class Scene:
    label: str  # on the rail
    title: str
    make: Callable[[View], Lesson | Missing]


def main() -> None:
    if DOOR in st.session_state:
        page, query = st.session_state.pop(DOOR)
        st.switch_page(f"views/{page}.py", query_params=query)
    theme.style()
    if RAIL not in st.session_state or get_script_run_ctx().is_history_navigation:
        _arrive()
    name, presenting = st.session_state[NOW], st.session_state[PRESENTING]
    _write_address(name, presenting)
    if presenting:
        theme.present()
    view = state.header(chip=not presenting)
    state.heading("Learn", "Five questions about metric learning. Predict first: this run's own data will answer.")
    if view is None:
        theme.empty("There is nothing to learn from yet.", "Train a model on the Train page, or bring embeddings.")
        return
    names = list(SCENES)
    asked = scene_rail([scene.label for scene in SCENES.values()], names.index(name), key=RAIL)
    if asked is not None and names[asked] != name:
        st.session_state[NOW] = names[asked]
        st.rerun()
    lesson = SCENES[name].make(view)
    st.html(f'<h2 class="lesson">{SCENES[name].title}</h2>')
    if isinstance(lesson, Missing):
        _missing(view, lesson)
    else:
        with st.container(key="scene"):
            _scene(lesson, f"{name} {view.run.name} {view.snapshot.step} {view.split}", presenting)
    _foot(lesson, names, names.index(name), presenting)


def _arrive() -> None:
    """Begin where the address says, or where one was last; so it is after the browser's Back and Forward.

    From then on the session knows, and the address follows: a key that is pressed fast arrives with the address of
    before.
    """
    asked = st.query_params.get(SCENE)
    if asked in SCENES:
        st.session_state[NOW] = asked
    elif asked is not None:
        theme.trouble(f"The link names the scene {asked}, which is not there; another one is shown.")
    st.session_state.setdefault(NOW, next(iter(SCENES)))
    st.session_state[PRESENTING] = st.query_params.get(PRESENT) == "1"


def _write_address(name: str, presenting: bool) -> None:
    st.query_params[SCENE] = name
    if presenting:
        st.query_params[PRESENT] = "1"
    else:
        st.query_params.pop(PRESENT, None)


def _step(by: int) -> None:
    """Move on or back from where one is, which need not be where one was when the button was drawn."""
    names = list(SCENES)
    st.session_state[NOW] = names[min(max(names.index(st.session_state[NOW]) + by, 0), len(names) - 1)]


def _present(wanted: bool) -> None:
    st.session_state[PRESENTING] = wanted


def _foot(lesson: Lesson | Missing, names: list[str], now: int, presenting: bool) -> None:
    """Back and on, by button and arrow key; to the real page; into and out of the presentation."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="foot"):
        st.button(
            "Back",
            key="scene-back",
            shortcut="Left",
            icon=":material/arrow_back:",
            disabled=now == 0,
            on_click=_step,
            args=(-1,),
        )
        st.button(
            "Next",
            key="scene-next",
            shortcut="Right",
            icon=":material/arrow_forward:",
            icon_position="right",
            type="primary",
            disabled=now == len(names) - 1,
            on_click=_step,
            args=(1,),
        )
        st.space("stretch")
        if isinstance(lesson, Lesson):
            words, page, there = lesson.door
            st.button(words, key="door", icon=":material/open_in_new:", on_click=_open, args=(page, there))
        st.button(
            "Leave" if presenting else "Present",
            key="present",
            type="tertiary",
            shortcut="Esc" if presenting else "P",
            icon=":material/close_fullscreen:" if presenting else ":material/slideshow:",
            help=None if presenting else "Large type for a projector: arrow keys move, Space reveals, Esc leaves",
            on_click=_present,
            args=(not presenting,),
        )


def _scene(lesson: Lesson, key: str, presenting: bool) -> None:
    """Words and question beside the exhibit. While presenting, the answer takes the place of the story."""
    words, exhibit = st.columns([1, 1.5 if presenting else 1.7], gap="large")
    much = 1 if presenting else 2
    with words:
        if not (presenting and revealed(key)):
            st.html(f'<p class="story">{" ".join(lesson.story[:much])}</p>')
        predict(lesson.question, lesson.value, key=key, figure=lesson.figure, told=" ".join(lesson.told[:much]))
        if revealed(key):
            st.html(f'<p class="takeaway">{lesson.takeaway}</p>')
        ask_or_show(key, presenting=presenting)
    with exhibit:
        lesson.exhibit(revealed(key))


def _missing(view: View, missing: Missing) -> None:
    """What the scene lacks, and a run that has it."""
    theme.empty(missing.words, missing.remedy)
    bundled = next((run.name for run in state.explorable().values() if run.bundled), None)
    if bundled is not None and bundled != view.run.name:
        st.button(
            f"Show it on {bundled}", key="bundled", icon=":material/inventory_2:", on_click=_look_at, args=(bundled,)
        )


def _look_at(run: str) -> None:
    st.session_state["run"] = run
    for menu in ("epoch", "split"):
        st.session_state.pop(menu, None)
        st.query_params.pop(menu, None)


def _open(page: str, there: Callable[[], dict[str, Any]]) -> None:
    """Go to a real page in the next run of the script; it will stand where the scene does.

    What both pages have, such as the header's menus and the margin, goes along by itself; `there` is the rest.
    """
    asked = there()
    if "colour" in asked:
        st.session_state["colour"] = asked.pop("colour")
    for name in ("anchor", "bucket"):
        if name in asked:
            place.go(name, asked[name])
    st.session_state[DOOR] = page, {name: str(value) for name, value in asked.items()}


# 1: the margin --------------------------------------------------------------------------------------------------------


def _margin(view: View) -> Lesson | Missing:
    steps = cached.recorded_steps(view)
    if not len(steps):
        return Missing(
            "This run kept no record of its batches, and this scene replays them.",
            "Runs that are trained here record every step; embeddings brought in a file have none.",
        )
    own = float(view.run.config.training.margin)
    first = int(steps[-LAST_STEPS:][0])
    d_ap, d_an = cached.late_distances(view, first)
    share, doubled = (miners.active_share(d_ap, d_an, margin) for margin in (own, 2 * own))
    return Lesson(
        story=(
            "A triplet pulls an <b>anchor</b> towards a <b>positive</b> of its own class and pushes it off a"
            " <b>negative</b> of another, until that one is farther away by a <b>margin</b>.",
            "Each dot is such a triplet from the end of this training: below the line it still teaches, above it the"
            " network learns nothing from it.",
        ),
        question=Question(
            f"This run was trained with a margin of {own:g}. How many of its last triplets still teach?",
            ("fewer than 1 in 5", "between 1 in 5 and 1 in 2", "more than half"),
            (0.2, 0.5),
        ),
        value=share,
        figure=theme.percent(share, 0),
        told=(
            f"of the last {theme.count(len(d_ap))} triplets lie below the line. With twice the margin it would be"
            f" {theme.percent(doubled, 0)}.",
            f"They are those of steps {theme.count(first)} to {theme.count(steps[-1])}.",
        ),
        takeaway="A margin is a demand. Too small, and nothing is left to learn; too large, and nothing is ever good"
        " enough.",
        exhibit=lambda told: _margin_bench(view, d_ap, d_an, own, int(steps[-1]), told),
        door=(
            "Drag it on Mined negatives",
            "negatives",
            lambda: {"show": "Drag the margin"},
        ),
    )


@st.fragment
def _margin_bench(view: View, d_ap: np.ndarray, d_an: np.ndarray, own: float, step: int, told: bool) -> None:
    """One triplet with its pictures, and all of them as dots, under a margin that is dragged."""
    margin = st.slider("Drag the margin", 0.0, 1.0, value=own, step=0.01, key="margin", bind="query-params")
    one = _one_triplet(view.run.path, cached.audit_stamp(view), step, own)
    if one is not None:
        with st.container(key="one-triplet"):
            triplets(view, [_judged(one, margin)], margin=margin, key="one-triplet-board")
    share = theme.percent(miners.active_share(d_ap, d_an, margin), 0) if told else "How many"
    st.html(f'<div class="reading"><b>{share}</b> of the triplets teach at a margin of {margin:.2f}</div>')
    distance_plot(d_ap, d_an, margin, key="lesson-distances", told=told, height="30vh")


def _judged(one: Triplet, margin: float) -> Triplet:
    kind = str(miners.kinds_of(np.array([one.d_ap]), np.array([one.d_an]), margin)[0])
    told = "teaches nothing" if kind == miners.EASY else "still teaches"
    return Triplet(one.anchor, one.positive, one.negative, one.d_ap, one.d_an, kind, told)


@st.cache_data(max_entries=16, show_spinner=False)
def _one_triplet(path: Path, stamp: tuple, step: int, margin: float) -> Triplet | None:
    """The triplet of a recorded step that the margin has just let go."""
    log = read_step(path, step)
    row = lessons.telling_triplet(log["d_ap"], log["d_an"], margin)
    if row < 0:
        return None
    ids = (int(log[name][row]) for name in ("id", "positive", "negative"))
    return Triplet(*ids, float(log["d_ap"][row]), float(log["d_an"][row]), "", "")


# 2: random negatives --------------------------------------------------------------------------------------------------


def _random(view: View) -> Lesson | Missing:
    found = _study(view)
    if isinstance(found, Missing):
        return found
    pool, negatives = cached.pool(view), _negatives_of_a_batch(view)
    anchor = _anchor(view, found)
    alive = float(found.anywhere.mean()) * negatives
    none = float((found.anywhere * negatives < 0.5).mean())
    return Lesson(
        story=(
            f"In a batch this anchor meets {theme.count(negatives)} <b>random</b> pictures of other classes. One of"
            " them teaches only while it <b>violates the margin</b>: while it is not yet farther away than the"
            f" positive plus {_own_margin(view):g}.",
            "On the wall is such a batch, as this model sees it. Click a picture to make it the anchor.",
        ),
        question=_how_many(
            f"Of {theme.count(negatives)} random negatives, how many still violate the margin?", negatives
        ),
        value=alive,
        figure=f"{alive:.1f} of {theme.count(negatives)}",
        told=(
            f"on average over {theme.count(len(found.anchor))} anchors; for {theme.percent(none, 0)} of them none is"
            " to be expected.",
            "All the others are computed and thrown away.",
        ),
        takeaway="The better the model, the fewer random negatives are left that can teach it anything.",
        exhibit=lambda told: _wall(
            view, anchor, lessons.random_batch(pool, anchor, view.run.config.mining, _own_margin(view)), told
        ),
        door=(
            "Try other miners on this anchor",
            "negatives",
            lambda: {"show": "Miners side by side", "anchor": int(view.ids[anchor])},
        ),
    )


def _wall(view: View, anchor: int, found: lessons.Negatives, told: bool) -> None:
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="wall-line"):
        if told:
            theme.legend(
                [
                    (theme.VERMILION, "still teaches", theme.count(found.teaches.sum())),
                    (theme.CONTEXT, "dead weight", theme.count((~found.teaches).sum())),
                ]
            )
        else:
            theme.quiet("Which does the model still confuse with it?")
        st.button("Another anchor", key="another", icon=":material/casino:", on_click=_another_anchor, args=(view,))
    picked = wall.wall(view, anchor, found, told=told, key="wall")
    if picked is not None:
        place.go("anchor", picked)
        st.rerun()


def _another_anchor(view: View) -> None:
    pool = cached.pool(view)
    able = np.flatnonzero(pool.size[pool.label] > 1)
    place.go("anchor", int(view.ids[np.random.default_rng().choice(able)]))


def _anchor(view: View, found: Study) -> int:
    """The row, among the view's rows, of the anchor that was chosen, or of a typical one."""
    pool = cached.pool(view)
    fallback = _typical(view, cached.stamp(view), _own_margin(view))

    def possible(identity: int) -> bool:
        row = _row_of(view, identity)
        return row is not None and bool(pool.size[pool.label[row]] > 1)

    return _row_of(view, place.number("anchor", possible, fallback=int(view.ids[fallback]), words="anchor"))


def _row_of(view: View, identity: int) -> int | None:
    """Where among the view's rows a sample stands."""
    position = view.snapshot.position_of.get(identity)
    if position is None:
        return None
    row = int(np.searchsorted(view.rows, position))
    return row if row < len(view.rows) and view.rows[row] == position else None


def _how_many(words: str, negatives: int) -> Question:
    few, half = max(negatives // 20, 1), max(negatives // 2, 2)
    choices = (f"at most {few}", f"{few + 1} to {half}", f"more than {half}")
    return Question(words, choices, (few + 0.5, half + 0.5))


def _own_margin(view: View) -> float:
    return float(view.run.config.training.margin)


def _negatives_of_a_batch(view: View) -> int:
    return lessons.batch_negatives(cached.pool(view), view.run.config.mining)


def _study(view: View) -> Study | Missing:
    found = _studied(view, cached.stamp(view), _own_margin(view))
    if found is not None:
        return found
    return Missing(
        f"The {view.split} split has no anchor with both a positive and a negative.",
        "It takes two classes and two samples of one of them; choose another split or run in the header.",
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _studied(_view: View, stamp: tuple, margin: float) -> Study | None:
    clusters = np.asarray(_view.snapshot.clusters)[_view.rows]
    return lessons.study(cached.pool(_view), clusters, margin)


@st.cache_data(max_entries=16, show_spinner=False)
def _typical(_view: View, stamp: tuple, margin: float) -> int:
    return lessons.typical(_studied(_view, stamp, margin), cached.pool(_view), _view.run.config.mining, margin)


# 3: hashing -----------------------------------------------------------------------------------------------------------


def _hashing(view: View) -> Lesson | Missing:
    found = _study(view)
    if isinstance(found, Missing):
        return found
    if np.isnan(found.bucket).all():
        return Missing(
            "No bucket of this split holds two classes, so there is no negative to find in one.",
            "The data is too small for its number of bits, or the codes have collapsed; choose another run.",
        )
    anchor, negatives = _anchor(view, found), _negatives_of_a_batch(view)
    random, near = (float(np.nanmean(share)) * negatives for share in (found.anywhere, found.bucket))
    looked, everybody = float(found.looked.mean()), len(view.rows)
    bits = view.snapshot.bits
    gain = f", {near / random:.0f} times as many as at random" if random > 0 and near >= 2 * random else ""
    code = int(cached.pool(view).codes[anchor])

    def exhibit(told: bool) -> None:
        rungs = [("drawn at random", random, theme.CONTEXT), ("out of its bucket", near, theme.VERMILION)]
        ladder.ladder(rungs, negatives, hidden=() if told else (1,), key="ladder")
        _bucket(view, anchor, code, told)

    return Lesson(
        story=(
            f"<b>Bag of Negatives</b> asks {bits} yes-or-no questions of each embedding. Those who answer alike share"
            " a <b>bucket</b>, and one look-up finds it.",
            f"To find the hardest negative exactly, an anchor would be compared with all {theme.count(everybody)}"
            " pictures at every step; a look-up costs the same however large the data set is. Flip a bit to visit the"
            " bucket next door.",
        ),
        question=_how_many(
            f"If all {theme.count(negatives)} negatives came out of the anchor's own bucket, how many would violate"
            " the margin?",
            negatives,
        ),
        value=near,
        figure=f"{near:.1f} of {theme.count(negatives)}",
        told=(f"on average{gain}.", f"That took a look at {looked:.0f} pictures, not at {theme.count(everybody)}."),
        takeaway="Pictures that share a code are those that the model still confuses, and finding them costs one"
        " look-up.",
        exhibit=exhibit,
        door=("Open this bucket", "buckets", lambda: {"bucket": code ^ _flipped(view)}),
    )


def _flipped(view: View) -> int:
    """Which bits of the anchor's code were flipped, as a number."""
    return place.number("flip", lambda value: value < 1 << view.snapshot.bits, fallback=0, words="bits")


def _bucket(view: View, anchor: int, own: int, told: bool) -> None:
    pool, code = cached.pool(view), own ^ _flipped(view)
    codes, sizes = np.unique(pool.codes, return_counts=True)
    visited = bit_strip(code, view.snapshot.bits, dict(zip(codes.tolist(), sizes.tolist(), strict=True)), key="code")
    if visited is not None:
        place.go("flip", own ^ visited)
        st.rerun()
    away = (code ^ own).bit_count()
    where = "the anchor's own" if not away else f"{away} bit{'s' if away > 1 else ''} away from the anchor's"
    found = lessons.bucket_of(pool, anchor, code, _own_margin(view))
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        theme.quiet(f"Bucket {code:#x}, {where}, holds {theme.count(len(found.row))} negatives.")
        if away:
            st.button("Back to its own", key="own-bucket", type="tertiary", on_click=place.go, args=("flip", 0))
    with st.container(key="bucket-wall"):
        _wall(view, anchor, found, told)


# 4: divide and conquer ------------------------------------------------------------------------------------------------


def _divide(view: View) -> Lesson | Missing:
    snapshot = view.snapshot
    if snapshot.meta["clusters_origin"] != "learners" or snapshot.learners < 2:
        brought = snapshot.meta["origin"] != "trained"
        return Missing(
            "These embeddings came from a file: there are no learners in them."
            if brought
            else "This run was trained undivided: one learner, one embedding.",
            "This scene needs a run that was trained with more than one learner.",
        )
    found = _study(view)
    if isinstance(found, Missing):
        return found
    negatives = _negatives_of_a_batch(view)
    anywhere, inside, bucket = (
        float(np.nanmean(share)) * negatives if not np.isnan(share).all() else 0.0
        for share in (found.anywhere, found.cluster, found.bucket)
    )
    times = inside / anywhere if anywhere > 0 else 1.0 if inside == 0 else float("inf")
    division = snapshot.meta.get("division")
    count = snapshot.learners

    def exhibit(told: bool) -> None:
        rungs = [
            ("anywhere, at random", anywhere, theme.CONTEXT),
            ("inside its cluster", inside, theme.BLUE),
            ("inside its bucket", bucket, theme.VERMILION),
        ]
        ladder.ladder(rungs, negatives, hidden=() if told else (1,), key="ladder")
        _learners(view, division, told)

    return Lesson(
        story=(
            f"<b>Divide:</b> {count} clusters of pictures, {count} slices of the embedding; each <b>learner</b> trains"
            " one slice on one cluster. <b>Conquer:</b> in the end all slices are joined and trained together.",
            "The embedding itself makes the clusters: inside of one everything looks alike, and coarse differences no"
            " longer help.",
        ),
        question=Question(
            f"Take an anchor's {theme.count(negatives)} negatives from its own cluster, not from everywhere. How many"
            " more violate the margin?",
            ("about as many as at random", "up to three times as many", "more than three times as many"),
            (1.2, 3.0),
        ),
        value=times,
        figure=f"{times:.1f} times" if np.isfinite(times) else "none at random",
        told=(
            f"{inside:.1f} of {theme.count(negatives)} inside the cluster, {anywhere:.1f} anywhere.",
            _joined(division),
        ),
        takeaway="A corner of the data makes every batch harder, and each learner has a corner of its own.",
        exhibit=exhibit,
        door=("See what each learner looks after", "clusters", dict),
    )


def _joined(division: dict | None) -> str:
    """Whether the whole is better than its parts, in this run."""
    if not division:
        return ""
    best, whole = max(division["slice_recall"]), division["whole"]
    words = "and" if whole > best else "but"
    return (
        f"The best slice alone finds {theme.percent(best)} of its neighbours right, {words} all of them together"
        f" {theme.percent(whole)}."
    )


def _learners(view: View, division: dict | None, told: bool) -> None:
    sizes = np.bincount(np.asarray(view.snapshot.clusters)[view.rows], minlength=view.snapshot.learners)
    parts = []
    for number, telling in enumerate(_exemplars(view, cached.stamp(view))):
        share = float(sizes[number] / max(sizes.sum(), 1))
        words = f"{theme.percent(share, 0)} of the split"
        if told and division and number < len(division["slice_recall"]):
            words = f"alone {theme.percent(division['slice_recall'][number])} right"
        parts.append(Corner(f"Learner {number}", int(sizes[number]), share, words, view.ids[telling.centre]))
    picked = corners(view, parts, key="corners")
    if picked is not None:
        kind, value = picked
        if kind == "cluster":
            rule = f"cluster:{value}"
            selection.put(view.ids_of(rule), origin=f"learner {value}", rule=rule)
        else:
            selection.put(np.array([value]), origin="a sample of a learner")
        st.rerun()


@st.cache_data(max_entries=8, show_spinner=False)
def _exemplars(_view: View, stamp: tuple) -> list[Exemplars]:
    clusters = np.asarray(_view.snapshot.clusters)[_view.rows].astype(np.int64)
    return diagnostics.exemplars(cached.vectors(_view), clusters, _view.snapshot.learners, count=STRIP)


# 5: the map -----------------------------------------------------------------------------------------------------------


def _map(view: View) -> Lesson | Missing:
    if len(view.rows) <= NEIGHBOURS:
        return Missing(
            f"The {view.split} split holds {len(view.rows)} samples, too few to have {NEIGHBOURS} neighbours each.",
            "Choose another split or run in the header.",
        )
    points, kept, apart = _kept(view, cached.stamp(view))
    mean = float(kept.mean())
    torn = int(view.ids[points[np.argmax(apart)]])
    identity = place.number("point", lambda value: _row_of(view, value) is not None, fallback=torn, words="point")
    row = _row_of(view, identity)
    width = view.snapshot.vectors.shape[1]
    return Lesson(
        story=(
            f"The model places each picture in {width} dimensions; the <b>map</b> has two. Something has to give.",
            "It is drawn so that those who are near each other stay near, but there is not room for all. Here is one"
            f" picture, and its {NEIGHBOURS} true nearest neighbours in the full space.",
        ),
        question=Question(
            f"Of a picture's {NEIGHBOURS} true neighbours, how many are also among the {NEIGHBOURS} nearest on the"
            " map?",
            ("at most 3", "4 to 7", "8 or more"),
            (3.5, 7.5),
        ),
        value=mean,
        figure=f"{mean:.1f} of {NEIGHBOURS}",
        told=(
            f"on average over {theme.count(len(points))} pictures; between {kept.min()} and {kept.max()}.",
            "Groups on a map are mostly real, who stands next to whom is not.",
        ),
        takeaway="Let the map raise the question; let the distances in the full space answer it.",
        exhibit=lambda told: _point(view, row, torn, told),
        door=("Open this point on the map", "map", lambda: {"at": identity, "colour": state.COLOURS["trust"]}),
    )


def _point(view: View, row: int, torn: int, told: bool) -> None:
    snapshot, here = view.snapshot, int(view.rows[row])
    labels = np.asarray(snapshot.labels)
    true = np.asarray(snapshot.neighbours[here])[:NEIGHBOURS]
    near = view.rows[lessons.nearest_on(np.asarray(snapshot.xy)[view.rows], np.array([row]), NEIGHBOURS)[0]]
    agree = int(np.isin(true, near).sum())
    shade = {True: theme.RIGHT, False: theme.WRONG}
    same = labels[true] == labels[here]
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        lines = [(here, int(other), theme.CONTEXT) for other in np.setdiff1d(near, true)] if told else []
        lines += [(here, int(other), shade[bool(own)]) for other, own in zip(true, same, strict=True)] if told else []
        lit = [(near, theme.CONTEXT)] + [(true[same == own], shade[own]) for own in (True, False)] if told else []
        mini_map(
            view,
            key="lesson-map",
            lines=lines,
            lit=[*lit, (np.array([here]), theme.OLIVE)],
            rings=[(float(snapshot.xy[here][0]), float(snapshot.xy[here][1]), theme.OLIVE)],
            words=f"Where {view.class_name(here)} lies on the map, with lines to its true neighbours"
            if told
            else f"Where {view.class_name(here)} lies on the map",
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Another", key="point-another", icon=":material/casino:", on_click=_another_point, args=(view,))
            st.button("One torn apart", key="point-torn", on_click=place.go, args=("point", torn))
    with right:
        with st.container(horizontal=True, gap="small", vertical_alignment="center", wrap=False):
            gallery(view, snapshot.ids[[here]], key="lesson-point", size=56, borders=["query"])
            st.html(f"<b>True neighbours</b> of {html.escape(view.class_name(here))}, nearest first", width="stretch")
        borders = ["right" if own else "wrong" for own in same]
        clicked = gallery(view, snapshot.ids[true], key="lesson-true", borders=borders, size=40)
        if told:
            st.html(f"<b>Nearest on the map</b>, {agree} of them true")
            borders = ["right" if own else "wrong" for own in labels[near] == labels[here]]
            other = gallery(view, snapshot.ids[near], key="lesson-near", borders=borders, size=40)
            clicked = clicked if clicked is not None else other
        theme.legend([(theme.RIGHT, "same class", ""), (theme.WRONG, "another", "")])
    if clicked is not None:
        place.go("point", clicked)
        st.rerun()


def _another_point(view: View) -> None:
    place.go("point", int(np.random.default_rng().choice(view.ids)))


@st.cache_data(max_entries=16, show_spinner=False)
def _kept(_view: View, stamp: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random rows among the view's, how many true neighbours the map keeps of each, and how far it moves them off."""
    rows, snapshot = _view.rows, _view.snapshot
    points = np.random.default_rng(0).permutation(len(rows))[: lessons.sample_size(len(rows))]
    true = np.searchsorted(rows, np.asarray(snapshot.neighbours)[rows[points], :NEIGHBOURS])
    xy = np.asarray(snapshot.xy)[rows]
    return points, lessons.kept_neighbours(xy, true, points), lessons.torn_apart(xy, true, points)


SCENES = {  # name in the address -> scene
    "margin": Scene("The margin", "When does a triplet stop teaching?", _margin),
    "random": Scene("Random negatives", "Why do random negatives die?", _random),
    "hashing": Scene("Hashing", "How can one look-up find the hard ones?", _hashing),
    "divide": Scene("Divide and conquer", "Why give each learner a corner of its own?", _divide),
    "map": Scene("The map", "What does the map get wrong?", _map),
}
main()
