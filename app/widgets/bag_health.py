"""The health of a bag over its training: five figures over one time axis, and a judgement in words."""

import json
import math

import numpy as np
import pandas as pd
import streamlit as st

from app import theme
from app.analysis.buckets import COLLAPSE, verdict

PANELS = {  # field of a logged step: title, what it means, colour
    "entropy_share": ("Entropy / S", "evenness of the buckets; below 80 % codes crowd", theme.BLUE),
    "fallback_rate": ("Fallback", "mate places that no bucket could serve", theme.ORANGE),
    "staleness": ("Stale codes", "stored codes that had changed when seen again", theme.PINK),
    "empty_share": ("Empty buckets", "share of the buckets without a sample", theme.VIOLET),
    "mining_ms": ("Mining", "milliseconds of a step, to compose and to update", theme.GREEN),
}
PANEL, HEADING, TIME_AXIS = 58, 46, 52  # px of height of a panel's curve, of the words above it, of the axis below all
MOST_STEPS = 400  # points of a curve; more cannot be seen
MOST_WARNINGS = 3  # shown as sentences; all are marked on the chart


def bag_health(steps: list[dict], warnings: list[dict], stamp: tuple) -> None:
    """What the miner's figures did, with a judgement in words; steps are those with bucket figures, one at least.

    `stamp` changes when any of them does.
    """
    st.subheader("Health over training", anchor=False)
    _judge(steps)
    apart = [step["step"] for step in steps if step["cluster"] is not None]
    theme.legend(
        [
            *([(theme.VERMILION, "warning, given while training", "")] if warnings else []),
            *([(theme.CONTEXT, "learners work apart: figures of the one whose turn it is", "")] if apart else []),
        ]
    )
    for event in warnings[-MOST_WARNINGS:]:
        theme.quiet(f"Step {theme.count(event['step'])}: {event['text']}")
    if len(warnings) > MOST_WARNINGS:
        theme.quiet(f"These are the last of {theme.count(len(warnings))} warnings.")
    st.vega_lite_chart(
        _panels(steps, warnings, apart, theme.ink(), stamp),
        key="health",
        width="stretch",
        alt="Entropy, fallback, staleness, empty buckets and mining time over the training steps",
    )


def _judge(steps: list[dict]) -> None:
    """One sentence on the entropy, loud if it is low or fell."""
    found = verdict(steps)
    high, low, last = (theme.percent(step["entropy_share"], 0) for step in (found.high, found.low, found.last))
    when = f"{high} of S at step {theme.count(found.high['step'])}"
    if found.kind == "filling":
        theme.quiet(f"The first epoch is not over: the table is still filling. Entropy stands at {last} of S.")
    elif found.kind == "low":
        theme.trouble(
            f"At the last step entropy is {last} of S{f', down from {when}' if found.fallen else ''}. Below 80 % codes"
            " crowd into few buckets, and a bucket mate is hardly harder than a random sample. Train with fewer bits"
            " (--bits) or mates (--mate-share)."
        )
    elif found.kind == "fell":
        theme.trouble(
            f"Entropy fell from {when} to {last} at the last. Above 80 % mining still works, but codes have begun to"
            " crowd; if it goes on, train with fewer bits (--bits) or mates (--mate-share)."
        )
    elif found.kind == "dipped":
        theme.quiet(
            f"Entropy fell to {low} of S at step {theme.count(found.low['step'])} and came back to {last}; above 80 %"
            " is healthy."
        )
    else:
        theme.quiet(
            f"The codes did not collapse: after the first epoch entropy never fell below {low} of S, and at the last"
            f" step it is {last}; above 80 % is healthy."
        )


@st.cache_data(max_entries=8, show_spinner=False)
def _panels(_steps: list[dict], _warnings: list[dict], _apart: list[int], ink: str, stamp: tuple) -> dict:
    """Small multiples over one time axis, a panel a figure; one chart, so that a line follows the pointer through all.

    A Vega-Lite spec by hand: Altair takes a tenth of a second to check one of so many layers. Heights are in px from
    below: the panel of the last name begins at 0.
    """
    table = pd.DataFrame(_steps[:: -max(len(_steps) // MOST_STEPS, 1)][::-1])  # the last step stays
    names = [name for name in PANELS if table[name].notna().any()]
    floor = {name: number * (PANEL + HEADING) for number, name in enumerate(reversed(names))}
    ends = {name: _ends(name, table[name]) for name in names}

    def height(name: str, value: pd.Series | float) -> pd.Series | float:
        low, high = ends[name]
        return floor[name] + PANEL * np.clip((value - low) / (high - low), 0, 1)

    ticks = {}
    for name in names:
        between = COLLAPSE if name == "entropy_share" else sum(ends[name]) / 2
        ticks |= {round(height(name, value)): _written(name, value) for value in (*ends[name], between)}
    curves = pd.concat(
        pd.DataFrame({"step": table["step"], "height": height(name, table[name]), "figure": name}) for name in names
    ).dropna()
    heads = pd.DataFrame(
        {
            "figure": names,
            "title": [PANELS[name][0] for name in names],
            "meaning": [PANELS[name][1] for name in names],
            "newest": [f"{_written(name, table[name].dropna().iloc[-1])} at the last step" for name in names],
            "height": [floor[name] + PANEL for name in names],
        }
    )

    x = {
        "field": "step",
        "type": "quantitative",
        "scale": {"domain": [0, max(int(table["step"].max()), 1)], "nice": False},
        "axis": {"title": "training step", "grid": False, "tickCount": 6, "format": ",d"},
    }
    y = {
        "field": "height",
        "type": "quantitative",
        "scale": {"domain": [0, len(names) * (PANEL + HEADING)], "nice": False},
        "axis": {
            "title": None,
            "values": list(ticks),
            "labelExpr": f"({json.dumps(ticks)})[datum.value]",
            "labelOverlap": False,
        },
    }
    shades = {"domain": names, "range": [PANELS[name][2] for name in names]}
    colour = {"field": "figure", "type": "nominal", "scale": shades, "legend": None}

    def words(field: str, side: str, above: int, *, bold: bool = True) -> dict:
        mark = {
            "type": "text",
            "align": side,
            "yOffset": -above,
            "fontSize": 12 + bold,
            "fontWeight": 600 if bold else 400,
        }
        end = {"value": 0 if side == "left" else "width"}
        return _layer("heads", mark, {"x": end, "y": y, "text": {"field": field}, "color": {"value": ink}})

    tips = [
        {"field": "step", "title": "step", "format": ",d"},
        *({"field": name, "title": PANELS[name][0], "format": ".1%"} for name in names if name != "mining_ms"),
        {"field": "mining_ms", "title": "mining, ms", "format": ".2f"},
    ]
    told = [{"field": "step", "format": ",d"}, {"field": "text", "title": "warning"}]
    seen = {"condition": {"param": "pointer", "empty": False, "value": 0.7}, "value": 0}
    nearest = {"type": "point", "encodings": ["x"], "nearest": True, "on": "pointerover", "clear": "pointerout"}
    return {
        "datasets": {
            "steps": table[["step", *names]],
            "curves": curves,
            "heads": heads,
            "limit": pd.DataFrame({"height": [height("entropy_share", COLLAPSE)]}),
            "apart": pd.DataFrame({"step": _apart[:1], "until": _apart[-1:]}),
            "warnings": pd.DataFrame(_warnings, columns=["step", "text"]),
        },
        "layer": [
            _layer(
                "apart", {"type": "rect", "color": theme.CONTEXT, "opacity": 0.12}, {"x": x, "x2": {"field": "until"}}
            ),
            _layer("curves", {"type": "line", "strokeWidth": 1.8}, {"x": x, "y": y, "color": colour}),
            _layer("limit", {"type": "rule", "color": ink, "strokeDash": [5, 4]}, {"y": y}),
            words("title", "left", 27),
            words("newest", "right", 27),
            words("meaning", "left", 11, bold=False),
            _layer("steps", {"type": "rule", "color": ink}, {"x": x, "opacity": seen, "tooltip": tips})
            | {"params": [{"name": "pointer", "select": nearest}]},
            _layer(
                "warnings", {"type": "rule", "color": theme.VERMILION, "strokeWidth": 1.6}, {"x": x, "tooltip": told}
            ),
        ],
        "height": len(names) * (PANEL + HEADING) + TIME_AXIS,
        "config": {
            "view": {"stroke": None},
            "axis": {"gridOpacity": 0.35, "domain": False, "tickSize": 0, "labelPadding": 6, "titleFontSize": 12},
        },
    }


def _layer(data: str, mark: dict, encoding: dict) -> dict:
    return {"data": {"name": data}, "mark": mark, "encoding": encoding}


def _ends(name: str, values: pd.Series) -> tuple[float, float]:
    """Lower and upper end of a panel: of shares, the upper half or all; of times, what all but the slowest few took."""
    if name != "mining_ms":
        return (0.5 if values.min() >= 0.5 else 0.0), 1.0
    most = max(float(values.quantile(0.98)), 1e-3)
    power = 10.0 ** math.floor(math.log10(most))
    return 0.0, next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _written(name: str, value: float) -> str:
    return f"{value:.3g} ms" if name == "mining_ms" else theme.percent(value, 0)
