"""Triplets as a person reads them: anchor, positive, negative, and their distances on a bar drawn to scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app import theme
from app.analysis.triplets import HARD, SEMI_HARD
from app.view import View
from app.widgets.primitives.board import Sheet, board, text

POSITIVE, NEGATIVE = theme.BLUE, theme.VERMILION
SHADES = {HARD: theme.VERMILION, SEMI_HARD: theme.ORANGE}  # easy ones recede

CSS = """
.triplets {display: grid; gap: 6px; container-type: inline-size}
.triplet {display: grid; grid-template-columns: auto auto minmax(130px, 1fr) auto 150px; gap: 4px 12px;
  align-items: center;
  padding: 6px 8px; border: 1px solid rgba(128,128,128,.18); border-radius: 8px}
.triplet .tag {font-weight: 620; border-bottom: 3px solid}
.triplet .caption {font-size: 12px; line-height: 1.4}
.axis {position: relative; height: 46px; margin: 0 4px}
.axis .rail {position: absolute; left: 0; right: 0; top: 22px; border-top: 1px solid rgba(128,128,128,.45)}
.axis .margin {position: absolute; top: 15px; height: 15px; background: rgba(128,128,128,.25); border-radius: 2px}
.axis i {position: absolute; top: 17px; width: 11px; height: 11px; border-radius: 50%; transform: translateX(-50%)}
.axis i.n {border-radius: 2px; transform: translateX(-50%) rotate(45deg)}
.axis b {position: absolute; font-weight: 500; font-size: 11px; transform: translateX(-50%); white-space: nowrap}
@container (max-width: 480px) {
  .triplet {grid-template-columns: auto auto auto 1fr}
  .triplet .axis {grid-column: 1 / -1; grid-row: 2}
}
"""


@dataclass(frozen=True)
class Triplet:
    """Ids (-1: none was chosen), distances, and what is said about them."""

    anchor: int
    positive: int
    negative: int
    d_ap: float
    d_an: float
    kind: str  # easy, semi-hard, hard
    caption: str  # e.g. "bucket mate of 0x3f"


def triplets(view: View, rows: Sequence[Triplet], *, margin: float, key: str) -> int | None:
    """Draw the triplets one under the other. Returns the id of the picture that was just clicked, or None."""
    sheet = Sheet(view, [i for row in rows for i in (row.anchor, row.positive, row.negative)], size=46)
    reach = np.nanmax([0.2, *(row.d_ap + margin for row in rows), *(row.d_an for row in rows)])
    lines = [
        f'<div class="triplet">{_face(sheet, row.anchor, "anchor")}{_face(sheet, row.positive, "positive", POSITIVE)}'
        f"{_axis(row, margin, 1.06 * reach)}{_face(sheet, row.negative, 'negative', NEGATIVE)}"
        f'<div class="caption">'
        f'<span class="tag" style="border-color:{SHADES.get(row.kind, "transparent")}">{text(row.kind or "–")}</span>'
        f'<br><span class="dim">{text(row.caption)}</span></div></div>'
        for row in rows
    ]
    picked = board(f'<div class="triplets" style="{sheet.style}">{"".join(lines)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)


def _face(sheet: Sheet, identity: int, role: str, edge: str = "transparent") -> str:
    if identity < 0:
        return f'<span class="word" title="no {role} was chosen">–</span>'
    row = sheet.view.snapshot.position_of.get(identity)
    name = "gone" if row is None else sheet.view.class_name(row)
    return sheet.face(
        identity, pick=str(identity), style=f"box-shadow:0 0 0 2.5px {edge}", title=f"{role}: {name} · id {identity}"
    )


def _axis(row: Triplet, margin: float, reach: float) -> str:
    """Both distances from the anchor at 0; the band behind the positive is the margin."""
    if np.isnan(row.d_ap) or np.isnan(row.d_an):
        return '<div class="axis dim">no triplet was chosen here</div>'

    def at(distance: float) -> str:
        return f"{100 * distance / reach:.2f}%"

    words = f"positive at {row.d_ap:.3f}, negative at {row.d_an:.3f}, margin {margin:g}"
    ap, an = at(row.d_ap), at(row.d_an)
    return (
        f'<div class="axis" role="img" aria-label="{words}"><span class="rail"></span>'
        f'<span class="margin" style="left:{ap};width:{at(margin)}"></span>'
        f'<i style="left:{ap};background:{POSITIVE}"></i><b style="left:{ap};top:0">{row.d_ap:.2f}</b>'
        f'<i class="n" style="left:{an};background:{NEGATIVE}"></i><b style="left:{an};top:31px">{row.d_an:.2f}</b>'
        "</div>"
    )
