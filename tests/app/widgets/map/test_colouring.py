"""Colours of points: categories, ramps, counts in the legend."""

import numpy as np
import pytest

from app import theme
from app.view import COLOURS
from app.widgets.map.colouring import STEPS, colouring


@pytest.mark.parametrize("name", [*COLOURS, "style"])
def test_every_point_has_a_colour(view, name):
    found = colouring(view, name)
    assert len(found.shade_numbers) == len(view.rows)
    assert found.shade_numbers.min() >= 0 and found.shade_numbers.max() < len(found.shades)
    assert all(shade.startswith("#") for shade in found.of(np.arange(5)))
    assert sum(count for _, _, count in found.entries) in (0, len(view.rows))


def test_the_bit_is_the_one_asked_for(view):
    codes = np.asarray(view.snapshot.codes)[view.rows]
    for bit in range(view.snapshot.bits):
        assert colouring(view, "bit", bit=bit).values.tolist() == ((codes >> bit) & 1).tolist()


def test_wrong_retrievals_have_the_colour_of_wrong(view):
    found = colouring(view, "correct")
    wrong = np.flatnonzero(~np.asarray(view.snapshot.correct)[view.rows])
    assert set(found.of(wrong)) == {theme.WRONG}


def test_a_ramp_runs_from_end_to_end(view):
    found = colouring(view, "trust")
    assert (found.shades[0], found.shades[-1]) == (found.colours[0], found.colours[-1])
    assert len(found.shades) == STEPS
    order = np.argsort(found.values)
    assert (np.diff(found.shade_numbers[order].astype(int)) >= 0).all()


def test_the_legend_counts_a_part_of_each_category(view):
    found = colouring(view, "style")
    codes, names = view.snapshot.fields["style"]
    codes = np.asarray(codes)[view.rows]
    assert found.counts() == [str(count) for count in np.bincount(codes)]
    some = np.flatnonzero(codes == 1)[:5]
    assert dict(zip(names, found.counts(some), strict=True))[names[1]] == f"5 / {(codes == 1).sum()}"
    assert found.counts(some)[0].startswith("0 / ")


def with_fields(view, **fields):
    """The view with other fields, (N,) each, in place of its own; those of numbers are ramps."""
    codes, names, numbers = {}, {}, {}
    for name, values in fields.items():
        found, positions = np.unique(values, return_inverse=True)
        codes[name], names[name] = positions, [str(value) for value in found.tolist()]
        if values.dtype.kind == "f":
            numbers[name] = values
    object.__setattr__(view.snapshot, "fields", {name: (codes[name], names[name]) for name in fields})
    object.__setattr__(view.snapshot, "numbers", numbers)
    return view


def test_ten_categories_have_a_legend_of_ten_colours(view):
    count = len(view.snapshot)
    found = colouring(with_fields(view, city=np.array([f"city {row % 10}" for row in range(count)])), "city")
    assert len(found.entries) == len({colour for colour, _, _ in found.entries}) == 10


def test_many_numbers_are_a_ramp_and_what_is_missing_is_said(view):
    values = np.arange(len(view.snapshot)) / 7
    values[view.rows[:3]] = np.nan
    found = colouring(with_fields(view, bright=values), "bright")
    assert found.domain is not None and not found.entries and "3 have none" in found.ends[1]
    order = np.argsort(values[view.rows[3:]])
    assert (np.diff(found.shade_numbers[3:][order].astype(int)) >= 0).all()
    assert len(set(found.shade_numbers.tolist())) > 10


def test_few_numbers_are_categories(view):
    found = colouring(with_fields(view, stars=np.arange(len(view.snapshot)) % 5 / 1.0), "stars")
    assert found.domain is None and len(found.entries) == 5
