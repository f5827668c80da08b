"""Two things told apart, as HTML."""

import re

import pytest

from app.views.compare.changes import ClassChange
from app.views.compare.versus import GAIN, LOSS, Line, columns, rails, settings, versus


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((0.8, 0.9), '<em class="up">+10.0</em>'),
        ((0.9, 0.8), '<em class="down">-10.0</em>'),
        ((0.8, 0.8003), '<em class="">+0.0</em>'),
        ((0.8, None), "<span>–</span>"),
    ],
)
def test_the_gain_is_in_points_of_the_second_over_the_first(drawn, values, told):
    versus(("a", "b"), [Line("Recall@1", "words", values)], key="v")
    assert told in drawn[0]


def test_what_cannot_be_compared_has_no_gain_but_its_values(drawn):
    versus(("a", "b"), [Line("Recall@1", "words", (0.25, 0.75), compared=False)], key="v")
    assert "25.0 %" in drawn[0] and "75.0 %" in drawn[0] and "+50" not in drawn[0]


def test_names_and_settings_are_escaped(drawn):
    versus(("<a>", "b"), [Line("x", '"quoted"', (0.1, 0.2))], key="v")
    settings([("miner", "<b>", "bon")], key="s")
    assert "<a>" not in drawn[0] and "&lt;a&gt;" in drawn[0] and "&quot;quoted&quot;" in drawn[0]
    assert "<b>" not in drawn[1].replace("<b>", "", 0) and "&lt;b&gt;" in drawn[1]


def test_columns_are_shares_of_the_highest(drawn):
    columns([0, 5, 10], title="kept", key="c")
    assert re.findall(r"height:([\d.]+)px", drawn[0]) == ["0.0", "39.0", "78.0"]
    columns([0, 0], title="none", key="c")  # nothing to divide by


def test_a_rail_runs_from_the_first_to_the_second_beside_a_picture(view, drawn):
    one, other = view.ids[:2].tolist()
    rails(view, [(ClassChange("A", 12, (0.25, 0.75)), one), (ClassChange("B", 3, (1.0, 0.5)), other)], key="r")
    up, down = re.findall(r'<u style="left:([\d.]+)%;width:([\d.]+)%;background:(#\w+)"', drawn[0])
    assert up == ("25.0", "50.0", GAIN) and down == ("50.0", "50.0", LOSS)
    assert "A: 25 % to 75 % of 12 samples" in drawn[0] and ">+50<" in drawn[0] and ">-50<" in drawn[0]
    assert re.findall('data-pick="(.)"', drawn[0]) == ["A", "B"]
    assert drawn[0].count('class="face"') == 2
