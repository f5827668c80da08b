"""Small charts in one visual language: thin axes, no frames, Okabe-Ito colours, numbers aggregated in Python.

Each function returns an Altair chart; show it with `show(chart, key=...)`.
"""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import theme

SMALL = 190  # px of height
WHITE_FROM = 0.58  # of the way along the ramp: from here on white numbers read better than black ones


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


def histogram(
    values: np.ndarray,
    *,
    bins: int = 40,
    x_title: str = "",
    y_title: str = "",
    mark: Sequence[float] = (),
    colour: str = theme.BLUE,
    domain: tuple[float, float] | None = None,
    height: int = SMALL,
) -> alt.LayerChart:
    """Counts of `values` (n,) in equal bins; `mark` draws vertical lines, e.g. a margin or a selected value."""
    counts, edges = np.histogram(np.asarray(values, np.float64), bins=bins, range=domain)
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "count": counts})
    bars = (
        alt.Chart(table)
        .mark_bar(color=colour, binSpacing=1)
        .encode(
            x=alt.X("from:Q", bin="binned", axis=alt.Axis(title=x_title or None, grid=False, tickCount=6)),
            x2="to:Q",
            y=alt.Y("count:Q", axis=alt.Axis(title=y_title or None, tickCount=4)),
            tooltip=[alt.Tooltip("from:Q", format=".3~g"), alt.Tooltip("to:Q", format=".3~g"), "count:Q"],
        )
    )
    rule = (
        alt.Chart(pd.DataFrame({"at": list(mark)})).mark_rule(color=theme.VERMILION, strokeWidth=1.6).encode(x="at:Q")
    )
    return alt.layer(bars, rule).properties(height=height)


def bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    colours: Sequence[str] | None = None,
    percent: bool = False,
    row: int = 22,
) -> alt.LayerChart:
    """Horizontal bars, one a name, in the order given, with the numbers at their ends."""
    values = np.asarray(values, np.float64)
    table = pd.DataFrame({"name": list(names), "value": values, "shade": list(colours or [theme.BLUE] * len(names))})
    number_format = ".1%" if percent else ",.4~g"
    room = alt.Scale(domain=[0, 1.18 * max(float(values.max(initial=0)), 1e-9)], nice=False)
    base = alt.Chart(table).encode(
        x=alt.X("value:Q", axis=None, scale=room),
        y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelLimit=150, labelOverlap=False)),
        tooltip=["name:N", alt.Tooltip("value:Q", format=number_format)],
    )
    lengths = base.mark_bar(cornerRadiusEnd=2).encode(color=alt.Color("shade:N", scale=None))
    numbers = base.mark_text(align="left", dx=5, fontSize=11, color=theme.ink()).encode(
        text=alt.Text("value:Q", format=number_format)
    )
    return alt.layer(lengths, numbers).properties(height=row * len(table) + 26)


def heatmap(
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_title: str = "",
    column_title: str = "",
    value_title: str = "value",
    number_format: str = ".0%",
    domain: tuple[float, float] | None = None,
    labels: bool = True,
    cell: int = 34,
) -> alt.LayerChart:
    """A matrix (rows, columns) as coloured cells, with the numbers in them unless `labels` is False."""
    matrix = np.asarray(matrix, np.float64)
    table = pd.DataFrame(
        {
            "row": np.repeat(np.asarray(rows, object), len(columns)),
            "column": np.tile(np.asarray(columns, object), len(rows)),
            "value": matrix.ravel(),
        }
    )
    low, high = domain or (float(np.nanmin(matrix, initial=0)), float(np.nanmax(matrix, initial=1e-9)))
    shades = theme.SEQUENTIAL
    scale = alt.Scale(domain=list(np.linspace(low, high, len(shades))), range=list(shades), clamp=True)
    base = alt.Chart(table).encode(
        x=alt.X(
            "column:N", sort=None, axis=alt.Axis(title=column_title or None, labelAngle=0, orient="top", grid=False)
        ),
        y=alt.Y("row:N", sort=None, axis=alt.Axis(title=row_title or None, labelLimit=120, grid=False)),
        tooltip=["row:N", "column:N", alt.Tooltip("value:Q", title=value_title, format=number_format)],
    )
    cells = base.mark_rect(cornerRadius=2).encode(color=alt.Color("value:Q", scale=scale, legend=None))
    ink = alt.condition(alt.datum.value > low + WHITE_FROM * (high - low), alt.value("white"), alt.value("black"))
    numbers = base.mark_text(fontSize=11).encode(text=alt.Text("value:Q", format=number_format), color=ink)
    layers = [cells, numbers] if labels else [cells]
    return alt.layer(*layers).properties(height=cell * max(len(rows), 1))


def strip(values: np.ndarray, *, names: Sequence[str] | None = None, x_title: str = "", height: int = 60) -> alt.Chart:
    """One tick a value along a line; `names` show on hover."""
    table = pd.DataFrame({"value": values, "name": list(names) if names is not None else [""] * len(values)})
    return (
        alt.Chart(table)
        .mark_tick(thickness=1.4, opacity=0.6, color=theme.BLUE)
        .encode(
            x=alt.X("value:Q", axis=alt.Axis(title=x_title or None, grid=False), scale=alt.Scale(zero=False)),
            tooltip=["name:N", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=height)
    )


def sankey(flows: np.ndarray, *, before: Sequence[str], after: Sequence[str], height: int = 260) -> alt.LayerChart:
    """What moved where: flows (K before, K after) of counts as ribbons, coloured by where they come from."""
    flows = np.asarray(flows, np.float64)
    total, gap = flows.sum(), 0.02 * flows.sum()
    lefts = np.concatenate([[0], np.cumsum(flows.sum(axis=1) + gap)])[:-1]
    rights = np.concatenate([[0], np.cumsum(flows.sum(axis=0) + gap)])[:-1]
    ease = np.linspace(0, 1, 24)
    blend = ease**2 * (3 - 2 * ease)
    ribbons, left, right = [], lefts.copy(), rights.copy()
    for i, j in np.ndindex(flows.shape):
        if flows[i, j] > 0:
            low = left[i] + (right[j] - left[i]) * blend
            ribbons.append(
                pd.DataFrame(
                    {
                        "x": ease,
                        "low": low,
                        "high": low + flows[i, j],
                        "from": before[i],
                        "to": after[j],
                        "count": flows[i, j],
                    }
                )
            )
            left[i] += flows[i, j]
            right[j] += flows[i, j]
    table = pd.concat(ribbons) if ribbons else pd.DataFrame(columns=["x", "low", "high", "from", "to", "count"])
    hidden = alt.Axis(title=None, labels=False, ticks=False, grid=False, domain=False)
    scale = alt.Scale(domain=list(before), range=[theme.hue(k) for k in range(len(before))])
    area = (
        alt.Chart(table.assign(ribbon=table["from"] + " → " + table["to"]))
        .mark_area(opacity=0.55)
        .encode(
            x=alt.X("x:Q", axis=hidden, scale=alt.Scale(domain=[-0.12, 1.12], nice=False)),
            y=alt.Y("low:Q", axis=hidden, scale=alt.Scale(domain=[total + gap * max(flows.shape), 0], nice=False)),
            y2="high:Q",
            detail="ribbon:N",
            color=alt.Color("from:N", scale=scale, legend=None),
            tooltip=["from:N", "to:N", alt.Tooltip("count:Q", format=",")],
        )
    )
    ends = [(-0.015, low + size / 2, name) for low, size, name in zip(lefts, flows.sum(axis=1), before, strict=True)]
    starts = [(1.015, low + size / 2, name) for low, size, name in zip(rights, flows.sum(axis=0), after, strict=True)]
    words = [
        alt.Chart(pd.DataFrame(rows, columns=["x", "low", "name"]))
        .mark_text(align=side, fontSize=12, color=theme.ink())
        .encode(x="x:Q", y="low:Q", text="name:N")
        for rows, side in ((ends, "right"), (starts, "left"))
    ]
    return alt.layer(area, *words).properties(height=height)
