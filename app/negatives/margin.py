"""The margin that is dragged, over the triplets of the last steps."""

import streamlit as st

from app import address, cached, theme
from app.analysis import miners
from app.state import View
from app.widgets.distance_plot import distance_plot

LAST_STEPS = 30  # recorded steps in the plot of distances


@st.fragment
def show(view: View) -> None:
    """Which of a view's late triplets a margin still makes work."""
    own = view.run.config.training.margin
    last = cached.recorded_steps(view)[-LAST_STEPS:]
    d_ap, d_an = cached.late_distances(view, int(last[0]))
    left, right = st.columns([1, 2], gap="large")
    with left:
        control = address.control("margin", float(own), read=float, among=lambda margin: 0 <= margin <= 1)
        margin = st.slider("Margin", 0.0, 1.0, step=0.01, **control)
        theme.figures([(theme.percent(miners.active_share(d_ap, d_an, margin), 0), "of these triplets are active", "")])
        st.markdown(
            "Each dot is a triplet that was mined in the last recorded steps. On the line the negative is exactly"
            " one margin farther than the positive. **Below the line** the loss is above zero and the network"
            " learns; above it, the triplet is dead weight.\n\nA larger margin wakes more triplets, and asks for"
            " more than may be possible."
        )
        theme.quiet(f"The run was trained with {own:g}. Steps {theme.count(last[0])} to {theme.count(last[-1])}.")
    with right:
        distance_plot(d_ap, d_an, margin, key="distances", height="min(60vh, 34rem)")
