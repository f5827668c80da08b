"""Learn: five questions about metric learning, each answered by the chosen run's own data after one has predicted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import address, browsing, selection, state, theme, url_state
from app.view import View
from app.views.learn.prediction import ask_or_show, predict, revealed
from app.views.learn.scene_rail import scene_rail
from app.views.learn.scenes import distortion, division, hashing, margin, random_negatives
from app.views.learn.scenes.lesson import Lesson, Missing

SCENE, PRESENT = "scene", "present"  # in the address
NOW, PRESENTING = "learn-scene", "learn-presenting"  # in the session
RAIL = "rail"  # key of a widget: in the session as long as one stays on this page
NEXT_PAGE = "learn-next-page"  # in the session: the page to go to


@dataclass(frozen=True)
class Scene:
    label: str  # on the rail
    title: str
    make: Callable[[View], Lesson | Missing]


def main() -> None:
    if NEXT_PAGE in st.session_state:
        name = st.session_state.pop(NEXT_PAGE)
        st.switch_page(f"views/{name}/{name}.py")
    theme.style()
    if RAIL not in st.session_state or browsing.walked():
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
    asked = address.value(SCENE)
    if asked in SCENES:
        st.session_state[NOW] = asked
    elif asked is not None:
        theme.error_box(f"The link names the scene {asked}, which is not there; another one is shown.")
    st.session_state.setdefault(NOW, next(iter(SCENES)))
    st.session_state[PRESENTING] = address.value(PRESENT) == "1"
    address.forget(PRESENT)


def _write_address(name: str, presenting: bool) -> None:
    address.choose(SCENE, name)
    address.show(SCENE, name)
    if presenting:
        address.show(PRESENT, 1)
        if (link := address.value(selection.LINK)) is not None:  # which no chip shows now
            address.show(selection.LINK, link)


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
            words, page, there = lesson.link
            st.button(words, key="learn-link", icon=":material/open_in_new:", on_click=_open, args=(page, there))
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
    """Words and question beside the demo. While presenting, the answer takes the place of the story."""
    words, demo = st.columns([1, 1.5 if presenting else 1.7], gap="large")
    much = 1 if presenting else 2
    with words:
        if not (presenting and revealed(key)):
            st.html(f'<p class="story">{" ".join(lesson.story[:much])}</p>')
        predict(lesson.question, lesson.value, key=key, figure=lesson.figure, caption=" ".join(lesson.caption[:much]))
        if revealed(key):
            st.html(f'<p class="takeaway">{lesson.takeaway}</p>')
        ask_or_show(key, presenting=presenting)
    with demo:
        lesson.demo(revealed(key))


def _missing(view: View, missing: Missing) -> None:
    """What the scene lacks, and a run that has it."""
    theme.empty(missing.words, missing.remedy)
    bundled = next((run.name for run in state.explorable().values() if run.bundled), None)
    if bundled is not None and bundled != view.run.name:
        st.button(
            f"Show it on {bundled}", key="bundled", icon=":material/inventory_2:", on_click=_look_at, args=(bundled,)
        )


def _look_at(run: str) -> None:
    address.choose("run", run)
    address.forget("epoch", "split")


def _open(page: str, there: Callable[[], dict[str, Any]]) -> None:
    """Go to a real page in the next run of the script; it will stand where the scene does.

    What both pages have, such as the header's menus and the margin, goes along by itself; `there` is the rest.
    """
    asked = there()
    for name, value in asked.items():
        if name in ("anchor", "bucket"):
            url_state.go(name, value)
        else:
            address.choose(name, value)
    st.session_state[NEXT_PAGE] = page


SCENES = {  # name in the address -> scene
    "margin": Scene("The margin", "What does the margin ask for?", margin.make),
    "random": Scene("Random negatives", "How hard is a random negative?", random_negatives.make),
    "hashing": Scene("Hashing", "What does one look-up find?", hashing.make),
    "divide": Scene("Divide and conquer", "What does a corner of its own bring a learner?", division.make),
    "map": Scene("The map", "What does the map get wrong?", distortion.make),
}
main()
