"""Suspicious labels, ranked by what their neighbours and the training say, to be judged."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app import address, cached, state, theme
from app.view import View
from app.views.negatives.triage import triage

MAX_SUSPECTS = 300


def show(view: View) -> None:
    """The samples of a split whose labels look wrong."""
    splits = state.splits_of(view.snapshot)
    mined = "train" if len(cached.recorded_steps(view)) and "train" in splits else view.split
    split = st.segmented_control(
        "Split",
        splits,
        format_func="of the {} split".format,
        required=True,
        label_visibility="collapsed",
        **address.control(
            "suspects-of",
            mined,
            read=lambda text: text.removeprefix("of the ").removesuffix(" split"),
            among=splits.__contains__,
            words="split",
        ),
    )
    view = replace(view, split=split)
    found = cached.suspicion(view)
    listed = np.argsort(-found.score, kind="stable")[:MAX_SUSPECTS]
    listed = listed[(found.score[listed] > 0) & (found.vote[listed] > -1)]
    if not len(listed):
        theme.empty(
            "No label looks wrong here.",
            "What speaks for another class nowhere outweighs what speaks for the label; choose another split or"
            " checkpoint.",
        )
        return
    theme.caption(
        "The neighbours of these samples vote for another class than their label"
        + (", and in training that class kept being mined against them." if split == mined == "train" else ".")
        + " The two may look alike, or the label may be wrong. Keys 1, 2 and 3 judge, J and K step on and back."
    )
    triage(view, found, listed)
