"""What a query retrieved: pictures marked right or wrong, distances, and each learner's part in them."""

from collections.abc import Sequence

from app import theme
from app.analysis.retrieval import Neighbour
from app.view import View
from app.widgets.primitives.board import Sheet, board, text

NAME = 10  # columns of a class's name

CSS = """
.found {display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px 8px}
.one {border: 1px solid rgba(128,128,128,.2); border-radius: 8px; padding: 8px; display: grid; gap: 4px;
  justify-items: center}
.one .mark {font-size: 12px; font-weight: 620}
.one .name {max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap}
.one .bar {width: 100%; height: 9px; border-radius: 3px; background: rgba(128,128,128,.16); display: flex;
  overflow: hidden}
.one .bar i {height: 100%}
.one .ranks {display: flex; flex-wrap: wrap; gap: 1px 7px; justify-content: center; font-size: 11px}
.one .ranks i {display: inline-block; width: 7px; height: 7px; border-radius: 50%; margin-right: 3px}
.one .ranks .best {font-weight: 700}
"""


def neighbour_strip(
    view: View, found: Sequence[Neighbour], *, label: int | None, key: str, size: int = 72
) -> int | None:
    """Draw the neighbours, nearest first; rows of `found` are positions among the view's rows.

    `label` is the class of the query, None for one that has no class. Returns the id that was just clicked, or None.
    """
    ids = [int(view.ids[neighbour.row]) for neighbour in found]
    sheet = Sheet(view, ids, size=size)
    reach = max((neighbour.distance**2 for neighbour in found), default=1) or 1
    cards = []
    for identity, neighbour in zip(ids, found, strict=True):
        row = view.rows[neighbour.row]
        right = None if label is None else bool(view.snapshot.labels[row] == label)
        shade, mark = {True: (theme.RIGHT, "✓"), False: (theme.WRONG, "✗"), None: ("rgba(128,128,128,.4)", "")}[right]
        face = sheet.face(identity, pick=str(identity), style=f"box-shadow:0 0 0 3px {shade}")
        cards.append(
            f'<div class="one">{face}<span class="name"><bdi title="{text(view.class_name(row))}">'
            f'{text(view.short_name(row, NAME))}</bdi> <span class="mark" style="color:{shade}">{mark}</span></span>'
            f'<span class="dim">d {neighbour.distance:.3f}</span>{_parts(neighbour, reach)}</div>'
        )
    picked = board(f'<div class="found" style="{sheet.style}">{"".join(cards)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)


def _parts(neighbour: Neighbour, reach: float) -> str:
    """The squared distance as a bar of the learners' parts, and the rank by each learner alone."""
    if len(neighbour.parts) < 2:
        return ""
    words = " + ".join(f"{part:.4f}" for part in neighbour.parts)
    segments = "".join(
        f'<i style="width:{100 * part / reach:.2f}%;background:{theme.hue(k)}"></i>'
        for k, part in enumerate(neighbour.parts)
    )
    best = neighbour.ranks.min()
    ranks = "".join(
        f'<span class="{"best" if rank == best else "dim"}" title="learner {k} alone would rank it {rank:,}">'
        f'<i style="background:{theme.hue(k)}"></i>{rank:,}</span>'
        for k, rank in enumerate(neighbour.ranks)
    )
    return (
        f'<div class="bar" title="d² = {words} = {neighbour.distance**2:.4f}">{segments}</div>'
        f'<div class="ranks">{ranks}</div>'
    )
