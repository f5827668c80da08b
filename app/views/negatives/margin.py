"""The margin that is dragged, over the triplets of the last steps."""

import streamlit as st

from app import address, figures, theme
from app.analysis import triplets
from app.view import View
from app.widgets.charts.distance_plot import distance_plot


@st.fragment
def show(view: View) -> None:
    """Which of a view's late triplets violate a margin."""
    own, late = view.run.config.training.margin, figures.late(view)
    if late is None:
        theme.empty("No triplet was chosen in the last recorded steps.", "Mined most shows those of all steps.")
        return
    left, right = st.columns([1, 2], gap="large")
    with left:
        control = address.control("margin", float(own), read=float, among=lambda margin: 0 <= margin <= 1)
        margin = st.slider("Margin", 0.0, 1.0, step=0.01, **control)
        share = triplets.violating_share(late.d_ap, late.d_an, margin)
        theme.figures(
            [(theme.percent(share, 0), "of these triplets violate it", "The negative is nearer than positive + margin")]
        )
        st.markdown(
            "Each dot is a triplet that was mined in the last recorded steps. On the line the negative is exactly"
            " one margin farther than the positive; **below the line** the triplet violates the margin. A larger"
            " margin is violated by more of them."
        )
        theme.caption(figures.loss_words(view, late))
        theme.caption(f"The margin was {own:g}, the steps are {theme.count(late.first)} to {theme.count(late.last)}.")
    with right:
        distance_plot(late.d_ap, late.d_an, margin, key="distances", height="min(60vh, 34rem)")
