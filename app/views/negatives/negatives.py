"""Mined negatives: what training put next to each anchor, what other miners would have, and which pairs look wrong."""

import streamlit as st
from streamlit import runtime

from app import address, cached, selection, state, theme, warm
from app.views.negatives import margin, mined_most, replay, side_by_side, suspects
from app.widgets.primitives import links

SIDE_BY_SIDE = "Miners side by side"
PARTS = {  # the words stand in the address, too
    "Replay a step": replay,
    "Mined most": mined_most,
    SIDE_BY_SIDE: side_by_side,
    "Drag the margin": margin,
    "Suspicious labels": suspects,
}
OF_RECORDED_STEPS = (replay, mined_most, margin)


def main() -> None:
    view = state.page(
        "Mined negatives",
        "An anchor is pulled towards a positive, of its own class, and pushed off a negative, of another: here"
        " is which negatives were found, and which other miners would find.",
    )
    recorded = len(cached.recorded_steps(view)) > 0
    chosen = st.segmented_control(
        "Show",
        list(PARTS),
        required=True,
        label_visibility="collapsed",
        **address.control(
            "show", next(iter(PARTS)) if recorded else SIDE_BY_SIDE, among=PARTS.__contains__, words="part"
        ),
    )
    part = PARTS[chosen]
    if not recorded and part in OF_RECORDED_STEPS:
        theme.empty(
            "This run kept no record of its batches.",
            "Runs that are trained here record their batches; embeddings brought in a file have none. Miners side by"
            " side and suspicious labels work for both.",
        )
        return
    if runtime.exists():  # none in tests of a page alone
        warm.miners_soon()
    part.show(view)
    if len(selection.ids()):
        links.follow(but="negatives")


main()
