"""Two things caption apart: figures side by side, how often what stayed, dots on a rail from the one to the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from app import theme
from app.names import shortened
from app.view import View
from app.views.compare.changes import ClassChange
from app.widgets.primitives.board import Sheet, board, text

HUES = (theme.BLUE, theme.ORANGE)  # of the first and the second, wherever they are told apart
GAIN, LOSS = theme.GREEN, theme.VERMILION
NAME = 17  # columns of a class's name
STILL = 0.05  # points; less is no difference

CSS = f"""
.versus {{display: grid; grid-template-columns: minmax(84px, 1fr) repeat(3, auto); gap: 3px 18px;
  align-items: baseline; max-width: 520px}}
.versus span {{text-align: right}}
.versus .name {{text-align: left; opacity: .75}}
.versus .head {{font-size: 12px; opacity: .85; white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
  max-width: 130px}}
.versus .head i {{display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px}}
.versus b {{font-size: 19px; font-weight: 620; letter-spacing: -.01em; white-space: nowrap}}
.versus em {{font-style: normal; font-weight: 620; white-space: nowrap}}
.versus .up {{color: {GAIN}}}
.versus .down {{color: {LOSS}}}
.columns {{display: flex; align-items: flex-end; gap: 3px; height: 104px; text-align: center; font-size: 11px}}
.columns div {{flex: 1; min-width: 0}}
.columns i {{display: block; background: {theme.BLUE}; border-radius: 2px 2px 0 0; min-height: 1px; margin-bottom: 4px}}
.columns + div {{font-size: 12px; text-align: center; opacity: .72; padding-top: 2px}}
.rails {{display: grid; gap: 2px}}
.rails button {{display: grid; grid-template-columns: auto minmax(40px, 130px) 1fr 40px; gap: 12px; align-items: center;
  width: 100%; padding: 3px 4px}}
.rails .what {{font-weight: 620; white-space: nowrap; overflow: hidden; text-overflow: ellipsis}}
.rails .by {{text-align: right}}
.rails .rail {{position: relative; height: 16px; margin: 0 6px;
  background: linear-gradient(rgba(128,128,128,.35), rgba(128,128,128,.35)) center / 100% 1px no-repeat}}
.rails u {{position: absolute; top: 6px; height: 4px; border-radius: 2px}}
.rails i {{position: absolute; top: 3px; width: 10px; height: 10px; border-radius: 50%; transform: translateX(-50%)}}
"""


@dataclass(frozen=True)
class Line:
    """One figure of both, as shares."""

    name: str
    words: str  # shown on hover
    values: tuple[float | None, float | None]
    compared: bool = True


def versus(names: tuple[str, str], lines: Sequence[Line], *, key: str) -> None:
    """The figures of the two, and how many points the second gained."""
    heads = "".join(
        f'<span class="head" title="{text(name)}"><i style="background:{hue}"></i>{text(name)}</span>'
        for name, hue in zip(names, HUES, strict=True)
    )
    cells = "".join(
        f'<span class="name" title="{text(line.words)}">{text(line.name)}</span>'
        f"{''.join(f'<span><b>{theme.percent(value)}</b></span>' for value in line.values)}<span>{_gain(line)}</span>"
        for line in lines
    )
    board(f'<div class="versus"><span></span>{heads}<span class="head">points</span>{cells}</div>', key=key, css=CSS)


def settings(rows: Sequence[tuple[str, str, str]], *, key: str) -> None:
    """Names and two values in words."""
    cells = "".join(
        f'<span class="name">{text(name)}</span><span>{text(one)}</span><span>{text(other)}</span><span></span>'
        for name, one, other in rows
    )
    board(f'<div class="versus">{cells}</div>', key=key, css=CSS)


def columns(counts: Sequence[int], *, title: str, key: str) -> None:
    """A histogram: how often each number from 0 on occurs."""
    highest = max(max(counts), 1)
    heights = [f"{78 * count / highest:.1f}px" for count in counts]
    bars = "".join(
        f'<div title="{theme.count(count)}"><i style="height:{height}"></i>{number}</div>'
        for number, (count, height) in enumerate(zip(counts, heights, strict=True))
    )
    board(
        f'<div class="columns" role="img" aria-label="{text(title)}">{bars}</div><div>{text(title)}</div>',
        key=key,
        css=CSS,
    )


def rails(view: View, changes: Sequence[tuple[ClassChange, int]], *, key: str) -> str | None:
    """A class a row: a picture, its name, its recall from the first to the second on a rail from 0 to 100 %.

    `changes` are (how a class fared, id of a sample of it in `view`). Returns the name just clicked, or None.
    """
    sheet = Sheet(view, [identity for _, identity in changes], size=28)
    shorts = shortened([change.name for change, _ in changes], NAME)
    rows = []
    for (change, identity), short in zip(changes, shorts, strict=True):
        low, high = sorted(change.recall)
        shade = GAIN if change.gain > 0 else LOSS
        dots = "".join(
            f'<i style="left:{100 * value:.1f}%;background:{hue}"></i>'
            for value, hue in zip(change.recall, HUES, strict=True)
        )
        before, after = (theme.percent(value, 0) for value in change.recall)
        rows.append(
            f'<button type="button" data-pick="{text(change.name)}"'
            f' title="{text(f"{change.name}: {before} to {after} of {change.count} samples")}">'
            f"{sheet.face(identity) if sheet.sprite else '<span></span>'}"
            f'<span class="what"><bdi>{text(short)}</bdi></span><span class="rail">'
            f'<u style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%;background:{shade}"></u>{dots}</span>'
            f'<span class="by">{100 * change.gain:+.0f}</span></button>'
        )
    return board(f'<div class="rails" style="{sheet.style}">{"".join(rows)}</div>', key=key, css=CSS)


def _gain(line: Line) -> str:
    before, after = line.values
    if not line.compared or before is None or after is None:
        return "–"
    points = 100 * (after - before)
    kind = "up" if points >= STILL else "down" if points <= -STILL else ""
    return f'<em class="{kind}">{points:+.1f}</em>'
