"""What was mined most: the classes that a training held against each other."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app import cached, selection, theme
from app.analysis import triplets
from app.analysis.retrieval import class_pairs_of
from app.view import View
from app.widgets.charts.class_pairs import class_pairs

PAIRS = 48  # of classes


def show(view: View) -> None:
    """Which classes the training held against each other, over all its recorded steps."""
    view = replace(view, split="train")
    mined = cached.mined(view)
    among = np.isin(view.ids[mined["anchor"]], selection.ids())
    if not among.any():
        if len(selection.ids()):
            theme.caption("Nothing of the selection was trained on, so these are the pairs of the whole training.")
        among[:] = True
    caption = mined["d_ap"][among], mined["d_an"][among]
    pairs = class_pairs_of(
        np.asarray(view.snapshot.labels)[view.rows].astype(np.int64),
        mined["anchor"][among],
        mined["negative"][among],
        np.nan_to_num(caption[0] - caption[1]),
        top=PAIRS,
    )
    if not pairs:
        theme.empty("No recorded sample is in this snapshot.", "Choose another checkpoint or run in the header.")
        return
    own = view.run.config.training.margin
    theme.figures(
        [
            (theme.count(among.sum()), "negatives mined", "one for each anchor of a recorded batch"),
            (theme.count(len(np.unique(mined["step"][among]))), "recorded steps", ""),
            (
                theme.percent(triplets.violating_share(*caption, own), 0),
                "violated the margin",
                f"share of these triplets whose negative was nearer than the positive + {own:g} when it was mined",
            ),
        ]
    )
    st.header(f"What {'the selection' if not among.all() else 'this model'} was trained against", anchor=False)
    theme.caption(
        "Pairs of classes by how often one was mined as a negative of the other, either way; pictured is the hardest"
        " case, anchor first. Click a pair to select both classes, and to see what else was mined against them."
    )
    picked = class_pairs(view, pairs, key="most-mined", caption="{count:,} times")
    if picked is not None and picked < len(pairs):
        both = (pairs[picked].one, pairs[picked].other)
        names = " and ".join(view.short(label) for label in both)
        selection.put(view.ids[np.isin(np.asarray(view.snapshot.labels)[view.rows], both)], origin=names)
        st.rerun()
