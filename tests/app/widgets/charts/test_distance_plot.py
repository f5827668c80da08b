"""d(a,p) against d(a,n): which dots lie below the line, and what is left out."""

import re

import numpy as np

from app.widgets.charts.distance_plot import DOTS, distance_plot


def dots(html: str) -> int:
    return html.count("h0")


def test_every_known_triplet_is_a_dot_where_its_distances_are(drawn):
    d_ap, d_an = np.array([0.5, 1.0, np.nan, 0.2]), np.array([1.0, 0.5, 0.3, np.nan])
    distance_plot(d_ap, d_an, 0.2, key="d")
    reach = 1.05 * 1.0
    places = {(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", drawn[0])}
    expected = {(round(100 * p / reach, 1), round(100 - round(100 * n / reach, 1), 1)) for p, n in ((0.5, 1), (1, 0.5))}
    assert places == expected and "2 mined triplets" in drawn[0]


def test_kinds_have_a_path_each_unless_they_are_not_told(drawn):
    d_ap, d_an = np.array([0.5, 0.5, 0.5]), np.array([0.9, 0.6, 0.4])  # easy, semi-hard, hard at margin 0.2
    distance_plot(d_ap, d_an, 0.2, key="d")
    distance_plot(d_ap, d_an, 0.2, key="d", revealed=False)
    shades = [set(re.findall(r'h0" stroke="(#\w+)"', html)) for html in drawn]
    assert len(shades[0]) == 3 and dots(drawn[0]) == dots(drawn[1]) == 3
    assert "stroke-dasharray" in drawn[0] and "stroke-dasharray" not in drawn[1]


def test_many_are_thinned_and_none_is_an_empty_field(drawn):
    rng = np.random.default_rng(0)
    distance_plot(rng.random(9000), rng.random(9000), 0.2, key="d")
    distance_plot(np.empty(0), np.empty(0), 0.2, key="d")
    distance_plot(np.array([np.nan]), np.array([0.5]), 0.0, key="d")
    assert dots(drawn[0]) == DOTS and "9,000 mined triplets" in drawn[0]
    assert dots(drawn[1]) == dots(drawn[2]) == 0


def test_the_margins_line_keeps_in_sight(drawn):
    distance_plot(np.array([0.1]), np.array([0.1]), 1.5, key="d")
    edge = float(re.search(r'M0 ([-\d.]+)L100 [-\d.]+" stroke="#\w+" stroke-width="2.5"', drawn[0])[1])
    assert 0 < edge < 100
