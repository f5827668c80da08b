"""Hashing: how one look-up finds the hard negatives."""

import numpy as np
import streamlit as st

from app import cached, place, theme
from app.analysis import lessons
from app.scenes import anchors
from app.scenes.lesson import Lesson, Missing
from app.state import View
from app.widgets import ladder
from app.widgets.bit_strip import bit_strip


def make(view: View) -> Lesson | Missing:
    """The scene, of a view."""
    found = anchors.study(view)
    if isinstance(found, Missing):
        return found
    if np.isnan(found.bucket).all():
        return Missing(
            "No bucket of this split holds two classes, so there is no negative to find in one.",
            "The data is too small for its number of bits, or the codes have collapsed; choose another run.",
        )
    anchor, negatives = anchors.chosen(view), anchors.negatives_of_a_batch(view)
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
        question=anchors.how_many(
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
    found = lessons.bucket_of(pool, anchor, code, anchors.own_margin(view))
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        theme.quiet(f"Bucket {code:#x}, {where}, holds {theme.count(len(found.row))} negatives.")
        if away:
            st.button("Back to its own", key="own-bucket", type="tertiary", on_click=place.go, args=("flip", 0))
    with st.container(key="bucket-wall"):
        anchors.show(view, anchor, found, told)
