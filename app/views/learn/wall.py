"""A wall of negatives beside their anchor: all alike at first; then those that violate the margin
are lit, and the others fade."""

import numpy as np

from app import theme
from app.view import View
from app.views.learn.lessons import Negatives
from app.widgets.primitives.board import Sheet, board, text

MAX_PICTURES = 160  # pictures

CSS = """
.scene {display: grid; grid-template-columns: auto 1fr; gap: 1.1rem 1.4rem; align-items: start}
.scene .ends {display: grid; gap: .7rem; max-width: 9rem; overflow-wrap: anywhere;
  --size: var(--wall-ends, 5rem) !important}
.scene .ends div {font-size: .85rem; text-align: center; line-height: 1.3}
.scene .ends .face, .scene .ends .word {display: block; margin: 0 auto .25rem}
.scene .wall {display: flex; flex-wrap: wrap; gap: var(--gap); padding: .2rem; --gap: .35rem;
  --size: clamp(1.1rem, var(--wall-side, min(38rem, 92vw)) * var(--share) - var(--gap), 5.2rem) !important}
.scene .wall .lit {box-shadow: 0 0 0 .2rem var(--lit)}
.scene .wall .beyond {animation: fade .7s ease-out both}
@keyframes fade {from {opacity: 1} to {opacity: .2}}
@media (prefers-reduced-motion: reduce) {.scene .wall .beyond {animation: none; opacity: .2}}
@media (max-width: 640px) {
  .scene {grid-template-columns: 1fr}
  .scene .ends {grid-auto-flow: column; justify-content: start}
}
"""


def wall(view: View, anchor: int, found: Negatives, *, revealed: bool, key: str) -> int | None:
    """Draw it; rows are positions among the view's rows. Returns the id of a negative that was just clicked, or None.

    revealed : light those that teach, nearest first; else all are alike, in the order given
    """
    order = found.distance.argsort(kind="stable") if revealed else range(len(found.row))
    places = [int(place) for place in order][:MAX_PICTURES]
    ids = {place: int(view.ids[found.row[place]]) for place in places}
    ends = (int(view.ids[anchor]), int(view.ids[found.positive]))
    sheet = Sheet(view, [*ends, *ids.values()], size=40)
    faces = []
    for place in places:
        name = view.class_name(view.rows[found.row[place]])
        violates = bool(found.violates[place])
        kind = ("lit" if violates else "beyond") if revealed else ""
        words = f"{name} · at {found.distance[place]:.2f}{', violates the margin' if revealed and violates else ''}"
        face = sheet.face(ids[place], pick=str(ids[place]), title=words)
        faces.append(face.replace('class="', f'class="{kind} ', 1))
    name = view.short_name(view.rows[anchor])
    more = f'<div class="dim">and {len(found.row) - MAX_PICTURES:,} more</div>' if len(found.row) > MAX_PICTURES else ""
    share = 1 / np.sqrt(max(len(places), 1))  # of the side of a square wall
    picked = board(
        f'<div class="scene" style="{sheet.style};--lit:{theme.VERMILION}"><div class="ends">'
        f"<div>{sheet.face(ends[0])}<b>anchor</b> <bdi>{text(name)}</bdi></div>"
        f'<div>{sheet.face(ends[1])}positive<br><span class="dim">at {found.d_ap:.2f}</span></div></div>'
        f'<div><div class="wall" data-arrows style="--share:{share:.4f}">{"".join(faces)}</div>{more}</div></div>',
        key=key,
        css=CSS,
    )
    return None if picked is None else int(picked)
