"""A card a learner: its size and recall, and samples from its centre, its border, and those that came to it last."""

from collections.abc import Sequence
from dataclasses import dataclass

from app import theme
from app.view import View
from app.widgets.primitives.board import Sheet, board, text, word_and_number

CSS = """
.cards {display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 12px}
.card {border: 1px solid rgba(128,128,128,.22); border-top: 4px solid var(--hue); border-radius: 8px;
  padding: 10px 12px 12px}
.card .head {display: flex; justify-content: space-between; align-items: baseline; gap: 8px}
.card .name {font-size: 16px; font-weight: 620}
.card .go {color: var(--st-link-color); font-size: 12.5px}
.card .share {height: 5px; border-radius: 3px; background: rgba(128,128,128,.2); margin: 5px 0 4px}
.card .share i {display: block; height: 100%; border-radius: 3px; background: var(--hue)}
.card .kind {font-size: 12px; margin: 8px 0 3px}
.card .strip {display: flex; flex-wrap: wrap; gap: 3px}
"""


@dataclass(frozen=True)
class Card:
    """What one learner looks after; ids of its telling samples by the name of the strip."""

    name: str
    size: int
    share: float
    caption: str
    strips: dict[str, Sequence[int]]


def learner_cards(view: View, cards: Sequence[Card], *, key: str) -> tuple[str, int] | None:
    """Draw the cards. Returns ("id", sample) or ("cluster", number) when one was just picked, else None."""
    everybody = [identity for card in cards for strip in card.strips.values() for identity in strip]
    sheet = Sheet(view, everybody, size=34)  # eight of them fit a quarter of a laptop's page
    drawn = []
    for number, card in enumerate(cards):
        strips = "".join(
            f'<div class="kind dim">{text(name)}</div><div class="strip">'
            + ("".join(sheet.face(i, pick=f"id:{int(i)}") for i in strip) or '<span class="dim">none</span>')
            + "</div>"
            for name, strip in card.strips.items()
        )
        drawn.append(
            f'<div class="card" style="--hue:{theme.hue(number)}"><div class="head">'
            f'<span class="name">{text(card.name)}</span>'
            f'<button type="button" class="go" data-pick="cluster:{number}">Select all {card.size:,}</button></div>'
            f'<div class="share"><i style="width:{100 * card.share:.1f}%"></i></div>'
            f'<div class="dim">{text(card.caption)}</div>{strips}</div>'
        )
    picked = board(f'<div class="cards" style="{sheet.style}">{"".join(drawn)}</div>', key=key, css=CSS)
    return word_and_number(picked)
