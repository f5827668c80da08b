"""A small matrix as coloured cells with their numbers in them."""

from collections.abc import Callable, Sequence

import numpy as np

from app import theme
from app.widgets.map.colouring import STEPS, steps
from app.widgets.primitives.board import board, text

WHITE_FROM = 0.58  # of the way along the ramp: from here on white numbers read better than black ones
SHADES = steps(theme.SEQUENTIAL)

CSS = """
.matrix {display: grid; gap: 3px; align-items: center; overflow-x: auto}
.matrix .cell {border-radius: 4px; padding: 9px 2px; text-align: center; font-size: 12.5px; min-width: 0}
.matrix .best {font-weight: 700; text-decoration: underline; text-underline-offset: 3px}
.matrix .none {background: var(--st-secondary-background-color)}
.matrix .above {text-align: center; font-size: 12px; opacity: .75; min-width: 0; overflow-wrap: anywhere}
.matrix .beside {font-size: 12.5px; white-space: nowrap; padding-right: 7px}
.matrix .beside i {display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px}
"""


def heat_matrix(
    values: np.ndarray,
    rows: Sequence[tuple[str, str]],
    columns: Sequence[str],
    *,
    key: str,
    domain: tuple[float, float],
    words: Callable[[float], str],
    caption: Callable[[str, str, str], str],
    best: np.ndarray | None = None,
) -> None:
    """Draw it.

    Parameters
    ----------
    values : (R, C), NaN where there is nothing
    rows : R names, each with a CSS colour or ""
    domain : the values at the two ends of the ramp
    words : a value as it is written in its cell
    caption : row, column and written value as a sentence, shown on hover
    best : (R, C) bool, cells to be emphasised
    """
    low, high = domain
    cells = ["<span></span>", *(f'<span class="above">{text(column)}</span>' for column in columns)]
    for i, (row, hue) in enumerate(rows):
        dot = f'<i style="background:{hue}"></i>' if hue else ""
        cells.append(f'<span class="beside">{dot}{text(row)}</span>')
        for j, column in enumerate(columns):
            value = float(values[i, j])
            if np.isnan(value):
                cells.append('<span class="cell none" title="no samples">–</span>')
                continue
            share = min(max((value - low) / max(high - low, 1e-9), 0), 1)
            ink = "#fff" if share > WHITE_FROM else "#000"
            mark = " best" if best is not None and best[i, j] else ""
            style = f"background:{SHADES[min(int(share * STEPS), STEPS - 1)]};color:{ink}"
            title = text(caption(row, column, words(value)))
            cells.append(f'<span class="cell{mark}" style="{style}" title="{title}">{text(words(value))}</span>')
    grid = f"grid-template-columns:max-content repeat({len(columns)},minmax(3.1rem,1fr))"
    board(f'<div class="matrix" tabindex="0" style="{grid}">{"".join(cells)}</div>', key=key, css=CSS)
