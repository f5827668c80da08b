"""Which map: what is drawn once is kept beside the run, and what is damaged or of other vectors is drawn anew."""

import json

import numpy as np
import pytest

from app.view import View
from app.views.map import projection_menu
from app.views.map.projections import Recipe
from app.widgets.map.point_map import layout_of
from app.widgets.map.webgl_map import EVENT, MapEvent
from bon_core.runs.run import Run
from tests.app.records import words
from tests.app.tiny import make_images, make_run

WIDE = Recipe("UMAP", 50, 0.1)


@pytest.fixture
def view(tiny_run) -> View:
    return View(tiny_run, tiny_run.snapshot(), "test", "class")


def boards(app) -> str:
    """All boards as HTML."""
    return "\n".join(json.loads(element.proto.json or "{}").get("html", "") for element in app.get("bidi_component"))


def quiet(done: int, of: int) -> None:
    """No progress is shown."""


def test_only_the_split_gets_another_map_and_another_trust(view):
    drawn = projection_menu._drawn(view, WIDE, quiet)
    rest = np.setdiff1d(np.arange(len(view.snapshot)), view.rows)
    assert np.array_equal(drawn.xy[rest], view.snapshot.xy[rest])
    assert not np.isclose(drawn.xy[view.rows], view.snapshot.xy[view.rows]).all(axis=1).any()
    assert ((drawn.trust >= 0) & (drawn.trust <= 1)).all()
    assert np.array_equal(drawn.ids, view.snapshot.ids)


def test_a_map_is_kept_and_read_again(view):
    assert projection_menu._read(view, WIDE) is None
    drawn = projection_menu._drawn(view, WIDE, quiet)
    read = projection_menu._read(view, WIDE)
    assert np.array_equal(read.xy, drawn.xy) and np.array_equal(read.trust, drawn.trust)
    assert projection_menu._read(view, Recipe("UMAP", 5, 0.1)) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04torn", None], ids=["empty", "torn", "cut"])
def test_a_damaged_file_counts_as_none(view, content):
    projection_menu._drawn(view, WIDE, quiet)
    path, _ = projection_menu._paths(view, WIDE)
    path.write_bytes(path.read_bytes()[:300] if content is None else content)
    assert projection_menu._read(view, WIDE) is None


def test_a_map_of_other_vectors_counts_as_none(view, tiny_run):
    projection_menu._drawn(view, WIDE, quiet)
    file = tiny_run.snapshot_path(40) / "vectors.npy"
    np.save(file, np.load(file)[::-1].copy())
    (file.parent / "meta.json").touch()  # a snapshot is written as a whole
    assert projection_menu._read(View(tiny_run, tiny_run.snapshot(), "test", "class"), WIDE) is None


def test_what_cannot_be_kept_is_drawn_all_the_same(view, monkeypatch):
    def refuse(path):
        raise PermissionError

    monkeypatch.setattr(projection_menu, "whole_file", refuse)
    assert projection_menu._drawn(view, WIDE, quiet).recipe == WIDE


def test_a_bundled_run_is_read_from_and_not_written_to(empty_runs, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    run = make_run(models, make_images(tmp_path), tmp_path / "tiny.npz")
    before = sorted(run.path.rglob("*"))
    view = View(Run(run.path), run.snapshot(), "test", "class")
    drawn = projection_menu._drawn(view, WIDE, quiet)
    assert sorted(run.path.rglob("*")) == before
    written, shipped = projection_menu._paths(view, WIDE)
    shipped.parent.mkdir()
    written.rename(shipped)
    assert np.array_equal(projection_menu._read(view, WIDE).xy, drawn.xy)


def test_each_recipe_has_a_layout_of_its_own(view):
    usual = layout_of(view)
    redrawn = View(view.run, projection_menu._drawn(view, WIDE, quiet), view.split, view.colour)
    assert layout_of(redrawn) is not usual and not np.array_equal(layout_of(redrawn).xy, usual.xy)
    assert layout_of(view) is usual


def test_the_address_names_the_map_and_its_figures_are_those_of_it(visit, tiny_run):
    app = visit("map", neighbours="5", distance="0.5")
    assert app.segmented_control(key="neighbours").value == "5"
    assert "UMAP 5 · 0.5" in boards(app) and (tiny_run.path / "maps").exists()
    app.segmented_control(key="method").set_value("PCA").run()
    assert not app.exception and ">PCA<" in boards(app)
    assert not [control for control in app.segmented_control if control.key == "neighbours"]


def test_trustworthiness_is_measured_on_demand_and_colours_the_map(visit, tiny_run):
    app = visit("map")
    assert "strangers" not in words(app) and ">–<" in boards(app)
    app.toggle(key="measured").set_value(True).run()
    assert ">–<" not in boards(app)
    app.toggle(key="by-trustworthiness").set_value(True).run()
    assert "shows strangers as neighbours" in words(app)


def test_all_maps_at_once(visit, tiny_run):
    app = visit("map")
    app.button(key="draw-all").click().run()
    for name in ("UMAP 5 · 0", "UMAP 50 · 0.5", "PCA"):
        assert f">{name}<" in boards(app)
    assert len(list((tiny_run.path / "maps").iterdir())) == 9


def test_a_box_on_another_map_is_no_rule_for_links(visit, tiny_run):
    box = np.array([[-9.0, -9], [0, -9], [0, 9], [-9, 9]])
    for query, rule in (({}, "box:-9,0,-9,9"), ({"method": "PCA"}, "")):
        app = visit("map", **query)
        app.session_state["map" + EVENT] = MapEvent("area", tiny_run.snapshot().ids[:3], polygon=box)
        app.run()
        assert app.session_state["selection"].now.rule == rule
