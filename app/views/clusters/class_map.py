"""Which clusters hold which classes: a column a class, a row a cluster, each cell a button as strong as its share."""

from collections.abc import Sequence

import numpy as np

from app import theme
from app.names import shortened
from app.widgets.primitives.board import board, text, two_numbers
from bon_core.base.intake import counted

NAMED = 60  # classes whose names can be read below the columns
NAME = 16  # columns of a name
LETTERS = 100  # that find room side by side
ROW = 34  # px

CSS = """
.classes {display: grid; gap: 2px 1px; align-items: stretch; padding: 3px 0}
.classes .row {font-size: 12.5px; padding-right: 8px; align-self: center; white-space: nowrap; position: sticky;
  left: 0; z-index: 1; background: var(--st-background-color)}
.classes .ground {background: rgba(128,128,128,.09); border-radius: 3px}
.board .classes button {border-radius: 3px; min-width: 0;
  background: color-mix(in srgb, var(--hue) var(--share), transparent)}
.board .classes button:hover, .board .classes button:focus-visible {z-index: 2}
.classes .name {font-size: 12px; line-height: 1; min-width: 0; max-height: 11em; padding-top: 4px;
  justify-self: center; writing-mode: vertical-rl; text-orientation: sideways; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap}
.classes .name.level {writing-mode: horizontal-tb; max-width: 100%}
"""


def class_map(
    counts: np.ndarray, classes: Sequence[int], names: Sequence[str], word: str, *, key: str
) -> tuple[int, int] | None:
    """Draw it.

    Parameters
    ----------
    counts : (P, K) samples of each class in each cluster
    classes, names : P class numbers and their names
    word : what a cluster is called

    Returns
    -------
    (class number, cluster) of the cell that was just picked, or None.
    """
    many, clusters = counts.shape
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [
        f'<span class="row" style="grid-area:{k + 1}/1">{text(word)} {k}</span>'
        f'<span class="ground" style="grid-area:{k + 1}/2/auto/-1"></span>'
        for k in range(clusters)
    ]
    for k in range(clusters):
        for p in np.flatnonzero(counts[:, k]).tolist():
            caption = text(f"{names[p]} in {word} {k}: {counted(counts[p, k], 'samples')}, {shares[p, k]:.0%}")
            cells.append(
                f'<button type="button" data-pick="{classes[p]}:{k}" title="{caption}" aria-label="{caption}"'
                f' style="grid-area:{k + 1}/{p + 2};--share:{6 + 94 * shares[p, k]:.0f}%"></button>'
            )
    if many <= NAMED:
        shorts = shortened(names, NAME)
        level = " level" if many * max(map(len, shorts)) <= LETTERS else ""  # else they stand upright
        cells += [
            f'<span class="name{level}" style="grid-area:{clusters + 1}/{p + 2}" title="{text(name)}">'
            f"<bdi>{text(short)}</bdi></span>"
            for p, (short, name) in enumerate(zip(shorts, names, strict=True))
        ]
    grid = f"grid-template:repeat({clusters},{ROW}px)/max-content repeat({many},minmax(0,1fr));--hue:{theme.BLUE}"
    picked = board(
        f'<div class="classes" data-arrows role="group" aria-label="Share of each class that each {text(word)} holds"'
        f' style="{grid}">{"".join(cells)}</div>',
        key=key,
        css=CSS,
    )
    return two_numbers(picked)
