"""The selection in the header: counts, names that last with the run, set algebra, what is gone."""

import json

import numpy as np
import pytest

from app import selection, sidecar
from tests.app.records import words

SIX, SEVEN = 6, 7  # classes of the test split


def of_class(run, *labels) -> list[int]:
    snapshot = run.snapshot()
    return sorted(np.asarray(snapshot.ids)[np.isin(np.asarray(snapshot.labels), labels)].tolist())


def selected(app) -> list[int]:
    return app.session_state[selection.KEY].now.ids.tolist()


def label(app) -> str:
    return next(block.proto.popover.label for block in app.get("popover") if "/" in block.proto.popover.label)


def keep(app, name: str):
    app.text_input[0].set_value(name)
    return next(button for button in app.button if button.label == "Keep").click().run()


@pytest.fixture
def with_sets(visit, tiny_run):
    """A visit after class 6 was kept as "six", and six and seven together as "both"."""
    app = keep(visit("buckets", sel="class:6"), "six")
    app.session_state[selection.KEY] = selection.History(selection.Selection(np.array(of_class(tiny_run, SIX, SEVEN))))
    return keep(app.run(), "both")


def test_the_chip_counts_the_split_and_what_is_selected_elsewhere(visit, tiny_run):
    assert label(visit("buckets", sel="class:6")) == "12 / 48"
    training = of_class(tiny_run, 0)
    link = selection.pack(np.array(sorted([*training, *of_class(tiny_run, SIX), 10**9])))
    app = visit("buckets", sel=link)
    assert label(app) == "12 + 13 / 48"
    assert "25 samples: 12 in the test split, 12 in other splits, 1 not in this snapshot" in words(app)
    assert "Not in this snapshot: 1 of the 25 selected samples; the others are shown." in words(app)


def test_a_named_set_lasts_with_the_run(with_sets, visit, tiny_run):
    assert list(sidecar.read(tiny_run, selection.SETS)) == ["six", "both"]
    app = visit("buckets")
    assert "six · 12" in words(app) and "both · 24" in words(app)
    app.button(key="selection-new-0").click().run()
    assert selected(app) == of_class(tiny_run, SIX)


@pytest.mark.parametrize(
    ("mode", "expected"), [("add", [SIX, SEVEN]), ("intersect", [SIX]), ("subtract", []), ("new", [SIX, SEVEN])]
)
def test_a_set_acts_on_the_selection(with_sets, tiny_run, mode, expected):
    with_sets.button(key="selection-new-0").click().run()
    with_sets.button(key=f"selection-{mode}-1").click().run()
    assert selected(with_sets) == of_class(tiny_run, *expected)


def test_two_sets_are_combined_and_counted_before(with_sets, tiny_run):
    with_sets.selectbox(key="algebra-one").set_value("both").run()
    with_sets.segmented_control(key="algebra-mode").set_value("subtract").run()
    with_sets.selectbox(key="algebra-other").set_value("six").run()
    assert with_sets.button(key="algebra-select").label == "Select these 12"
    with_sets.button(key="algebra-select").click().run()
    assert selected(with_sets) == of_class(tiny_run, SEVEN)
    with_sets.button(key="selection-undo").click().run()
    assert selected(with_sets) == of_class(tiny_run, SIX, SEVEN)


def test_a_name_is_forgotten(with_sets, tiny_run):
    with_sets.button(key="selection-forget-0").click().run()
    assert list(sidecar.read(tiny_run, selection.SETS)) == ["both"]


def test_the_rest_of_the_split_is_selected(visit, tiny_run):
    app = visit("buckets", sel="class:6")
    app.button(key="selection-invert").click().run()
    assert selected(app) == of_class(tiny_run, 4, 5, SEVEN)


def test_a_link_names_a_set(with_sets, visit, tiny_run):
    assert selected(visit("buckets", sel="set:six")) == of_class(tiny_run, SIX)
    app = visit("buckets", sel="set:nine")
    assert not selected(app)
    assert "The link selects what is not here: set nine." in words(app)


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("class:99", "The link selects what is not here: class 99."),
        ("eNrbxsT", "The link&#x27;s selection cannot be read"),
    ],
)
def test_a_link_to_nothing_says_so_until_something_is_selected(visit, tiny_run, link, sentence):
    app = visit("buckets", sel=link)
    assert sentence in words(app)
    assert sentence in words(app.run())
    app.button(key="bucket-select").click().run()
    assert sentence not in words(app)


@pytest.mark.parametrize("text", ["{", json.dumps({"six": {"ids": "?"}}), json.dumps({"six": 3})])
def test_damaged_sets_are_said_and_the_rest_works(visit, tiny_run, text):
    sidecar.path_of(tiny_run, selection.SETS).write_text(text)
    app = visit("buckets", sel="class:6")
    assert "remove it" in words(app)
    assert label(app) == "12 / 48"


def test_a_selection_too_large_for_a_link_is_linked_by_its_name(visit, tiny_run):
    app = visit("buckets")
    many = np.unique(np.random.default_rng(0).integers(0, 10**9, 5000))
    app.session_state[selection.KEY] = selection.History(selection.Selection(many, "by hand"))
    app.run()
    assert "keep the selection under a name" in str(app.get("bidi_component")[0].proto)
    assert selection.LINK not in app.query_params
    keep(app, "many")
    assert "keep the selection under a name" not in str(app.get("bidi_component")[0].proto)
    again = visit("buckets", sel="set:many")
    assert selected(again) == many.tolist()
    assert "Not in this snapshot: 5,000 of the 5,000" in words(again)
