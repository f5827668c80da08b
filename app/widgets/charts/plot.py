"""Lines over an axis, as HTML for a board: a chart of Vega takes a browser 0.1 s, this takes nothing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from app import theme
from app.widgets.primitives.board import text

Points = TypeVar("Points", np.ndarray, list)

MAX_MARKS = 60  # points of a line that are marked one by one
SIDE = 1000  # of an SVG, which is stretched to its plot
PLOT = """
.plot {position: relative; height: var(--plot); margin: 7px 0 20px 40px}
.plot.titled {margin-bottom: 38px}
.plot svg {position: absolute; inset: 0; width: 100%; height: 100%}
.plot path, .plot polyline {fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round}
.plot .grid {stroke: rgba(128,128,128,.22); stroke-width: 1}
.plot polyline {stroke-width: 1.7}
.plot .area {stroke: none}
.plot .dot {stroke-width: 5; stroke-linecap: round}
.plot .hover {stroke-width: 16; stroke-linecap: round; opacity: 0}
.plot .level {stroke: currentColor; stroke-dasharray: 5 4; opacity: .75}
.plot small {position: absolute; font-size: 11.5px; opacity: .74; line-height: 1; white-space: nowrap}
.plot .y {right: 100%; margin-right: 7px; transform: translateY(-50%)}
.plot .x {top: 100%; margin-top: 7px; transform: translateX(-50%)}
.plot .title {top: 100%; margin-top: 23px; left: 0; right: 0; text-align: center; font-size: 12px}
"""


@dataclass(frozen=True)
class Line:
    """What a plot draws: (m, 2) of x and y, by ascending x; `area` fills it down to the axis."""

    name: str
    shade: str
    points: np.ndarray
    area: bool = False


def plot(
    lines: Sequence[Line],
    *,
    words: str,
    written: Callable[[float], str],
    x: tuple[float, float] | None = None,
    y: tuple[float, float] | None = None,
    named: Sequence[float] | None = None,
    title: str = "",
    height: int = 118,
    level: float | None = None,
    upright: Sequence[tuple[float, str]] = (),
    spans: Sequence[tuple[float, float, str]] = (),
) -> str:
    """The HTML of a plot; the board needs the styles PLOT.

    Parameters
    ----------
    words : said to those who cannot see it
    written : how a value of y is written
    x, y : both ends of an axis; by default x is from 0 or the first point on, y as wide as all but the top 1 % need
    named : values of y that are written beside the axis; by default round ones
    title : of the x axis
    height : px
    level : a value of y that gets a dashed line
    upright : (x, words) of lines from top to bottom
    spans : (from, to, shade) on x of stretches to lay under the lines
    """
    known = np.concatenate([line.points for line in lines]).reshape(-1, 2)
    left, right = x or (min(0.0, float(known[:, 0].min())), float(known[:, 0].max()))
    right = max(right, left + 1e-9)
    low, high = y or _reach(known[:, 1])

    def at(place: float, value: float) -> tuple[float, float]:
        return round(SIDE * (place - left) / (right - left), 1), round(SIDE * (high - value) / (high - low), 1)

    grid = [(at(left, value)[1], written(value)) for value in (ticks(low, high) if named is None else named)]
    across = [(at(place, low)[0], f"{place:,.10g}") for place in ticks(left, right)]
    drawn = [_span(at(start, low)[0], at(end, low)[0], shade) for start, end, shade in spans]
    drawn += [f'<path class="grid" d="M0 {height_of}H{SIDE}"/>' for height_of, _ in grid]
    drawn += [_line(line, at, written) for line in lines if len(line.points)]
    drawn += [f'<path class="level" d="M0 {at(left, level)[1]}H{SIDE}"/>'] if level is not None else []
    drawn += [
        f'<path d="M{at(place, low)[0]} 0V{SIDE}" stroke="{theme.VERMILION}" stroke-width="1.6">'
        f"<title>{text(caption)}</title></path>"
        for place, caption in upright
    ]
    labels = "".join(f'<small class="y" style="top:{100 * top / SIDE:.1f}%">{caption}</small>' for top, caption in grid)
    labels += "".join(
        f'<small class="x" style="left:{100 * far / SIDE:.1f}%">{caption}</small>' for far, caption in across
    )
    labels += f'<small class="title">{text(title)}</small>' if title else ""
    return (
        f'<div class="plot{" titled" if title else ""}" style="--plot:{height}px">{labels}'
        f'<svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" role="img" aria-label="{text(words)}">'
        f"{''.join(drawn)}</svg></div>"
    )


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """At most `most` round numbers evenly spread over [low, high]."""
    rough = max(high - low, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * (1 - 1e-9))
    return [
        round(number * step, 10) for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def thinned(points: Points, most: int) -> Points:
    """Every so many-th of the points (an array or a list), about `most`; the last one stays."""
    return points[:: -max(len(points) // most, 1)][::-1]


def _reach(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(np.quantile(values, 0.99))  # the first loss would flatten all
    margin = 0.06 * max(high - low, 1e-3)
    return low - margin, high + margin


def _line(line: Line, at: Callable[[float, float], tuple[float, float]], written: Callable[[float], str]) -> str:
    places = [at(*point) for point in line.points.tolist()]
    way = " ".join(f"{x},{y}" for x, y in places)
    drawn = f'<polyline points="{way}" stroke="{line.shade}"/>'
    if line.area:
        floor = at(0, 0)[1]
        drawn += (
            f'<path class="area" style="fill:{line.shade};fill-opacity:.35"'
            f' d="M{places[0][0]},{floor}L{way}L{places[-1][0]},{floor}Z"/>'
        )
        return drawn
    marked = thinned([*zip(places, line.points.tolist(), strict=True)], MAX_MARKS // 2)
    kind = "dot" if len(places) <= MAX_MARKS else "hover"  # of a long line the marks are felt, not seen
    for (x, y), (place, value) in marked if kind == "hover" else zip(places, line.points.tolist(), strict=True):
        caption = text(f"{line.name}: {written(value)} at {place:,.10g}")
        drawn += f'<path class="{kind}" d="M{x} {y}h.01" stroke="{line.shade}"><title>{caption}</title></path>'
    return drawn


def _span(start: float, end: float, shade: str) -> str:
    return f'<path style="fill:{shade};fill-opacity:.13" d="M{start} 0H{end}V{SIDE}H{start}Z"/>'
