"""The trainings of two runs as curves: recall, loss and active share, over steps and over seconds.

SVG drawn here: six charts of Vega take the browser half a second, these take none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from app import theme
from app.widgets.board import board, text
from app.widgets.versus import HUES
from bon_core.runs import Run

MOST_STEPS = 300  # points of a curve
FEW = 60  # points that are marked one by one
SIDE = 1000  # of an SVG, which is stretched to its panel
CSS = """
.curves {display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 14px 30px}
.curves .panel {min-width: 0}
.curves b {font-weight: 620}
.curves .plot {position: relative; height: 118px; margin: 7px 0 20px 40px}
.curves svg {position: absolute; inset: 0; width: 100%; height: 100%}
.curves path, .curves polyline {fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round}
.curves .grid {stroke: rgba(128,128,128,.22); stroke-width: 1}
.curves polyline {stroke-width: 1.7}
.curves .dot {stroke-width: 5; stroke-linecap: round}
.curves small {position: absolute; font-size: 11px; opacity: .72; line-height: 1; white-space: nowrap}
.curves .y {right: 100%; margin-right: 7px; transform: translateY(-50%)}
.curves .x {top: 100%; margin-top: 7px; transform: translateX(-50%)}
"""


@dataclass(frozen=True)
class Measure:
    """What a panel draws: a field of an event, its name, and how its numbers are written."""

    kind: str
    field: str
    name: str
    written: Callable[[float], str]


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


MEASURES = (
    Measure("evaluation", "recall@1", "Recall@1", _share),
    Measure("step", "loss", "Loss", "{:.3g}".format),
    Measure("step", "active", "Active anchors", _share),
)
AXES = {"step": "over steps", "seconds": "over seconds"}


def twin_curves(sources: Sequence[tuple[Run, str]], *, key: str) -> None:
    """Draw the curves of one run or two, with their names."""
    curves = {(measure.field, x): [_curve(run, measure, x) for run, _ in sources] for x in AXES for measure in MEASURES}
    if not any(len(curve) for found in curves.values() for curve in found):
        theme.empty("Nothing was recorded of these trainings.", "Embeddings that were brought have no curves.")
        return
    panels = "".join(
        _panel(measure, f"{measure.name} {words}", curves[measure.field, x], [name for _, name in sources])
        for x, words in AXES.items()
        for measure in MEASURES
    )
    board(f'<div class="curves">{panels}</div>', key=key, css=CSS)
    losses = {run.config.training.loss for run, _ in sources}
    if len(losses) > 1:
        theme.quiet(f"The losses are of different kinds ({', '.join(sorted(losses))}), so their values do not compare.")


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """At most `most` round numbers evenly spread over [low, high]."""
    rough = max(high - low, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * (1 - 1e-9))
    return [
        round(number * step, 10) for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def _panel(measure: Measure, title: str, curves: list[np.ndarray], names: list[str]) -> str:
    """One chart of the curves, (m, 2) each, as HTML."""
    known = [curve for curve in curves if len(curve)]
    if not known:
        return f'<div class="panel"><b>{text(title)}</b>Not recorded.</div>'
    points = np.concatenate(known)
    right = max(float(points[:, 0].max()), 1e-9)
    low, high = float(points[:, 1].min()), float(np.quantile(points[:, 1], 0.99))  # the first loss would flatten all
    margin = 0.06 * max(high - low, 1e-3)
    low, high = low - margin, high + margin

    def at(x: float, y: float) -> tuple[float, float]:
        return round(SIDE * x / right, 1), round(SIDE * (high - y) / (high - low), 1)

    lines = []
    for curve, name, hue in zip(curves, names, HUES, strict=False):
        if not len(curve):
            continue
        way = " ".join("{},{}".format(*at(*point)) for point in curve)
        lines.append(f'<polyline points="{way}" stroke="{hue}"/>')
        for x, y in curve if len(curve) <= FEW else ():
            told = text(f"{name}: {measure.written(y)} at {x:,.0f}")
            lines.append(
                '<path class="dot" d="M{} {}h.01" stroke="{}"><title>{}</title></path>'.format(*at(x, y), hue, told)
            )
    grid = [(at(0, y)[1], measure.written(y)) for y in ticks(low, high)]
    across = [(at(x, low)[0], f"{x:,.0f}") for x in ticks(0, right)]
    rules = "".join(f'<path class="grid" d="M0 {y}H{SIDE}"/>' for y, _ in grid)
    labels = "".join(f'<small class="y" style="top:{100 * y / SIDE:.1f}%">{words}</small>' for y, words in grid)
    labels += "".join(f'<small class="x" style="left:{100 * x / SIDE:.1f}%">{words}</small>' for x, words in across)
    return (
        f'<div class="panel"><b>{text(title)}</b><div class="plot">{labels}'
        f'<svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" role="img" aria-label="{text(title)}">'
        f"{rules}{''.join(lines)}</svg></div></div>"
    )


def _curve(run: Run, measure: Measure, x: str) -> np.ndarray:
    """(m, 2) of x and the measure, at most about MOST_STEPS rows; the last one stays."""
    path = run.path / "events.jsonl"
    table = _read(run.path, measure.kind, path.stat().st_size if path.exists() else 0)
    points = np.array([(event[x], event[measure.field]) for event in table if event.get(measure.field) is not None])
    return points.reshape(-1, 2)[:: -max(len(points) // MOST_STEPS, 1)][::-1]


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: Path, kind: str, size: int) -> list[dict]:
    kept = [*AXES, *(measure.field for measure in MEASURES if measure.kind == kind)]
    return [{name: event.get(name) for name in kept} for event in Run(path).events(kind)]
