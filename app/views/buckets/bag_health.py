"""The health of a bag over its training: five figures over one time axis, and a judgement in words."""

import math
from functools import partial

import numpy as np
import streamlit as st

from app import theme
from app.views.buckets.bucket_table import COLLAPSE, verdict
from app.widgets.charts.plot import PLOT, Line, plot, thinned
from app.widgets.primitives.board import board, text

PANELS = {  # field of a logged step: title, what it means, colour
    "entropy_share": (
        "Table entropy",
        "evenness of the miner's table, as a share of all bits; below 80 % codes crowd",
        theme.BLUE,
    ),
    "fallback_rate": ("Fallback", "mate places that no bucket could serve", theme.ORANGE),
    "staleness": ("Stale codes", "stored codes that had changed when seen again", theme.PINK),
    "empty_share": ("Empty buckets", "share of the buckets without a sample", theme.VIOLET),
    "mining_ms": ("Mining", "milliseconds of a step, to compose and to update", theme.GREEN),
}
PANEL = 58  # px of height
MAX_STEPS = 400  # points of a curve; more cannot be seen
MAX_READINGS = 200  # steps with figures under the pointer
MAX_WARNINGS = 3  # shown as sentences; all are marked on the plots
CSS = """
.health {position: relative}
.health .head {display: grid; grid-template-columns: 1fr auto; column-gap: 1rem; font-size: 13px}
.health .head span {font-size: 12px; opacity: .74; grid-column: 1 / -1}
.health .plot {margin-top: 10px}
.health .plot .x {display: none}
.health .plot.titled .x {display: block}
.readings {position: absolute; inset: 0 0 38px 40px; display: flex; pointer-events: none}
.reading {position: relative; pointer-events: auto}
.reading:hover {background: linear-gradient(currentColor, currentColor) center / 1px 100% no-repeat}
.reading:hover::after {content: attr(data-caption); position: absolute; z-index: 1; top: 18px; left: calc(50% + 8px);
  white-space: pre; font: 12px/1.5 var(--st-font); padding: 6px 9px; border-radius: 6px; pointer-events: none;
  background: var(--st-background-color); border: 1px solid var(--st-border-color)}
.reading.left:hover::after {left: auto; right: calc(50% + 8px)}
"""


def bag_health(steps: list[dict], warnings: list[dict], stamp: tuple) -> None:
    """What the miner's figures did, with a judgement in words; steps are those with bucket figures, one at least.

    `stamp` changes when any of them does.
    """
    st.header("Health over training", anchor=False)
    _judge(steps)
    apart = [step["step"] for step in steps if step["cluster"] is not None]
    theme.legend(
        [
            *([(theme.VERMILION, "warning, given while training", "")] if warnings else []),
            *([(theme.CONTEXT, "learners work apart: figures of the one whose turn it is", "")] if apart else []),
        ]
    )
    for event in warnings[-MAX_WARNINGS:]:
        theme.caption(f"Step {theme.count(event['step'])}: {event['text']}")
    if len(warnings) > MAX_WARNINGS:
        theme.caption(f"These are the last of {theme.count(len(warnings))} warnings.")
    board(_panels(steps, warnings, apart, stamp), key="health", css=CSS + PLOT)


def _judge(steps: list[dict]) -> None:
    """One sentence on the entropy, loud if it is low or fell."""
    found = verdict(steps)
    high, low, last = (theme.percent(step["entropy_share"], 0) for step in (found.high, found.low, found.last))
    when = f"{high} of S at step {theme.count(found.high['step'])}"
    if found.kind == "filling":
        theme.caption(f"The first epoch is not over: the table is still filling. Entropy stands at {last} of S.")
    elif found.kind == "low":
        theme.error_box(
            f"At the last step the entropy of the table is {last} of S{f', down from {when}' if found.fallen else ''}."
            " Below 80 % codes crowd into few buckets. Train with fewer bits (--bits) or mates (--mate-share)."
        )
    elif found.kind == "fell":
        theme.error_box(
            f"The entropy of the table fell from {when} to {last} at the last: codes have begun to crowd. If it goes"
            " on, train with fewer bits (--bits) or mates (--mate-share)."
        )
    elif found.kind == "dipped":
        theme.caption(
            f"The entropy of the table fell to {low} of S at step {theme.count(found.low['step'])} and came back to"
            f" {last}; the warning is for less than 80 %."
        )
    else:
        theme.caption(
            f"The codes did not collapse: after the first epoch the entropy of the table never fell below {low} of S,"
            f" and at the last step it is {last}."
        )


@st.cache_data(max_entries=8, show_spinner=False)
def _panels(_steps: list[dict], _warnings: list[dict], _apart: list[int], stamp: tuple) -> str:
    """A plot a figure, all over one time axis; under the pointer, all figures of a step at once."""
    shown = thinned(_steps, MAX_STEPS)
    curves = {
        name: np.array([(step["step"], step[name]) for step in shown if step.get(name) is not None]).reshape(-1, 2)
        for name in PANELS
    }
    names = [name for name, curve in curves.items() if len(curve)]
    end = max(step["step"] for step in _steps)
    caption = [(event["step"], f"step {theme.count(event['step'])}: {event['text']}") for event in _warnings]
    panels = ""
    for name in names:
        title, meaning, shade = PANELS[name]
        low, high = _ends(name, curves[name][:, 1])
        between = COLLAPSE if name == "entropy_share" else (low + high) / 2
        drawn = plot(
            [Line(title, shade, np.clip(curves[name], None, [np.inf, high]))],
            words=f"{title} over the training steps",
            written=partial(_written, name),
            x=(0, max(end, 1)),
            y=(low, high),
            named=(low, between, high),
            title="training step" if name == names[-1] else "",
            height=PANEL,
            level=COLLAPSE if name == "entropy_share" else None,
            upright=caption,
            spans=[(_apart[0], _apart[-1], theme.CONTEXT)] if _apart else [],
        )
        newest = f"{_written(name, curves[name][-1, 1])} at the last step"
        panels += f'<div class="head"><b>{title}</b><b>{newest}</b><span>{meaning}</span></div>{drawn}'
    return f'<div class="health">{panels}<div class="readings">{_readings(shown, _warnings, names, end)}</div></div>'


def _readings(steps: list[dict], warnings: list[dict], names: list[str], end: int) -> str:
    """A strip a step, from top to bottom, that shows under the pointer with all that was measured and said there."""
    shown = thinned(steps, MAX_READINGS)
    at = np.array([step["step"] for step in shown], np.float64)
    ends = np.concatenate([[0], (at[1:] + at[:-1]) / 2, [end]])
    strips = ""
    for step, start, stop in zip(shown, ends[:-1], ends[1:], strict=True):
        lines = [f"{PANELS[name][0]}  {_written(name, step[name])}" for name in names if step.get(name) is not None]
        lines += [f"Warning: {event['text']}" for event in warnings if start <= event["step"] <= stop]
        caption = "&#10;".join(map(text, (f"step {theme.count(step['step'])}", *lines)))
        side, width = " left" if start > end / 2 else "", 100 * (stop - start) / max(end, 1)
        strips += f'<i class="reading{side}" style="width:{width:.3f}%" data-caption="{caption}"></i>'
    return strips


def _ends(name: str, values: np.ndarray) -> tuple[float, float]:
    """Lower and upper end of a panel: of shares, the upper half or all; of times, what all but the slowest few took."""
    if name != "mining_ms":
        return (0.5 if values.min() >= 0.5 else 0.0), 1.0
    most = max(float(np.quantile(values, 0.98)), 1e-3)
    power = 10.0 ** math.floor(math.log10(most))
    return 0.0, next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _written(name: str, value: float) -> str:
    return f"{value:.3g} ms" if name == "mining_ms" else theme.percent(value, 0)
