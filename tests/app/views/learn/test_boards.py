"""The boards of the guided scenes, as HTML."""

import re

import numpy as np
import pytest

from app.view import View
from app.views.learn import corners, ladder, scene_rail, wall
from app.views.learn.corners import Corner
from app.views.learn.lessons import Negatives

RUNGS = [("anywhere", 0.03, "#111111"), ("in its cluster", 0.06, "#222222"), ("in its bucket", 0.24, "#333333")]


def picked(monkeypatch, module, value: str) -> None:
    monkeypatch.setattr(module, "board", lambda content, **_: value)


def test_bars_are_as_long_as_their_numbers_and_a_hidden_one_does_not_tell(drawn):
    ladder.ladder(RUNGS, key="ladder")
    lengths = [float(length) for length in re.findall(r"width:([\d.]+)%", drawn[0])]
    np.testing.assert_allclose(np.array(lengths) / lengths[2], [3 / 24, 6 / 24, 1], atol=0.01)
    ladder.ladder(RUNGS, hidden=(1,), key="ladder")
    assert re.findall(r"width:([\d.]+)%", drawn[1]) == [f"{lengths[0]:.1f}", f"{lengths[2]:.1f}"]
    assert "<b>?</b>" in drawn[1] and "6.0 %" not in drawn[1]


def test_bars_of_nothing_can_be_drawn(drawn):
    ladder.ladder([("anywhere", 0.0, "#111111")], key="ladder")
    assert "width:0.0%" in drawn[0]


def test_the_rail_says_where_one_is_to_eye_and_ear(drawn, monkeypatch):
    assert scene_rail.scene_rail(["one", "two <b>", "three"], 1, key="rail") is None
    kinds = re.findall(r'<li class="(\w*)">', drawn[0])
    assert kinds == ["past", "now", ""]
    assert drawn[0].count('aria-current="step"') == 1
    assert 'aria-label="Scene 2 of 3: two &lt;b&gt;" aria-current="step"' in drawn[0]
    picked(monkeypatch, scene_rail, "2")
    assert scene_rail.scene_rail(["one", "two", "three"], 1, key="rail") == 2


def negatives(view: View, count: int) -> Negatives:
    """Of the view's first row: `count` negatives at falling distances, the last two of which violate the margin."""
    row = np.arange(1, count + 1) % len(view.rows)
    return Negatives(1, 0.5, row, np.linspace(0.9, 0.1, count), np.arange(count) >= count - 2)


def test_a_wall_hides_who_violates_the_margin_until_it_is_told(view, drawn):
    wall.wall(view, 0, negatives(view, 10), revealed=False, key="wall")
    wall.wall(view, 0, negatives(view, 10), revealed=True, key="wall")
    asked, told = drawn
    assert "lit" not in asked.split('class="wall"')[1] and "violates the margin" not in asked
    kinds = re.findall(r'class="(lit|beyond) ', told)
    assert kinds == ["lit"] * 2 + ["beyond"] * 8, "nearest first"
    assert told.count(", violates the margin") >= 2


def test_more_pictures_are_smaller_ones_and_too_many_are_counted(view, drawn):
    for count in (4, 100, wall.MAX_PICTURES + 12):
        wall.wall(view, 0, negatives(view, count), revealed=True, key="wall")
    few, many, most = (float(re.search(r"--share:([\d.]+)", html)[1]) for html in drawn)
    assert few == 0.5 and many == 0.1 and most == pytest.approx(1 / np.sqrt(wall.MAX_PICTURES), abs=1e-3)
    assert "and 12 more" in drawn[2] and "more</div>" not in drawn[1]


def test_an_empty_bucket_leaves_anchor_and_positive(view, drawn):
    wall.wall(view, 0, Negatives(1, 0.5, *np.empty((3, 0))), revealed=True, key="wall")
    assert "anchor" in drawn[0] and "positive" in drawn[0]


def test_a_corner_shows_its_share_and_can_be_selected(view, drawn, monkeypatch):
    learners = [Corner(f"Learner {n}", 1200 * n, 0.25 * n, f"told <{n}>", view.ids[:3]) for n in (1, 2)]
    assert corners.corners(view, learners, key="corners") is None
    assert "width:25.0%" in drawn[0] and "width:50.0%" in drawn[0]
    assert 'aria-label="Select all 2,400 of Learner 2"' in drawn[0] and "told &lt;1&gt;" in drawn[0]
    assert drawn[0].count(f'data-pick="id:{int(view.ids[0])}"') == 2
    picked(monkeypatch, corners, "cluster:1")
    assert corners.corners(view, learners, key="corners") == ("cluster", 1)
    picked(monkeypatch, corners, f"id:{int(view.ids[2])}")
    assert corners.corners(view, learners, key="corners") == ("id", int(view.ids[2]))
