"""How often which value occurs: bars that can be clicked. They are HTML: a chart of Vega takes a browser 0.1 s."""

from collections.abc import Sequence

import numpy as np

from app import theme
from app.widgets.primitives.board import board, text

MAX_DIGITS = 20  # of all ticks: more would touch each other in a narrow column
CSS = """
.histogram {display: flex; align-items: flex-end; gap: 1px; border-bottom: 1px solid rgba(128,128,128,.4)}
.histogram button {flex: 1; height: 100%; display: flex; align-items: flex-end}
.histogram i {flex: 1; min-height: 1px; border-radius: 1px 1px 0 0}
.histogram-scale {position: relative; height: 18px; font-size: 12px; opacity: .75}
.histogram-scale span {position: absolute; transform: translateX(-50%); padding-top: 2px}
.histogram-title {font-size: 12px; text-align: center; opacity: .75}
"""


def histogram(
    counts: np.ndarray,
    edges: np.ndarray,
    *,
    key: str,
    title: str,
    ticks: Sequence[float],
    above: float | None = None,
    highlighted: Sequence[int] = (),
    words: Sequence[str] | None = None,
    height: int = 110,
) -> int | None:
    """Draw it.

    Parameters
    ----------
    counts : (b,) of values in each of b bins
    edges : (b + 1,) of the bins, ascending
    title : what is counted; it stands below
    ticks : values that are named on the axis
    above : bins from here on are vermilion
    highlighted : bins that are vermilion too
    words : what is said of each bin; by default its edges and count
    height : px of the highest bar

    Returns
    -------
    The bin that was just clicked, or None.
    """
    low, high, highest = float(edges[0]), float(edges[-1]), max(int(counts.max()), 1)
    bars = []
    for number, (count, start, end) in enumerate(zip(counts.tolist(), edges[:-1], edges[1:], strict=True)):
        bright = number in highlighted or (above is not None and (start + end) / 2 > above)
        shade = theme.VERMILION if bright else theme.BLUE
        caption = text(words[number] if words else f"{start:.2f} to {end:.2f}: {theme.count(count)}")
        bar = f'<i style="height:{100 * count / highest:.1f}%;background:{shade}"></i>' if count else ""
        bars.append(
            f'<button type="button" data-pick="{number}" title="{caption}" aria-label="{caption}">{bar}</button>'
        )
    if len(ticks) > 2 and sum(len(f"{tick:g}") for tick in ticks) > MAX_DIGITS:
        apart = 2 * (ticks[1] - ticks[0])
        ticks = [tick for tick in ticks if abs(tick / apart - round(tick / apart)) < 1e-6]  # 0 stays
    scale = "".join(
        f'<span style="left:{100 * (tick - low) / (high - low):.1f}%">{tick:g}</span>'
        for tick in ticks
        if low <= tick <= high
    )
    picked = board(
        f'<div class="histogram" data-arrows style="height:{height}px">{"".join(bars)}</div>'
        f'<div class="histogram-scale">{scale}</div><div class="histogram-title">{text(title)}</div>',
        key=key,
        css=CSS,
    )
    return None if picked is None else int(picked)
