"""The small map: points where they lie, as a share of the split's extent, y up."""

import re

import numpy as np
import pytest

from app.widgets.map import mini_map as module
from app.widgets.map.mini_map import MARGIN, MAX_HIGHLIGHTED, SIDE, mini_map


def test_the_extremes_of_the_split_lie_a_margin_from_the_edges(view, drawn):
    xy = np.asarray(view.snapshot.xy)[view.rows]
    ends = [view.rows[xy[:, 0].argmin()], view.rows[xy[:, 0].argmax()], view.rows[xy[:, 1].argmax()]]
    mini_map(view, key="m", highlighted=[(np.array([row]), "#123456") for row in ends])
    places = [(float(x), float(y)) for x, y in re.findall(r'cx="([-\d.]+)" cy="([-\d.]+)"', drawn[0])]
    near, far = SIDE * MARGIN / (1 + 2 * MARGIN), SIDE * (1 + MARGIN) / (1 + 2 * MARGIN)
    assert places[0][0] == pytest.approx(near, abs=0.1) and places[1][0] == pytest.approx(far, abs=0.1)
    assert places[2][1] == pytest.approx(near, abs=0.1)


def test_lines_join_their_ends_and_rings_lie_anywhere(view, drawn):
    one, other = view.rows[:2]
    x, y = np.asarray(view.snapshot.xy)[one].tolist()
    mini_map(
        view,
        key="m",
        highlighted=[(np.array([one, other]), "red")],
        lines=[(one, other, "blue")],
        rings=[(x, y, "green")],
    )
    dots = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', drawn[0])
    line = re.search(r'x1="([-\d.]+)" y1="([-\d.]+)" x2="([-\d.]+)" y2="([-\d.]+)"', drawn[0]).groups()
    ring = re.search(r'class="ring" cx="([-\d.]+)" cy="([-\d.]+)"', drawn[0]).groups()
    assert dots == [line[:2], line[2:]] and ring == dots[0]


def test_no_more_than_can_be_told_apart_are_lit(view, drawn):
    mini_map(view, key="m", highlighted=[(np.repeat(view.rows, 100), "red")])
    assert drawn[0].count("<circle") == MAX_HIGHLIGHTED


def test_the_crowd_is_one_picture_that_covers_the_points(view):
    import base64
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(module._crowd(view).split(",")[1])))
    opaque = np.asarray(picture)[..., 3] > 0
    assert picture.size == (2 * SIDE, 2 * SIDE)
    assert len(view.rows) / 2 <= opaque.sum() <= 4 * len(view.rows)
