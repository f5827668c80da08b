"""Colours can be read: contrasts as WCAG 2 defines them, in light and dark, computed from the theme and the styles."""

import itertools
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from app import theme
from app.views.clusters import heat_matrix, learner_cards
from app.views.learn import corners, ladder, scene_rail, wall
from app.widgets.charts import distance_plot, triplets
from app.widgets.primitives import board, gallery

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
PAGE = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["theme"]
TEXT, MARK = 4.5, 3.0  # AA: text; large text and what one must see to understand a picture
GROUNDS = ("backgroundColor", "secondaryBackgroundColor")
STYLES = [theme.STYLE] + [
    module.CSS for module in (board, corners, distance_plot, gallery, ladder, learner_cards, scene_rail, triplets, wall)
]
DICHROMATS = {  # Machado et al., 2009, severity 1, on linear RGB
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}

modes = pytest.mark.parametrize("mode", ["light", "dark"])


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def linear(channels: np.ndarray) -> np.ndarray:
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05 for colour in (one, other))
    return high / low


def oklab(colour: str, seen_by: np.ndarray) -> np.ndarray:
    """A colour where equal distances look equal, times 100, as it appears to an eye."""
    seen = np.clip(seen_by @ linear(rgb(colour)), 0, 1)
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return 100 * np.array(lab) @ np.cbrt(np.array(cones) @ seen)


def test_the_measure_agrees_with_known_contrasts():
    assert contrast(rgb("#000000"), rgb("#FFFFFF")) == pytest.approx(21)
    assert contrast(rgb("#767676"), rgb("#FFFFFF")) == pytest.approx(4.54, abs=0.01)


@modes
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("words", ["textColor", "linkColor"])
def test_text_and_links_can_be_read(mode, ground, words):
    assert contrast(rgb(PAGE[mode][words]), rgb(PAGE[mode][ground])) >= TEXT


@modes
@pytest.mark.parametrize("ground", GROUNDS)
def test_quiet_text_is_not_too_quiet(mode, ground):
    text, back = rgb(PAGE[mode]["textColor"]), rgb(PAGE[mode][ground])
    shares = {float(share) for style in STYLES for share in re.findall(r"[^-]opacity: (0?\.\d+)", style)}
    faded = {0.2}  # negatives beyond the margin, which recede
    assert len(shares - faded) > 2
    for share in shares - faded:
        assert contrast(share * text + (1 - share) * back, back) >= TEXT, share


@modes
@pytest.mark.parametrize("ground", GROUNDS)
def test_words_coloured_by_the_styles_can_be_read(mode, ground):
    pairs = re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", theme.STYLE)
    assert len(pairs) >= 2
    for light, dark in pairs:
        assert contrast(rgb(light if mode == "light" else dark), rgb(PAGE[mode][ground])) >= TEXT


@modes
def test_a_primary_button_stands_out_and_can_be_read(mode):
    assert contrast(rgb(PAGE[mode]["primaryColor"]), rgb("#FFFFFF")) >= TEXT
    assert contrast(rgb(PAGE[mode]["primaryColor"]), rgb(PAGE[mode]["backgroundColor"])) >= MARK


@modes
@pytest.mark.parametrize("colour", [*theme.HUES, theme.CONTEXT, theme.RIGHT, theme.WRONG])
def test_marks_stand_out_from_the_page(mode, colour):
    assert contrast(rgb(colour), rgb(PAGE[mode]["backgroundColor"])) >= MARK


@pytest.mark.parametrize("eye", DICHROMATS)
def test_no_two_hues_are_alike_to_a_colour_blind_eye(eye):
    seen_by = np.array(DICHROMATS[eye])
    for one, other in itertools.combinations(theme.HUES, 2):
        assert np.linalg.norm(oklab(one, seen_by) - oklab(other, seen_by)) >= 5, (one, other)


def test_streamlits_own_charts_have_the_same_hues():
    assert tuple(PAGE["chartCategoricalColors"]) == theme.HUES


@pytest.mark.parametrize("value", np.linspace(0, 1, 21))
def test_numbers_in_a_heat_map_can_be_read(value):
    corners = np.stack([rgb(colour) for colour in theme.SEQUENTIAL])
    at = np.linspace(0, 1, len(corners))
    cell = np.array([np.interp(value, at, corners[:, channel]) for channel in range(3)])
    assert contrast(cell, rgb("#FFFFFF" if value > heat_matrix.WHITE_FROM else "#000000")) >= TEXT


def test_a_name_in_markdown_is_a_name():
    assert theme.plain("![x](http://a.b) :red[*y*]") == r"\!\[x\]\(http\://a\.b\) \:red\[\*y\*\]"
    assert theme.plain("Ä 日本 7") == "Ä 日本 7"
