"""What moved where: ribbons from the learners before to those after (a Sankey diagram), and the largest moves."""

from collections.abc import Sequence

import numpy as np

from app import theme
from app.views.clusters.flows import largest_moves
from app.widgets.primitives.board import board, text, two_numbers
from bon_core.base.intake import counted

HEIGHT, GAP = 240, 8  # px, of the whole and between two ends
WIDTH = 100  # of the drawing, stretched to the page
MOVES = 5

CSS = f"""
.ribbons {{display: grid; grid-template-columns: max-content 1fr max-content; gap: 0 10px}}
.ribbons .ends {{position: relative; height: {HEIGHT}px; min-width: 4.6rem; font-size: 12.5px}}
.ribbons .ends span {{position: absolute; transform: translateY(-50%); white-space: nowrap}}
.ribbons .ends.left span {{right: 0}}
.ribbons svg {{width: 100%; height: {HEIGHT}px; display: block}}
.ribbons path {{fill-opacity: .5}}
.board .ribbons path:hover {{fill-opacity: .85; outline: none}}
.moves {{display: flex; flex-wrap: wrap; gap: 6px; margin-top: 10px}}
.board .moves button {{border: 1px solid rgba(128,128,128,.3); border-radius: 6px; padding: 3px 8px; font-size: 12.5px}}
.moves i {{display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin: 0 3px 0 0}}
"""


def ribbons(flows: np.ndarray, names: Sequence[str], *, key: str) -> tuple[int, int] | None:
    """Draw flows (K before, K after) of counts, coloured by where they come from.

    Returns (before, after) of the ribbon or move that was just clicked, or None.
    """
    scale = (HEIGHT - GAP * (len(names) - 1)) / max(flows.sum(), 1)
    left, right = (np.concatenate([[0], np.cumsum(flows.sum(axis=axis) * scale + GAP)])[:-1] for axis in (1, 0))
    ends = [
        "".join(
            f'<span style="top:{top + size * scale / 2:.0f}px">{text(name)}</span>'
            for name, top, size in zip(names, tops, flows.sum(axis=axis), strict=True)
        )
        for tops, axis in ((left, 1), (right, 0))
    ]
    paths = []
    for i, j in np.ndindex(flows.shape):
        if flows[i, j]:
            high = flows[i, j] * scale
            words = f"{names[i]} → {names[j]}: {counted(int(flows[i, j]), 'samples')}"
            paths.append(
                f'<path data-pick="{i}:{j}" fill="{theme.hue(i)}" d="{_ribbon(float(left[i]), float(right[j]), high)}">'
                f"<title>{text(words)}</title></path>"
            )
            left[i] += high
            right[j] += high
    moves = "".join(
        f'<button type="button" data-pick="{i}:{j}" title="Select them"><i style="background:{theme.hue(i)}"></i>'
        f"{text(names[i])} → {text(names[j])} · {theme.count(flows[i, j])}</button>"
        for i, j in largest_moves(flows, MOVES)
    )
    picked = board(
        '<div class="ribbons" role="img" aria-label="Samples that changed learner">'
        f'<div class="ends left">{ends[0]}</div>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{"".join(paths)}</svg>'
        f'<div class="ends">{ends[1]}</div></div><div class="moves">{moves}</div>',
        key=key,
        css=CSS,
    )
    return two_numbers(picked)


def _ribbon(left: float, right: float, high: float) -> str:
    """A band of the height `high` from `left` px below the top to `right`."""
    half = WIDTH / 2
    return (
        f"M0 {left:.2f}C{half} {left:.2f} {half} {right:.2f} {WIDTH} {right:.2f}V{right + high:.2f}"
        f"C{half} {right + high:.2f} {half} {left + high:.2f} 0 {left + high:.2f}Z"
    )
