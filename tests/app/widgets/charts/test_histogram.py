"""Bars that count, name their spans and can be clicked."""

import re

import numpy as np

from app import theme
from app.widgets.charts import histogram as module
from app.widgets.charts.histogram import histogram


def drawn(monkeypatch, counts, *, picked=None, **options) -> tuple[str, int | None]:
    shown = []
    monkeypatch.setattr(module, "board", lambda content, **_: shown.append(content) or picked)
    answer = histogram(np.array(counts), np.linspace(-1, 1, len(counts) + 1), key="h", title="<hard>", **options)
    return shown[0], answer


def test_heights_are_shares_of_the_highest_and_an_empty_bin_has_no_bar(monkeypatch):
    html, _ = drawn(monkeypatch, [5, 0, 20, 10], ticks=[0])
    assert re.findall(r"height:([\d.]+)%", html) == ["25.0", "100.0", "50.0"]
    assert html.count("<button") == 4 and "-0.50 to 0.00: 0" in html


def test_bins_above_the_line_are_vermilion_and_text_is_escaped(monkeypatch):
    html, _ = drawn(monkeypatch, [5, 6, 20, 10], ticks=[0], above=0)
    assert html.count(theme.VERMILION) == html.count(f"background:{theme.BLUE}") == 2
    assert "&lt;hard&gt;" in html and "<hard>" not in html


def test_ticks_outside_are_left_out_and_stand_where_their_value_is(monkeypatch):
    html, _ = drawn(monkeypatch, [1, 2], ticks=[-2, -1, 0.5, 3])
    assert re.findall(r'left:([\d.]+)%">([-\d.]+)<', html) == [("0.0", "-1"), ("75.0", "0.5")]


def test_a_click_is_answered_with_the_bin(monkeypatch):
    assert drawn(monkeypatch, [1, 2], ticks=[], picked="1")[1] == 1
    assert drawn(monkeypatch, [0, 0], ticks=[])[1] is None


def test_long_ticks_are_named_at_every_second_place_and_zero_stays(monkeypatch):
    named = {}
    for ticks in ([-0.5, 0, 0.5], [-0.0025, 0, 0.0025, 0.005, 0.0075]):
        html, _ = drawn(monkeypatch, [5, 6], ticks=ticks)
        named[len(ticks)] = re.findall(r">(-?[\d.]+)</span>", html)
    assert named == {3: ["-0.5", "0", "0.5"], 5: ["0", "0.005"]}
