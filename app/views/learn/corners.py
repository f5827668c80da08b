"""What each learner looks after, a line each: its share of the data and pictures from the middle of its cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

from app import theme
from app.view import View
from app.widgets.primitives.board import Sheet, board, text, word_and_number

CSS = """
.corners {display: grid; gap: .7rem; --size: var(--corner-face, 3.9rem) !important}
.corner {display: grid; grid-template-columns: 10.5rem 1fr; gap: .3rem 1.2rem; align-items: center;
  padding: .2rem 0 .2rem .9rem; border-left: .3rem solid var(--hue); border-radius: .3rem}
.corner .head {display: flex; justify-content: space-between; align-items: baseline}
.corner .name {font-size: 1.05rem; font-weight: 620}
.corner .go {color: var(--st-link-color); font-size: .82rem}
.corner .share {height: .35rem; border-radius: .2rem; background: rgba(128,128,128,.2); margin: .2rem 0}
.corner .share i {display: block; height: 100%; border-radius: inherit; background: var(--hue)}
.corner .dim {font-size: .82rem}
.corner .strip {display: flex; flex-wrap: wrap; gap: .35rem; height: var(--size); overflow: clip;
  overflow-clip-margin: 4px}
@media (max-width: 640px) {.corner {grid-template-columns: 1fr}}
"""


@dataclass(frozen=True)
class Corner:
    """How many samples one learner looks after, which share of all, what is said of it, and ids that are typical."""

    name: str
    size: int
    share: float
    caption: str
    ids: Sequence[int]


def corners(view: View, learners: Sequence[Corner], *, key: str) -> tuple[str, int] | None:
    """Draw them; as many pictures as there is room for. Returns ("id", sample) or ("cluster", number) when one was
    just picked, else None.
    """
    sheet = Sheet(view, [identity for learner in learners for identity in learner.ids], size=40)
    lines = []
    for number, learner in enumerate(learners):
        faces = "".join(sheet.face(identity, pick=f"id:{int(identity)}") for identity in learner.ids)
        words = text(f"Select all {learner.size:,} of {learner.name}")
        select = f'<button type="button" class="go" data-pick="cluster:{number}" title="{words}" aria-label="{words}">'
        lines.append(
            f'<div class="corner" style="--hue:{theme.hue(number)}"><div><div class="head">'
            f'<span class="name">{text(learner.name)}</span>'
            f"{select}{learner.size:,}</button></div>"
            f'<div class="share"><i style="width:{100 * learner.share:.1f}%"></i></div>'
            f'<div class="dim">{text(learner.caption)}</div></div><div class="strip">{faces}</div></div>'
        )
    picked = board(f'<div class="corners" style="{sheet.style}">{"".join(lines)}</div>', key=key, css=CSS)
    return word_and_number(picked)
