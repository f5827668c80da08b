"""Timeline: the training as a film. How the held-out samples found their places, and when they turned right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from app import cached, pictures, selection, state, theme, url_state
from app.phases import PHASE_WORDS, PHASES
from app.view import View
from app.views.timeline.film import Film, film
from app.views.timeline.motion import gathered, phases, turned
from app.widgets.map.colouring import colouring
from app.widgets.primitives import links
from app.widgets.primitives.gallery import gallery, gallery_head
from bon_core.base.ids import rows_of
from bon_core.config import InputError, check
from bon_core.runs.run import Run

MOMENT = "moment"  # in the address: the step at which the film rests
FOLLOWED = 3  # classes that leave a trail if nothing is selected
MAX_FOLLOWED = 8
SHOWN = 32  # pictures of a gallery
PHASE_NAMES = {"joint": "warm-up", "split": "split", "clustered": "clustered", "conquer": "conquer"}


def main() -> None:
    view = state.page("Timeline", "Play the training: space plays, the arrow keys step, a click or a box selects.")
    try:
        recorded = _recorded(view.run.path, _stamp(view.run))
    except InputError as error:
        theme.error_box(f"{error} The other pages still work.")
        return
    if recorded is None:
        brought = view.snapshot.meta["origin"] != "trained"
        theme.empty(
            "These embeddings came from a file: nothing is known of their training."
            if brought
            else "No moments of this training were recorded.",
            "Train a model on the Train page; its moments are recorded by themselves.",
        )
        return
    view = _of_the_film(view, recorded)
    steps = recorded["steps"]
    moment = url_state.number(MOMENT, lambda step: step in steps, fallback=int(steps[-1]), words="moment")
    wide, side = st.columns([1.5, 1], gap="large")
    with side:
        followed = _followed(view, recorded)
        _note(recorded)
        if "correct" in recorded:
            _turns(view, recorded, int(np.flatnonzero(steps == moment)[0]))
    with wide:
        event = film(
            _film(view, recorded),
            key="film",
            moment=moment,
            selected=np.flatnonzero(np.isin(recorded["ids"], selection.ids())),
            followed=followed,
        )
    if event.picked is not None:
        selection.put(event.picked, mode=event.how, origin="the film")
        st.rerun()
    if event.moment is not None:
        url_state.go(MOMENT, event.moment)
        st.rerun()
    if len(selection.ids()):
        links.follow(but="timeline")


# What was recorded ----------------------------------------------------------------------------------------------------


def _stamp(run: Run) -> tuple:
    files = [run.timeline_path] if run.timeline_path.exists() else [run.preview_path(step) for step in run.previews()]
    return tuple(path.stat().st_mtime_ns for path in files)


@st.cache_resource(max_entries=4, show_spinner=False)
def _recorded(path: Path, stamp: tuple) -> dict[str, np.ndarray] | None:
    found = Run(path).timeline()
    lacking = sorted({"steps", "ids", "labels", "xy", "projection"} - set(found or ())) if found is not None else []
    check(not lacking, f"The film of run {path.name} lacks {', '.join(lacking)}; train anew for a whole one.")
    return found


def _of_the_film(view: View, recorded: dict[str, np.ndarray]) -> View:
    """The view of the split that the recorded samples are of."""
    rows = view.snapshot.positions(recorded["ids"])
    if not len(rows):
        return view
    split = state.SPLIT_NAMES[int(view.snapshot.split[rows[0]])]
    if split == view.split:
        return view
    theme.caption(f"The film is of the {split} split: what the training never sees is what it is measured on.")
    return replace(view, split=split)


def _film(view: View, recorded: dict[str, np.ndarray]) -> Film:
    steps, snapshot = recorded["steps"], view.snapshot
    colours, shades = _colours(view, recorded)
    evaluations = [event for event in cached.events(view.run) if event.get("kind") == "evaluation"]
    recall = [(event["step"], event["recall@1"]) for event in evaluations if "recall@1" in event]
    if "correct" in recorded and (not recall or steps[0] < recall[0][0]):  # before training nothing else measured it
        recall.insert(0, (int(steps[0]), float(recorded["correct"][0].mean())))
    return Film(
        name=f"{view.run.name} {_stamp(view.run)[-1]}",
        steps=steps,
        steps_per_epoch=snapshot.step / snapshot.meta["epoch"] if snapshot.meta["epoch"] else 1.0,
        ids=recorded["ids"],
        xy=recorded["xy"],
        classes=recorded["labels"],
        names=snapshot.class_names,
        colours=colours,
        shades=shades,
        recall=recall,
        phases=_phases(view.run, int(steps[-1])),
        thumbs=pictures.thumb_address(view),
    )


def _phases(run: Run, end: int) -> list[tuple[int, int, str, str, str]]:
    steps = [event for event in cached.events(run) if event.get("kind") == "step" and event.get("phase") in PHASE_NAMES]
    if not steps:
        return []
    found = phases([event["step"] for event in steps], [event["phase"] for event in steps], end)
    if len(found) == 1:
        return []
    return [(start, stop, PHASE_NAMES[name], PHASE_WORDS[name], PHASES[name]) for start, stop, name in found]


# Colours and trails ---------------------------------------------------------------------------------------------------


def _colours(view: View, recorded: dict[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Colour numbers (1, n), or (F, n) where right and wrong change with the moment, and their shades."""
    if view.colour == "correct" and "correct" in recorded:
        return (~recorded["correct"]).astype(int), (theme.SKY, theme.WRONG)
    whole = colouring(view)
    rows = rows_of(view.ids, recorded["ids"])
    return np.where(rows >= 0, whole.shade_numbers[rows], -1)[None], whole.shades


def _followed(view: View, recorded: dict[str, np.ndarray]) -> list[tuple[np.ndarray, str]]:
    """The classes whose way is drawn, as long as nothing is selected."""
    labels = recorded["labels"]
    classes = st.multiselect(
        "Follow classes",
        np.unique(labels).tolist(),
        default=gathered(recorded["xy"], labels, count=FOLLOWED).tolist(),
        format_func=view.short,
        max_selections=MAX_FOLLOWED,
        disabled=len(selection.ids()) > 0,
        help="The film draws the way of their samples, or that of the selection if there is one.",
        key="followed",
    )
    if view.colour == "correct" and "correct" in recorded:
        theme.legend([(theme.SKY, "right at that moment", ""), (theme.WRONG, "wrong", "")])
    else:
        colouring(view).legend()
    if not len(selection.ids()):
        return [(np.flatnonzero(labels == label), view.short(label)) for label in classes]
    inside = int(np.isin(recorded["ids"], selection.ids()).sum())
    theme.caption(f"{theme.count(inside)} of the {theme.count(len(selection.ids()))} selected samples are in the film.")
    return []


def _note(recorded: dict[str, np.ndarray]) -> None:
    count = theme.count(len(recorded["ids"]))
    if str(recorded["projection"]) == "umap":
        theme.caption(
            f"{count} held-out samples, {len(recorded['steps'])} moments. Each map is a UMAP that starts from the"
            " next moment's, the last from the Map page's: a sample moves as its neighbours change."
        )
    else:
        theme.caption(
            f"{count} held-out samples, {len(recorded['steps'])} moments, as the live maps showed them: by the two"
            " widest axes (PCA), which keep little of the neighbourhoods. Trainings record more by now; train anew for"
            " a film of aligned UMAP maps."
        )


# Who turned -----------------------------------------------------------------------------------------------------------


def _turns(view: View, recorded: dict[str, np.ndarray], at: int) -> None:
    steps, ids = recorded["steps"], recorded["ids"]
    since = max(at - 1, 0)
    st.header(f"Between step {theme.count(steps[since])} and {theme.count(steps[at])}", anchor=False)
    if at == 0:
        theme.caption("This is the first moment. Step on to see who turns right and who wrong.")
        return
    for column, right in zip(st.columns(2, gap="medium"), (True, False), strict=True):
        title = "Turned right" if right else "Turned wrong"
        with column:
            who = ids[turned(recorded["correct"], since, at, right=right)]
            gallery_head(title, who, origin=f"{title.lower()} by step {steps[at]}", key=f"turned-{right}")
            clicked = gallery(view, who, key=f"turned-gallery-{right}", size=40, most=SHOWN)
            if clicked is not None:
                selection.put(np.array([clicked]), origin="the film")
                st.rerun()


main()
