"""Names that are cut still differ, keep their start, and fit."""

import unicodedata

import pytest

from app.names import shortened

LONG = "a photograph of a bird on a branch, seen from behind, "
NAMES = {
    "the same end": [f"{LONG * 4}{number} of them{LONG * 2}" for number in range(30)],
    "another end": [f"{LONG * 4}{number:04}" for number in range(400, 430)],
    "another start": [f"{number:04} {LONG * 4}" for number in range(30)],
    "in the middle": ["a" * 90 + letter + "a" * 109 for letter in "xyz"],
    "one is the other's start": ["a" * 100, "a" * 101, "a" * 140],
    "wide letters": ["日本語の長い名前" * 20 + letter for letter in "一二三"],
    "right to left": ["שם ארוך מאוד " * 20 + letter for letter in "אבג"],
    "marks": ["e\u0301" * 100 + letter for letter in "xyz"],
    "short ones beside": ["0412", "0413", "x", "", "b" * 60],
}


def width(name: str) -> int:
    letters = [letter for letter in name if not unicodedata.combining(letter)]
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("most", [14, 24, 60])
def test_what_differs_still_differs_and_fits(names, most):
    found = shortened(names, most)
    assert len(set(found)) == len(names)
    for short, name in zip(found, names, strict=True):
        assert width(short) <= most
        assert short == name or "…" in short
        assert width(name) > most or short == name
        assert not short or not unicodedata.combining(short.split("…")[-1][:1] or "x")


def test_a_name_keeps_its_start_where_that_is_enough():
    assert shortened(["a very long name indeed", "another"], 12) == ["a very long…", "another"]


def test_two_classes_of_one_name_are_cut_alike():
    assert shortened(["a" * 50] * 2, 12) == ["a" * 11 + "…"] * 2
