"""Hashing: which negatives one look-up finds."""

import numpy as np
import streamlit as st

from app import theme, url_state
from app.view import View
from app.views.learn import ladder, lessons
from app.views.learn.lessons import Question
from app.views.learn.pool import pool_of
from app.views.learn.scenes import anchors
from app.views.learn.scenes.lesson import Lesson, Missing
from app.widgets.charts.bit_strip import bit_strip


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
    anchor = anchors.chosen(view)
    anywhere, near = (float(np.nanmean(share)) for share in (found.anywhere, found.bucket))
    looked, everybody = float(found.looked.mean()), len(view.rows)
    bits = view.snapshot.bits
    code = int(pool_of(view).codes[anchor])

    def demo(revealed: bool) -> None:
        rungs = [("of all negatives", anywhere, theme.CONTEXT), ("of those in its bucket", near, theme.VERMILION)]
        ladder.ladder(rungs, hidden=() if revealed else (1,), key="ladder")
        _bucket(view, anchor, code, revealed)

    return Lesson(
        story=(
            f"<b>Bag of Negatives</b> asks {bits} yes-or-no questions of each embedding. Those who answer alike share"
            " a <b>bucket</b>, and one look-up finds it.",
            f"To find the hardest negative exactly, an anchor would be compared with all {theme.count(everybody)}"
            " pictures at every step; a look-up costs the same however large the data set is. Flip a bit to visit the"
            " bucket next door.",
        ),
        question=Question(
            f"Of all negatives {theme.percent(anywhere)} violate the margin. How many of those in an anchor's own"
            " bucket?",
            ("at most 5 %", "5 to 50 %", "more than 50 %"),
            (lessons.above(0.05), lessons.above(0.5)),
        ),
        value=near,
        figure=theme.percent(near),
        caption=(
            f"on average over {theme.count((~np.isnan(found.bucket)).sum())} anchors.",
            f"An anchor's bucket holds {theme.count(looked)} of the {theme.count(everybody)} pictures on average.",
        ),
        takeaway=lessons.bucket_moral(near, anywhere),
        demo=demo,
        link=("Open this bucket", "buckets", lambda: {"bucket": code ^ _flipped(view)}),
    )


def _flipped(view: View) -> int:
    """Which bits of the anchor's code were flipped, as a number."""
    return url_state.number("flip", lambda value: 0 <= value < 1 << view.snapshot.bits, fallback=0, words="bits")


def _bucket(view: View, anchor: int, own: int, revealed: bool) -> None:
    pool, code = pool_of(view), own ^ _flipped(view)
    codes, sizes = np.unique(pool.codes, return_counts=True)
    visited = bit_strip(code, view.snapshot.bits, dict(zip(codes.tolist(), sizes.tolist(), strict=True)), key="code")
    if visited is not None:
        url_state.go("flip", own ^ visited)
        st.rerun()
    away = (code ^ own).bit_count()
    where = "the anchor's own" if not away else f"{away} bit{'s' if away > 1 else ''} away from the anchor's"
    found = lessons.bucket_of(pool, anchor, code, anchors.own_margin(view))
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        theme.caption(f"Bucket {code:#x}, {where}, holds {theme.count(len(found.row))} negatives.")
        if away:
            st.button("Back to its own", key="own-bucket", type="tertiary", on_click=url_state.go, args=("flip", 0))
    with st.container(key="bucket-wall"):
        anchors.show(view, anchor, found, revealed)
