"""A training batch as the bag it is: every seed with the classes that its bucket brought along; then the memory."""

from collections.abc import Mapping, Sequence

import numpy as np

from app import theme
from app.view import View
from app.views.negatives.batches import Group
from app.widgets.primitives.board import Sheet, board, text

ROLES = ("seed", "bucket mate", "random fill")
SHADES = (theme.BLUE, theme.VERMILION, theme.CONTEXT)

CSS = """
.bag {display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start}
.group {border: 1px solid rgba(128,128,128,.22); border-radius: 8px; padding: 6px 8px 8px}
.group h4 {font-size: 12px; font-weight: 600; margin: 0 0 5px}
.group .classes {display: flex; flex-wrap: wrap; gap: 6px}
.group .faces {display: flex; flex-wrap: wrap; gap: 2px}
.group .class {border-left: 4px solid var(--role); padding-left: 4px; border-radius: 2px; display: flex; gap: 2px}
"""


def bag(
    view: View,
    step: Mapping[str, np.ndarray],
    groups: Sequence[Group],
    remembered: Sequence[int] | np.ndarray = (),
    *,
    key: str,
) -> int | None:
    """Draw a recorded batch; a stripe before each class tells its role. Returns the id just clicked, or None.

    `remembered` are ids of negatives that were not in the batch.
    """
    ids = step["id"]
    sheet = Sheet(view, [*ids, *remembered], size=30)
    boxes = []
    for group in groups:
        classes = [
            f'<div class="class" style="--role:{SHADES[step["role"][rows[0]]]}">'
            + "".join(sheet.face(ids[row], pick=str(ids[row]), title=_words(view, step, row)) for row in rows)
            + "</div>"
            for rows in group.classes
        ]
        filled = step["role"][group.classes[0][0]] == 2
        name = "drawn at random" if filled else "no bucket" if group.bucket < 0 else f"bucket {group.bucket:#x}"
        boxes.append(f'<div class="group"><h4>{text(name)}</h4><div class="classes">{"".join(classes)}</div></div>')
    if len(remembered):
        faces = "".join(sheet.face(identity, pick=str(identity)) for identity in remembered)
        boxes.append(f'<div class="group"><h4>out of the memory</h4><div class="faces">{faces}</div></div>')
    picked = board(f'<div class="bag" style="{sheet.style}">{"".join(boxes)}</div>', key=key, css=CSS)
    return None if picked is None else int(picked)


def _words(view: View, step: Mapping[str, np.ndarray], row: int) -> str:
    position = view.snapshot.position_of.get(int(step["id"][row]))
    name = "gone" if position is None else view.class_name(position)
    return f"{name} · {ROLES[step['role'][row]]} · id {step['id'][row]}"
