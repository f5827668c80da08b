"""Divide and conquer: why each learner gets a corner of its own."""

import numpy as np
import streamlit as st

from app import cached, selection, theme
from app.analysis.lessons import Question
from app.scenes import anchors
from app.scenes.lesson import Lesson, Missing
from app.state import View
from app.widgets import ladder
from app.widgets.corners import Corner, corners
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
    negatives = anchors.negatives_of_a_batch(view)
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
    classes = np.asarray(_view.snapshot.labels)[_view.rows]
    return diagnostics.exemplars(cached.vectors(_view), clusters, _view.snapshot.learners, count=STRIP, classes=classes)
