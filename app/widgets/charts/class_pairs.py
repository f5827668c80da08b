"""Classes as pairs of pictures: the query, what it retrieved or was given, and how often that happened."""

from collections.abc import Sequence

from app.analysis.retrieval import Confusion
from app.names import apart
from app.view import View
from app.widgets.primitives.board import Sheet, board, text

NAME = 13  # columns of a class's name

CSS = """
.pairs {display: grid; grid-template-columns: repeat(auto-fill, minmax(212px, 1fr)); gap: 8px}
.board .pair {border: 1px solid rgba(128,128,128,.2); border-radius: 8px; padding: 7px 9px; display: flex;
  align-items: center; gap: 8px;
  text-align: left}
.pair .words {line-height: 1.3; min-width: 0}
.pair .name {display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-weight: 600}
"""


def class_pairs(view: View, pairs: Sequence[Confusion], *, key: str, caption: str) -> int | None:
    """Draw the pairs, whose positions count the view's rows. Returns the place of the pair just clicked, or None.

    caption : how a pair's count is said, such as "{count:,} times"; {samples:,} is how many the two classes have
    """
    ids = [int(view.ids[row]) for pair in pairs for row in (pair.query, pair.found)]
    sheet = Sheet(view, ids, size=42)
    cards = [
        f'<button type="button" class="pair" data-pick="{place}" title="{_told(view, pair)}">'
        f"{sheet.face(ids[2 * place]) + sheet.face(ids[2 * place + 1]) if sheet.sprite else ''}"
        f'<span class="words"><span class="name"><bdi>{text(view.short(pair.one, NAME))}</bdi></span>'
        f'<span class="name">↔ <bdi>{text(view.short(pair.other, NAME))}</bdi></span>'
        f'<span class="dim">{text(caption.format(count=pair.count, samples=pair.samples))}</span></span></button>'
        for place, pair in enumerate(pairs)
    ]
    picked = board(f'<div class="pairs" style="{sheet.style}">{"".join(cards)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)


def _told(view: View, pair: Confusion) -> str:
    names = view.snapshot.class_names
    return text(f"Select both classes: {apart(names[pair.one])} and {apart(names[pair.other])}")
