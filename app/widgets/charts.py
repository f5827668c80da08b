"""Small charts in one visual language: thin axes, no frames, Okabe-Ito colours, numbers aggregated in Python.

Each function returns an Altair chart; show it with `show(chart, key=...)`.
"""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app import theme

SMALL = 190  # px of height


def show(chart: alt.Chart | alt.LayerChart, *, key: str, alt_text: str = "") -> None:
    """Draw a chart that is looked at only, over the full width."""
    st.altair_chart(styled(chart), key=key, width="stretch", alt=alt_text or None)


def styled(chart: alt.Chart | alt.LayerChart) -> alt.Chart | alt.LayerChart:
    """The look all charts share."""
    return chart.configure_view(stroke=None).configure_axis(
        grid=True,
        gridOpacity=0.35,
        domain=False,
        tickSize=0,
        labelPadding=6,
        titleFontWeight="normal",
        titleFontSize=12,
    )


def curves(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    x_title: str = "",
    y_title: str = "",
    series: str | None = None,
    colours: dict[str, str] | None = None,
    percent: bool = False,
    height: int = SMALL,
    points: bool = False,
) -> alt.Chart:
    """Lines of `y` over `x`, one a value of the column `series`."""
    axis = alt.Axis(title=y_title or None, format="%" if percent else "~g", tickCount=4)
    chart = alt.Chart(table).mark_line(strokeWidth=1.8, point={"size": 18} if points else False, clip=True)
    chart = chart.encode(
        x=alt.X(f"{x}:Q", axis=alt.Axis(title=x_title or None, grid=False, tickCount=6), scale=alt.Scale(nice=False)),
        y=alt.Y(f"{y}:Q", axis=axis, scale=alt.Scale(zero=False)),
        tooltip=[
            f"{x}:Q",
            alt.Tooltip(f"{y}:Q", format=".1%" if percent else ".4~g"),
            *([f"{series}:N"] if series else []),
        ],
    )
    if series is None:
        return chart.encode(color=alt.value(theme.BLUE)).properties(height=height)
    names = list(colours or dict.fromkeys(table[series]))
    shades = list((colours or {}).values()) or [theme.hue(number) for number in range(len(names))]
    legend = alt.Legend(title=None, orient="top", symbolType="stroke")
    colour = alt.Color(f"{series}:N", scale=alt.Scale(domain=names, range=shades), legend=legend)
    return chart.encode(color=colour).properties(height=height)


def bands(spans: Sequence[tuple[float, float, str]], *, colours: dict[str, str], x: str = "x") -> alt.Chart:
    """Shaded spans (from, to, name) to lay under curves with the same x column."""
    table = pd.DataFrame(spans, columns=[x, "until", "phase"])
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return (
        alt.Chart(table)
        .mark_rect(opacity=0.1)
        .encode(
            x=alt.X(f"{x}:Q"), x2="until:Q", color=alt.Color("phase:N", scale=scale, legend=None), tooltip="phase:N"
        )
    )
