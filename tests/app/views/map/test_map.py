"""A visit to the map: areas, modes, click, link, and a browser without WebGL."""

import numpy as np
import pytest

from app.widgets.charts import histogram
from app.widgets.map.webgl_map import EVENT, MISSING, MapEvent

WEST = np.array([[-100.0, -100], [0, -100], [0, 100], [-100, 100]])


def do(app, event: MapEvent):
    """The next run of the page, in which the browser tells of an event on the map."""
    app.session_state["map" + EVENT] = event
    return app.run()


def selected(app) -> list[int]:
    return app.session_state["selection"].now.ids.tolist()


def said(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


@pytest.fixture
def held_out(tiny_run):
    snapshot = tiny_run.snapshot()
    rows = np.flatnonzero(np.asarray(snapshot.split) == 1)
    return np.asarray(snapshot.ids)[rows], np.asarray(snapshot.xy)[rows]


def test_an_area_becomes_the_selection_and_a_box_its_rule(visit, tiny_run, held_out):
    ids, xy = held_out
    west = np.sort(ids[xy[:, 0] < 0])
    app = do(visit("map"), MapEvent("area", west, polygon=WEST))
    assert selected(app) == west.tolist()
    assert app.session_state["selection"].now.rule == "box:-100,0,-100,100"
    assert f"{len(west)} / {len(ids)}" in app.get("popover")[0].proto.popover.label
    assert app.query_params["sel"]


def test_areas_add_and_subtract(visit, tiny_run, held_out):
    ids, _ = held_out
    app = visit("map")
    for chosen, mode in ((ids[:5], "new"), (ids[3:9], "add"), (ids[4:7], "subtract")):
        do(app, MapEvent("area", chosen, mode))
    assert selected(app) == sorted([*ids[:4], *ids[7:9]])
    app.button(key="selection-undo").click().run()
    assert selected(app) == sorted(ids[:9])
    app.button(key="selection-clear").click().run()
    assert selected(app) == []


def test_the_legend_counts_what_is_selected(visit, tiny_run, held_out):
    snapshot, (ids, xy) = tiny_run.snapshot(), held_out
    app = do(visit("map", colour="right / wrong"), MapEvent("area", ids[xy[:, 0] < 0]))
    correct = np.asarray(snapshot.correct)[np.asarray(snapshot.split) == 1]
    for name, among in (("right", correct), ("wrong", ~correct)):
        assert f"{name}<b>{(among & (xy[:, 0] < 0)).sum()} / {among.sum()}</b>" in said(app)


def test_a_click_opens_the_sample_and_leaves_the_selection_alone(visit, tiny_run, held_out):
    ids, _ = held_out
    app = do(visit("map"), MapEvent("pick", ids[3:4]))
    assert app.query_params["at"] == [str(ids[3])] or app.query_params["at"] == str(ids[3])
    assert "True neighbours" in "\n".join(element.value for element in app.markdown)
    assert selected(app) == []


def test_without_webgl_a_plain_map_takes_over_and_its_boxes_select(visit, tiny_run, held_out):
    ids, xy = held_out
    app = visit("map")
    assert "no WebGL 2" not in said(app) and "Draw around points" in said(app)
    app.session_state[MISSING] = "no WebGL 2"
    app.run()
    assert said(app).count("no WebGL 2") == 1 and "This browser offers no WebGL 2, so" in said(app)
    assert "Drag a box around points" in said(app) and "Draw around" not in said(app)
    app.segmented_control(key="map-plain-mode").set_value("Add")
    app.session_state["map-plain"] = {"selection": {"box": {"x": [-100, 0], "y": [-100, 100]}, "pick": [], "zoom": {}}}
    app.run()
    assert selected(app) == sorted(ids[xy[:, 0] <= 0].tolist())
    app.session_state["map-plain"] = {"selection": {"box": {}, "pick": [{"id": float(ids[3])}], "zoom": {}}}
    app.run()
    assert "True neighbours" in "\n".join(element.value for element in app.markdown)


@pytest.mark.parametrize("focus", ["999999999", "no number", "-4", "9" * 30])
def test_a_link_to_a_sample_that_is_gone_says_so_and_shows_the_overview(visit, tiny_run, focus):
    app = visit("map", at=focus)
    assert "True neighbours" not in "\n".join(element.value for element in app.markdown)
    assert f"Sample {focus} is not in the test split of tiny" in said(app) and "map trust" in said(app)
    assert "Sample" not in said(app.run())


def test_a_bar_of_the_histogram_selects_its_samples(visit, tiny_run, held_out, monkeypatch):
    hardness = np.asarray(tiny_run.snapshot().hardness)[np.asarray(tiny_run.snapshot().split) == 1].astype(np.float64)
    _, edges = np.histogram(hardness, bins=36)
    app, clicks = visit("map"), [0]
    monkeypatch.setattr(histogram, "board", lambda *_, **__: clicks.pop() if clicks else None)
    app.run()
    assert selected(app) == sorted(held_out[0][hardness <= edges[1]].tolist()) != []


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
