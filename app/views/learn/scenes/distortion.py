"""The map: what it gets wrong."""

import html

import numpy as np
import streamlit as st

from app import cached, figures, state, theme, url_state
from app.view import View
from app.views.learn import lessons
from app.views.learn.lessons import Question
from app.views.learn.scenes.lesson import Lesson, Missing
from app.widgets.map.mini_map import mini_map
from app.widgets.primitives.gallery import gallery

FACE = 30  # px of a picture: all neighbours, true ones and those on the map, fit a projector


def make(view: View) -> Lesson | Missing:
    """The scene, of a view."""
    count = figures.trust_at(view)
    if len(view.rows) <= count:
        return Missing(
            f"The {view.split} split holds {len(view.rows)} samples, too few to have {count} neighbours each.",
            "Choose another split or run in the header.",
        )
    points, apart = _torn(view, cached.stamp(view))
    share = figures.map_trust(view)
    torn = int(view.ids[points[np.argmax(apart)]])
    identity = url_state.number("point", lambda value: view.row_of(value) is not None, fallback=torn, words="point")
    row = view.row_of(identity)
    assert row is not None
    width = view.snapshot.vectors.shape[1]
    return Lesson(
        story=(
            f"The model places each picture in {width} dimensions; the <b>map</b> has two. Something has to give.",
            "It is drawn so that those who are near each other stay near, but there is not room for all. Here is one"
            f" picture, and its {count} true nearest neighbours in the full space.",
        ),
        question=Question(
            f"Of a picture's {count} true neighbours, how many are also among the {count} nearest on the map?",
            ("fewer than a third", "a third to two thirds", "more than two thirds"),
            (1 / 3, lessons.above(2 / 3)),
        ),
        value=share,
        figure=theme.percent(share, 0),
        caption=(
            f"on average over the {theme.count(len(view.rows))} pictures of the split: {share * count:.1f} of {count}.",
            lessons.map_moral(share),
        ),
        takeaway="Let the map raise the question; let the distances in the full space answer it.",
        demo=lambda revealed: _point(view, row, torn, revealed),
        link=("Open this point on the map", "map", lambda: {"at": identity, "colour": state.COLOURS["trust"]}),
    )


def _point(view: View, row: int, torn: int, revealed: bool) -> None:
    snapshot, here = view.snapshot, int(view.rows[row])
    labels = np.asarray(snapshot.labels)
    count = figures.trust_at(view)
    true = np.asarray(snapshot.neighbours[here])[:count]
    near = view.rows[lessons.nearest_on(np.asarray(snapshot.xy)[view.rows], np.array([row]), count)[0]]
    agree = int(np.isin(true, near).sum())
    shade = {True: theme.RIGHT, False: theme.WRONG}
    same = labels[true] == labels[here]
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        lines = [(here, int(other), theme.CONTEXT) for other in np.setdiff1d(near, true)] if revealed else []
        lines += (
            [(here, int(other), shade[bool(own)]) for other, own in zip(true, same, strict=True)] if revealed else []
        )
        highlighted = (
            [(near, theme.CONTEXT)] + [(true[same == own], shade[own]) for own in (True, False)] if revealed else []
        )
        mini_map(
            view,
            key="lesson-map",
            lines=lines,
            highlighted=[*highlighted, (np.array([here]), theme.OLIVE)],
            rings=[(float(snapshot.xy[here][0]), float(snapshot.xy[here][1]), theme.OLIVE)],
            words=f"Where {view.class_name(here)} lies on the map, with lines to its true neighbours"
            if revealed
            else f"Where {view.class_name(here)} lies on the map",
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Another", key="point-another", icon=":material/casino:", on_click=_another_point, args=(view,))
            st.button("One torn apart", key="point-torn", on_click=url_state.go, args=("point", torn))
    with right:
        with st.container(horizontal=True, gap="small", vertical_alignment="center", wrap=False):
            gallery(view, snapshot.ids[[here]], key="lesson-point", size=56, borders=["query"])
            st.html(
                f"<b>True neighbours</b> of <bdi>{html.escape(view.short_name(here))}</bdi>, nearest first",
                width="stretch",
            )
        borders = ["right" if own else "wrong" for own in same]
        clicked = gallery(view, snapshot.ids[true], key="lesson-true", borders=borders, size=FACE)
        if revealed:
            st.html(f"<b>Nearest on the map</b>, {agree} of them true")
            borders = ["right" if own else "wrong" for own in labels[near] == labels[here]]
            other = gallery(view, snapshot.ids[near], key="lesson-near", borders=borders, size=FACE)
            clicked = clicked if clicked is not None else other
        theme.legend([(theme.RIGHT, "same class", ""), (theme.WRONG, "another", "")])
    if clicked is not None:
        url_state.go("point", clicked)
        st.rerun()


def _another_point(view: View) -> None:
    url_state.go("point", int(np.random.default_rng().choice(view.ids)))


@st.cache_data(max_entries=16, show_spinner=False)
def _torn(_view: View, stamp: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Random rows among the view's, and how far the map moves each one's true neighbours off."""
    rows, snapshot = _view.rows, _view.snapshot
    points = np.random.default_rng(0).permutation(len(rows))[: lessons.sample_size(len(rows))]
    true = np.searchsorted(rows, np.asarray(snapshot.neighbours)[rows[points], : figures.trust_at(_view)])
    return points, lessons.torn_apart(np.asarray(snapshot.xy)[rows], true, points)
