"""Where to look for negatives: which share of them violates the margin, by where they come from."""

from collections.abc import Collection, Sequence

from app import theme
from app.widgets.primitives.board import board, text

CSS = """
.ladder {display: grid; grid-template-columns: max-content 1fr; gap: .3rem .8rem; align-items: center;
  font-size: .95rem}
.ladder .bar {display: flex; align-items: center; gap: .5rem}
.ladder .bar i {height: 1rem; min-width: .15rem; border-radius: .15rem; background: var(--hue)}
.ladder b {font-weight: 620}
"""


def ladder(rungs: Sequence[tuple[str, float, str]], *, hidden: Collection[int] = (), key: str) -> None:
    """Draw (words, share, colour) as bars; the scale ends at the longest, with room for the numbers.

    The rungs whose numbers are `hidden` show a question mark in the place of the value.
    """
    longest = max([value for _, value, _ in rungs] + [0.01])
    lines = ""
    for number, (words, value, hue) in enumerate(rungs):
        bar = f'<i style="width:{72 * value / longest:.1f}%"></i><b>{theme.percent(value)}</b>'
        lines += (
            f'<span>{text(words)}</span><span class="bar" style="--hue:{hue}">'
            f"{'<b>?</b>' if number in hidden else bar}</span>"
        )
    board(
        f'<div class="ladder" role="group" aria-label="negatives that violate the margin">{lines}</div>',
        key=key,
        css=CSS,
    )
