"""A visit to the map: box, modes, click, link."""

import numpy as np
import pytest


def box(app, view_run, *, mode: str | None = None, x=(-100, 100), y=(-100, 100)):
    if mode:
        app.segmented_control(key="mode").set_value(mode)
    app.session_state["map"] = {"selection": {"box": {"x": list(x), "y": list(y)}, "pick": [], "zoom": {}}}
    return app.run()


def selected(app) -> list[int]:
    return app.session_state["selection"].now.ids.tolist()


@pytest.fixture
def held_out(tiny_run):
    snapshot = tiny_run.snapshot()
    rows = np.flatnonzero(np.asarray(snapshot.split) == 1)
    return np.asarray(snapshot.ids)[rows], np.asarray(snapshot.xy)[rows]


def test_a_box_selects_what_lies_in_it(visit, tiny_run, held_out):
    ids, xy = held_out
    app = box(visit("map"), tiny_run, x=(-100, 0))
    assert selected(app) == sorted(ids[xy[:, 0] <= 0].tolist())
    assert app.query_params["sel"]


def test_boxes_add_and_subtract(visit, tiny_run, held_out):
    ids, xy = held_out
    app = box(visit("map"), tiny_run, x=(-100, 0))
    app = box(app, tiny_run, mode="Add", x=(-100, 100))
    assert selected(app) == sorted(ids.tolist())
    app = box(app, tiny_run, mode="Subtract", x=(0, 100))
    assert selected(app) == sorted(ids[xy[:, 0] < 0].tolist())
    app.button(key="selection-undo").click().run()
    assert selected(app) == sorted(ids.tolist())
    app.button(key="selection-clear").click().run()
    assert selected(app) == []


def test_a_click_opens_the_sample_and_leaves_the_selection_alone(visit, tiny_run, held_out):
    ids, _ = held_out
    app = visit("map")
    app.session_state["map"] = {"selection": {"box": {}, "pick": [{"id": float(ids[3])}], "zoom": {}}}
    app.run()
    assert app.query_params["at"] == [str(ids[3])] or app.query_params["at"] == str(ids[3])
    assert "True neighbours" in "\n".join(element.value for element in app.markdown)
    assert selected(app) == []


@pytest.mark.parametrize("focus", ["999999999", "no number", "-4"])
def test_a_link_to_a_sample_that_is_gone_shows_the_overview(visit, tiny_run, focus):
    app = visit("map", at=focus)
    assert "True neighbours" not in "\n".join(element.value for element in app.markdown)


@pytest.mark.parametrize(
    "colour", ["class", "hash bucket", "hash bit", "right / wrong", "hardness", "map trust", "style"]
)
def test_every_colour_draws(visit, tiny_run, colour):
    visit("map", colour=colour)


def test_a_snapshot_cut_short_is_said_in_a_sentence(visit, tiny_run):
    (tiny_run.snapshot_path(40) / "xy.npy").write_bytes(b"\x93NUMPY torn")
    app = visit("map")
    assert any("xy.npy" in element.proto.body for element in app.get("html"))


def test_without_a_run_the_page_says_what_to_do(visit, empty_runs):
    app = visit("map")
    assert any("nothing to explore yet" in element.proto.body for element in app.get("html"))
