"""A hash code as a row of bits; each can be flipped to visit the neighbouring bucket."""

import numpy as np

from app.widgets.primitives.board import board
from bon_core.base.intake import counted
from bon_core.mining.codes import bits_of, hamming_neighbours

CSS = """
.bits {display: flex; flex-wrap: wrap; gap: 5px}
.board .bits button {width: 44px; border: 1px solid rgba(128,128,128,.35); border-radius: 7px; padding: 5px 0 4px;
  text-align: center}
.board .bits .on {background: #0072B2; border-color: #0072B2; color: #fff}
.bits .bit {display: block; font-size: 18px; font-weight: 620; line-height: 1.15}
.bits .size {display: block; font-size: 11px}
"""


def bit_strip(code: int, bits: int, sizes: dict[int, int], *, key: str) -> int | None:
    """Draw `code`, its highest bit first, under each bit the size of the bucket that flipping it leads to.

    Returns the neighbouring code that was just asked for, or None.
    """
    values = bits_of(np.array([code]), bits)[0]
    neighbours = hamming_neighbours(code, bits)
    cells = []
    for bit in reversed(range(bits)):
        size = sizes.get(int(neighbours[bit]), 0)
        words = f"flip bit {bit}: bucket {neighbours[bit]:#x} with {counted(size, 'samples')}"
        cells.append(
            f'<button type="button" class="{"on" if values[bit] else ""}" data-pick="{neighbours[bit]}" title="{words}"'
            f' aria-label="{words}"><span class="bit">{int(values[bit])}</span><span class="size">{size:,}</span>'
            f"</button>"
        )
    picked = board(f'<div class="bits">{"".join(cells)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)
