"""Plots as HTML: round ticks, points where they lie, marks, and what falls off the edge."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app import theme
from app.widgets.charts.plot import MAX_MARKS, SIDE, Line, plot, thinned, ticks


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e5))
def test_ticks_are_round_few_and_within(low, width):
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 6
    assert min(found) >= low - 1e-6 * width - 1e-9 and max(found) <= low + width * (1 + 1e-6) + 1e-9
    if len(found) > 1:
        step = found[1] - found[0]
        assert np.allclose(np.diff(found), step) and re.fullmatch(
            "1|2|2.5|5", f"{step / 10 ** np.floor(np.log10(step * (1 + 1e-9))):.4g}"
        )


def test_ticks_by_hand():
    assert ticks(0, 100) == [0, 25, 50, 75, 100]
    assert ticks(0.82, 0.94) == [0.85, 0.9]


def drawn(*lines: Line, **options) -> str:
    return plot(lines, words="<w>", written="{:g}".format, **options)


def places(html: str) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in re.search('points="([^"]+)"', html)[1].split()]


def test_points_lie_where_their_values_are_with_y_up():
    line = Line("a", "#111111", np.array([[0, 0.5], [5, 1], [10, 0]]))
    html = drawn(line, x=(0, 10), y=(0, 1))
    assert places(html) == [(0, SIDE / 2), (SIDE / 2, 0), (SIDE, SIDE)]
    assert html.count('class="dot"') == 3 and "a: 0.5 at 0" in html and "&lt;w&gt;" in html


def test_by_default_a_plot_is_as_wide_as_its_lines():
    html = drawn(Line("a", "#111111", np.array([[2, 7.0], [4, 9.0]])))
    (left, low), (right, high) = places(html)
    assert (left, right) == (SIDE / 2, SIDE) and 0 < high < low < SIDE


def test_many_points_are_a_line_without_dots_and_an_area_ends_on_the_axis():
    many = np.column_stack([np.arange(MAX_MARKS + 1), np.ones(MAX_MARKS + 1)])
    html = drawn(Line("a", "#111111", many))
    assert 'class="dot"' not in html and 20 <= html.count('class="hover"') <= MAX_MARKS
    assert f"a: 1 at {MAX_MARKS}<" in html
    area = drawn(Line("a", "#111111", np.array([[0, 1.0], [1, 1.0]]), area=True), x=(0, 1), y=(0, 2))
    assert f'd="M0.0,{SIDE:.1f}L0.0,{SIDE / 2} {SIDE:.1f},{SIDE / 2}L{SIDE:.1f},{SIDE:.1f}Z"' in area


def test_levels_uprights_and_spans_stand_at_their_values():
    line = Line("a", "#111111", np.array([[0, 0.0], [10, 1.0]]))
    html = drawn(
        line,
        x=(0, 10),
        y=(0, 1),
        level=0.8,
        upright=[(5, "<hot>")],
        spans=[(2, 4, "#123456"), (4, 5, "#654321")],
        named=(0, 0.8),
        title="steps",
    )
    assert re.search(r'class="level" d="M0 200.0H1000"', html)
    assert re.search(rf'd="M500.0 0V1000" stroke="{theme.VERMILION}".*?<title>&lt;hot&gt;', html)
    assert re.search("fill:#123456[^>]*M200.0 0H400.0V1000H200.0Z", html)
    assert re.search("fill:#654321[^>]*M400.0 0H500.0V1000H400.0Z", html) and ">steps<" in html
    assert re.findall(r'class="y" style="top:([\d.]+)%">([\d.]+)<', html) == [("100.0", "0"), ("20.0", "0.8")]


@given(st.integers(0, 500), st.integers(1, 60))
def test_thinning_keeps_the_last_and_few(count, most):
    found = thinned(list(range(count)), most)
    assert found[-1:] == list(range(count))[-1:] and len(found) <= 2 * most and found == sorted(found)
