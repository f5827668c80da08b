"""Divide and conquer: what a corner of its own brings a learner."""

import numpy as np
import streamlit as st

from app import cached, figures, selection, theme
from app.figures import Slices
from app.view import View
from app.views.learn import ladder, lessons
from app.views.learn.corners import Corner, corners
from app.views.learn.lessons import Question
from app.views.learn.scenes import anchors
from app.views.learn.scenes.lesson import Lesson, Missing
from bon_core.division import diagnostics
from bon_core.division.diagnostics import Exemplars

STRIP = 16  # pictures of a learner, if there is room


def make(view: View) -> Lesson | Missing:
    """The scene, of a view."""
    snapshot = view.snapshot
    if snapshot.meta["clusters_origin"] != "learners" or snapshot.learners < 2:
        brought = snapshot.meta["origin"] != "trained"
        return Missing(
            "These embeddings came from a file: there are no learners in them."
            if brought
            else "This run was trained undivided: one learner, one embedding.",
            "This scene needs a run that was trained with more than one learner.",
        )
    found = anchors.study(view)
    if isinstance(found, Missing):
        return found
    anywhere, inside, bucket = (
        float(np.nanmean(share)) if not np.isnan(share).all() else 0.0
        for share in (found.anywhere, found.cluster, found.bucket)
    )
    times = inside / anywhere if anywhere > 0 else 1.0 if inside == 0 else float("inf")
    slices = figures.slices(view)
    count = snapshot.learners

    def demo(revealed: bool) -> None:
        rungs = [
            ("of all negatives", anywhere, theme.CONTEXT),
            ("of those in its cluster", inside, theme.BLUE),
            ("of those in its bucket", bucket, theme.VERMILION),
        ]
        ladder.ladder(rungs, hidden=() if revealed else (1,), key="ladder")
        _learners(view, slices, revealed)

    return Lesson(
        story=(
            f"<b>Divide:</b> {count} clusters of pictures, {count} slices of the embedding; each <b>learner</b> trains"
            " one slice on one cluster. <b>Conquer:</b> in the end all slices are joined and trained together.",
            "The embedding itself makes the clusters: what lies together goes to one learner.",
        ),
        question=Question(
            f"Of all negatives {theme.percent(anywhere)} violate the margin. How many of those in an anchor's own"
            " cluster?",
            ("about as many", "up to three times as many", "more than three times as many"),
            (lessons.CLEAR, lessons.above(3)),
        ),
        value=times,
        figure=theme.percent(inside),
        caption=(
            f"{f'{times:.1f} times as many' if np.isfinite(times) else 'where elsewhere none do'}, on average over"
            f" {theme.count((~np.isnan(found.cluster)).sum())} anchors.",
            "" if slices is None else _joined(slices),
        ),
        takeaway=lessons.cluster_moral(times, None if slices is None else slices.gain),
        demo=demo,
        link=("See what each learner looks after", "clusters", dict),
    )


def _joined(found: Slices) -> str:
    """What the slices bring each other, in this run."""
    return (
        f"Recall@1 of the best slice alone is {theme.percent(found.alone.max())}, of all together"
        f" {theme.percent(found.whole)}, on the {found.split} split: {figures.gain_words(found)}."
    )


def _learners(view: View, found: Slices | None, revealed: bool) -> None:
    sizes = np.bincount(np.asarray(view.snapshot.clusters)[view.rows], minlength=view.snapshot.learners)
    parts = []
    for number, telling in enumerate(_exemplars(view, cached.stamp(view))):
        share = float(sizes[number] / max(sizes.sum(), 1))
        words = f"{theme.percent(share, 0)} of the split"
        if revealed and found is not None and number < len(found.alone):
            words = f"alone {theme.percent(found.alone[number])} Recall@1"
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
    classes = np.asarray(_view.snapshot.labels)[_view.rows]
    return diagnostics.exemplars(cached.vectors(_view), clusters, _view.snapshot.learners, count=STRIP, classes=classes)
