"""Miners side by side: what each would choose for one anchor, and how far that is from the hardest there is."""

import math
from collections.abc import Mapping

import numpy as np

from app import theme
from app.view import View
from app.views.negatives.draws import Draws
from app.widgets.primitives.board import Sheet, board, text

GROUPS = {  # heading: miner: what it does; numbers in braces are the page's
    "Inside a batch of random classes · {batch:,} negatives to choose from": {
        "uniform": "a random one",
        "distance-weighted": "drawn, nearer ones far likelier",
        "semi-hard": "behind the positive, in the margin",
        "multi-similarity": "about as near as the worst positive",
        "batch-hard": "the hardest",
    },
    "Across batches · the hardest in a memory, or in a batch whose classes were sought out": {
        "XBM": "a memory of {memory:,} random samples",
        "LSH batch": "classes out of a bucket of random bits",
        "class neighbours": "classes with the nearest centres",
        "exact batch": "classes of the nearest, out of all",
        "BoN batch": "classes out of its bucket",
        "BoN draw": "not the hardest: any of its bucket",
    },
    "The whole data set · {all:,} negatives to search": {
        "exact": "the hardest there is",
    },
}
SHADES = {"BoN draw": theme.ORANGE, "BoN batch": theme.VERMILION, "exact": theme.GREEN}

CSS = """
.gap {display: grid; gap: 5px}
.gap .line {display: grid; grid-template-columns: 246px 46px 66px 84px 84px 1fr; gap: 2px 14px; align-items: center}
.gap h4 {font-size: 13px; font-weight: 620; margin: 9px 0 1px}
.gap h4 span {font-weight: 400}
.gap .name {font-weight: 620}
.gap .caption {font-size: 12px; line-height: 1.3}
.gap .head {font-size: 12px; line-height: 1.3; align-items: end}
.gap .label {display: none}
.gap .track {position: relative; height: 32px; background: var(--st-secondary-background-color); border-radius: 6px}
.gap .inner {position: absolute; inset: 0 12px}
.gap .tick {position: absolute; top: 7px; bottom: 7px; width: 2px; margin-left: -1px; opacity: .32; border-radius: 1px}
.gap .now {position: absolute; top: 8px; width: 16px; height: 16px; margin-left: -8px; border-radius: 50%;
  border: 2px solid #fff; box-sizing: border-box}
.gap .scale {position: relative; height: 18px}
.gap .scale span {position: absolute; transform: translateX(-50%); font-size: 11px; white-space: nowrap}
@media (max-width: 900px) {
  .gap .line {grid-template-columns: 46px repeat(3, minmax(0, 1fr)); row-gap: 4px; margin-bottom: 7px}
  .gap .line > :first-child, .gap .track {grid-column: 1 / -1}
  .gap .head > :last-child {grid-column: 1 / -1}
  .gap .head > span {display: none}
  .gap .label {display: block; font-size: 11px}
}
"""


def rank_gap(
    view: View,
    here: Mapping[str, Draws],
    elsewhere: Mapping[str, Draws],
    numbers: Mapping[str, int],
    *,
    key: str,
) -> int | None:
    """Draw one line a miner: what it chose for this anchor, and how many negatives are harder, on a log scale.

    Parameters
    ----------
    here : draws for this anchor, the first one shown as a picture; rows are positions among the view's rows
    elsewhere : one draw for each of many other anchors
    numbers : "batch", "memory", "all": from how many negatives each group chooses

    Returns
    -------
    The id that was just clicked, or None.
    """
    ids = {name: int(view.ids[draws.rows[0]]) for name, draws in here.items() if draws.rows[0] >= 0}
    sheet = Sheet(view, ids.values(), size=44)
    top = math.log10(max(numbers["all"], 10))
    anchors = len(elsewhere["exact"].rows)
    lines = [
        '<div class="line head dim"><span></span><span></span><span>this draw</span><span>median gap, this anchor'
        f"</span><span>median gap, {anchors} anchors</span>"
        f"<div>gap: negatives harder than the choice{_scale(top)}</div></div>"
    ]
    for heading, miners in GROUPS.items():
        name, caption = heading.format(**numbers).split(" · ")
        lines.append(f'<h4>{text(name)}<span class="dim"> · {text(caption)}</span></h4>')
        for miner, words in miners.items():
            draws, others = here[miner], elsewhere[miner]
            face = sheet.face(ids[miner], pick=str(ids[miner])) if miner in ids else '<span class="word">none</span>'
            lines.append(
                f'<div class="line"><div><span class="name">{text(miner)}</span><br>'
                f'<span class="caption dim">{text(words.format(**numbers))}</span></div>{face}{_now(draws)}'
                f"{_median(draws, 'median, this anchor')}{_median(others, f'median, {anchors} anchors')}"
                f"{_track(draws, top, SHADES.get(miner, theme.CONTEXT))}</div>"
            )
    picked = board(f'<div class="gap" style="{sheet.style}">{"".join(lines)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)


def _now(draws: Draws) -> str:
    """Gap and distance of the draw whose picture is shown."""
    words = "–"
    if draws.rows[0] >= 0:
        words = f'<b>{theme.count(draws.ranks[0] - 1)}</b><br><span class="dim">d {draws.distances[0]:.2f}</span>'
    return f'<div class="caption"><span class="label dim">this draw</span>{words}</div>'


def _median(draws: Draws, label: str) -> str:
    gap = "–" if math.isnan(draws.gap) else theme.count(draws.gap)
    none = f'<br><span class="dim">none in {theme.percent(draws.none, 0)}</span>' if draws.none else ""
    return f'<div class="caption"><span class="label dim">{label}</span><b>{gap}</b>{none}</div>'


def _track(draws: Draws, top: float, shade: str) -> str:
    later = "".join(f'<span class="tick" style="left:{_at(r, top)};background:{shade}"></span>' for r in _known(draws))
    now = ""
    if draws.rows[0] >= 0:
        words = f"rank {theme.count(draws.ranks[0])}"
        now = f'<span class="now" title="{words}" style="left:{_at(draws.ranks[0], top)};background:{shade}"></span>'
    return f'<div class="track"><div class="inner">{later}{now}</div></div>'


def _known(draws: Draws) -> np.ndarray:
    """Ranks of the draws after the first, each once."""
    return np.unique(draws.ranks[1:][draws.rows[1:] >= 0])


def _scale(top: float) -> str:
    gaps = [0, *(10**power for power in range(1, int(top) + 1))]
    marks = "".join(f'<span style="left:{_at(gap + 1, top)}">{gap:,}</span>' for gap in gaps)
    return f'<div class="scale"><div class="inner">{marks}</div></div>'


def _at(rank: float, top: float) -> str:
    return f"{100 * min(math.log10(rank) / top, 1):.2f}%"
