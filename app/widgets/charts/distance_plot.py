"""d(a,p) against d(a,n) of many triplets, with the line below which they violate a margin."""

import numpy as np

from app import theme
from app.analysis.triplets import EASY, HARD, SEMI_HARD, kinds_of
from app.widgets.primitives.board import board

DOTS = 2500  # drawn of more
MARKS = {EASY: (theme.CONTEXT, "round", 4), SEMI_HARD: (theme.ORANGE, "square", 4), HARD: (theme.VERMILION, "round", 6)}
STEPS = (0.1, 0.2, 0.5, 1.0)  # between two labels of an axis

CSS = """
.distances {display: grid; grid-template-columns: auto auto 1fr; gap: .2rem .4rem;
  font-size: .82rem}
.distances .y, .distances .x {opacity: .75; text-align: center}
.distances .y {writing-mode: vertical-rl; transform: rotate(180deg); contain: size; width: 1.3em; white-space: nowrap}
.distances .x {grid-column: 3}
.distances .scale {position: relative; opacity: .75; min-width: 1.6rem; min-height: 1.2rem}
.distances .scale span {position: absolute; transform: translate(-50%, 0)}
.distances .scale.up span {right: 0; transform: translate(0, 50%)}
.distances .field {position: relative; height: var(--plot-height, var(--height));
  max-height: 75vw; min-height: 9rem;
  border-left: 1px solid rgba(128,128,128,.4);
  border-bottom: 1px solid rgba(128,128,128,.4)}
.distances svg {position: absolute; width: 100%; height: 100%; overflow: hidden}
.distances path {fill: none; vector-effect: non-scaling-stroke}
.distances .kinds {grid-column: 3; display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; padding-bottom: .2rem}
.distances .kinds i {display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .4rem}
.distances .kinds b {font-weight: 650}
"""


def distance_plot(
    d_ap: np.ndarray, d_an: np.ndarray, margin: float, *, key: str, revealed: bool = True, height: str = "36vh"
) -> None:
    """Draw it.

    Parameters
    ----------
    d_ap, d_an : (n,) distances to positive and negative; triplets with a missing one are left out
    revealed : colour the triplets by kind; False leaves it to the eye to see who lies below the line
    height : of the field, as CSS
    """
    known = np.flatnonzero(~(np.isnan(d_ap) | np.isnan(d_an)))
    shown = np.random.default_rng(0).permutation(known)[:DOTS]
    far = float(max(d_ap[known].max(), d_an[known].max())) if len(known) else 1.0
    reach = max(1.05 * far, 1.4 * margin)
    kinds = kinds_of(d_ap[shown], d_an[shown], margin)
    x, y = (np.round(100 * distances[shown] / reach, 1) for distances in (d_ap, d_an))
    edge = 100 * margin / reach
    paths = [
        _dots(x[among], y[among], *MARKS[kind if revealed else EASY])
        for kind in MARKS
        if (among := kinds == kind).any()
    ]
    diagonal = f'<path d="M0 100L100 0" stroke="{theme.CONTEXT}" stroke-width="1.5" stroke-dasharray="5 5"/>'
    line = f'<path d="M0 {100 - edge:.1f}L100 {-edge:.1f}" stroke="{theme.BLUE}" stroke-width="2.5"/>'
    words = f"Distances to positive and negative of {len(known):,} mined triplets, with the line of margin {margin:.2f}"
    board(
        f'<div class="distances" style="--height:{height}"><div class="kinds">{_kinds(revealed)}</div>'
        '<div class="y">d(a, n), to the negative</div>'
        f'<div class="scale up">{_labels(reach, "bottom")}</div>'
        f'<div class="field"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{words}">'
        f"{''.join(paths)}{diagonal if revealed else ''}{line}</svg></div>"
        f'<div class="scale" style="grid-column:3">{_labels(reach, "left")}</div>'
        '<div class="x">d(a, p), to the positive</div></div>',
        key=key,
        css=CSS,
    )


def _dots(x: np.ndarray, y: np.ndarray, shade: str, cap: str, size: int) -> str:
    """All dots as one path: strokes of no length, whose caps keep their shape however the field is stretched."""
    moves = "".join(f"M{a:g} {100 - b:.4g}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return f'<path d="{moves}" stroke="{shade}" stroke-width="{size}" stroke-linecap="{cap}" stroke-opacity=".75"/>'


def _labels(reach: float, side: str) -> str:
    step = next((step for step in STEPS if reach / step <= 9), STEPS[-1])
    values = np.arange(0, reach, step)
    return "".join(f'<span style="{side}:{100 * value / reach:.2f}%">{value:.1f}</span>' for value in values)


def _kinds(revealed: bool) -> str:
    """What the colours mean; before that is revealed, an empty line of the same height."""
    words = {EASY: "beyond the margin", SEMI_HARD: "within the margin", HARD: "nearer than the positive"}
    hidden = "" if revealed else " style=visibility:hidden"
    return "".join(
        f'<span{hidden}><i style="background:{MARKS[kind][0]}"></i><b>{kind}</b> {meaning}</span>'
        for kind, meaning in words.items()
    )
