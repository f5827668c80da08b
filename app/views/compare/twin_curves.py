"""The trainings of two runs as curves: recall, loss and who violates the margin, over steps and seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app import cached, theme
from app.views.compare.versus import HUES
from app.widgets.charts.plot import PLOT, Line, plot, thinned
from app.widgets.primitives.board import board, text
from bon_core.runs.run import Run

MAX_STEPS = 300  # points of a curve
CSS = """
.curves {display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 14px 30px}
.curves .panel {min-width: 0}
.curves b {font-weight: 620}
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
    Measure("step", "active", "Margin violations", _share),
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
    board(f'<div class="curves">{panels}</div>', key=key, css=CSS + PLOT)
    losses = {run.config.training.loss for run, _ in sources}
    if len(losses) > 1:
        theme.caption(
            f"The losses are of different kinds ({', '.join(sorted(losses))}), so their values do not compare."
        )


def _panel(measure: Measure, title: str, curves: list[np.ndarray], names: list[str]) -> str:
    """One plot of the curves, (m, 2) each, as HTML."""
    if not any(map(len, curves)):
        return f'<div class="panel"><b>{text(title)}</b>Not recorded.</div>'
    lines = [Line(name, hue, curve) for curve, name, hue in zip(curves, names, HUES, strict=False)]
    return f'<div class="panel"><b>{text(title)}</b>{plot(lines, words=title, written=measure.written)}</div>'


def _curve(run: Run, measure: Measure, x: str) -> np.ndarray:
    """(m, 2) of x and the measure, at most about MAX_STEPS rows; the last one stays."""
    found = [
        (event.get(x), event.get(measure.field)) for event in cached.events(run) if event.get("kind") == measure.kind
    ]
    points = np.array([point for point in found if None not in point], np.float64)
    return thinned(points.reshape(-1, 2), MAX_STEPS)
