"""Miners side by side: what each would choose for one anchor, and how far that is from the hardest there is."""

import math
from collections.abc import Mapping

import numpy as np

from app import theme
from app.analysis.miners import Draws
from app.state import View
from app.widgets.board import Sheet, board, text

MINERS = {  # name: what it does, in words
    "uniform": "a random negative",
    "in-batch": "hardest in a uniform batch",
    "XBM": "hardest in a fresh memory of 1,024",
    "BoN draw": "a random one from the bucket",
    "BoN batch": "hardest in a batch made of buckets",
    "exact": "hardest of all, by full search",
}
SHADES = {"BoN draw": theme.ORANGE, "BoN batch": theme.VERMILION, "exact": theme.GREEN}

CSS = """
.gap {display: grid; gap: 5px}
.gap .line {display: grid; grid-template-columns: 190px 50px 128px 1fr; gap: 4px 14px; align-items: center}
.gap .name {font-weight: 620}
.gap .told {font-size: 12px}
.gap .track {position: relative; height: 34px; background: var(--st-secondary-background-color); border-radius: 6px}
.gap .inner {position: absolute; inset: 0 12px}
.gap .tick {position: absolute; top: 7px; bottom: 7px; width: 2px; margin-left: -1px; opacity: .32; border-radius: 1px}
.gap .now {position: absolute; top: 9px; width: 16px; height: 16px; margin-left: -8px; border-radius: 50%;
  border: 2px solid #fff; box-sizing: border-box}
.gap .scale {position: relative; height: 18px}
.gap .scale span {position: absolute; transform: translateX(-50%); font-size: 11px; white-space: nowrap}
@media (max-width: 560px) {
  .gap .line {grid-template-columns: 1fr 50px auto}
  .gap .track, .gap .scale {grid-column: 1 / -1}
}
"""


def rank_gap(view: View, choices: Mapping[str, Draws], total: int, *, key: str) -> int | None:
    """Draw one line a miner: the picture it chose and its rank among all `total` negatives, on a log scale.

    Thin ticks are other draws of the same miner. Rows of `choices` are positions among the view's rows. Returns the id
    that was just clicked, or None.
    """
    ids = {name: int(view.ids[draws.rows[0]]) for name, draws in choices.items()}
    sheet = Sheet(view, ids.values(), size=46)
    top = math.log10(max(total, 10))
    lines = [f'<div class="line"><span></span><span></span><span></span>{_scale(total, top)}</div>']
    for name, draws in choices.items():
        shade = SHADES.get(name, theme.CONTEXT)
        typical = f"median {theme.count(np.median(draws.ranks))}" if len(draws.ranks) > 1 else "the yardstick"
        lines.append(
            f'<div class="line"><div><span class="name">{text(name)}</span><br>'
            f'<span class="told dim">{MINERS[name]}</span></div>'
            f"{sheet.face(ids[name], pick=str(ids[name]))}"
            f'<div class="told">rank <b>{theme.count(draws.ranks[0])}</b> · d {draws.distances[0]:.2f}'
            f'<br><span class="dim">{typical}</span></div>{_track(draws.ranks, top, shade)}</div>'
        )
    picked = board(f'<div class="gap" style="{sheet.style}">{"".join(lines)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)


def _track(ranks: np.ndarray, top: float, shade: str) -> str:
    def at(rank: float) -> str:
        return f"{100 * math.log10(rank) / top:.2f}%"

    ticks = "".join(f'<span class="tick" style="left:{at(rank)};background:{shade}"></span>' for rank in ranks[1:])
    now = f'<span class="now" style="left:{at(ranks[0])};background:{shade}"></span>'
    return f'<div class="track"><div class="inner">{ticks}{now}</div></div>'


def _scale(total: int, top: float) -> str:
    powers = range(int(top) + 1)
    marks = "".join(f'<span style="left:{100 * power / top:.2f}%">{10**power:,}</span>' for power in powers)
    return f'<div class="scale dim"><div class="inner">{marks}</div></div>'
