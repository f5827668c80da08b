"""Two maps of the same samples: one set of ids and colours, two layouts, lines and ring on each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from app.view import View
from app.views.compare import twin_maps
from app.widgets.map import plain_map
from app.widgets.map.colouring import colouring
from app.widgets.map.webgl_map import MapEvent
from bon_core.runs.snapshot import Snapshot


class Sorted(View):
    """A view whose rows are in the order of their ids."""

    @property
    def rows(self) -> np.ndarray:
        found = np.flatnonzero(np.asarray(self.snapshot.split) == 1)
        return found[np.argsort(np.asarray(self.snapshot.ids)[found])]


@pytest.fixture
def views(tiny_run) -> tuple[View, View]:
    before, after = tiny_run.snapshot(20), tiny_run.snapshot(40)
    return Sorted(tiny_run, before, "test", "class"), Sorted(tiny_run, after, "test", "class")


def draw(views, **changed):
    names, colour = ("before", "after"), colouring(views[0])
    given = {"colour": colour, "highlight": views[0].ids[:3], "lines": ([], []), "focus": None, **changed}
    return twin_maps.twin_maps(views, names, key="twin", **given)


@pytest.fixture
def component(monkeypatch) -> SimpleNamespace:
    heard = SimpleNamespace()

    def webgl_map(drawn, look, **options):
        heard.drawn, heard.look, heard.options = drawn, look, options

    monkeypatch.setattr(twin_maps, "webgl_map", webgl_map)
    monkeypatch.setattr(twin_maps, "available", lambda: True)
    return heard


def test_both_views_share_their_samples_and_keep_their_own_places(views, component):
    draw(views)
    one, other = (view.layout for view in component.drawn)
    assert one.samples is other.samples and one.samples.ids.tolist() == views[0].ids.tolist()
    for layout, view in ((one, views[0]), (other, views[1])):
        assert np.array_equal(layout.xy, view.snapshot.xy[view.rows])
    assert [view.title for view in component.drawn] == ["before", "after"]
    assert np.flatnonzero(component.look.marked).tolist() == [0, 1, 2]


def test_lines_are_of_each_view_and_none_leads_out(views, component):
    ids = views[0].ids.tolist()
    draw(
        views, lines=([(ids[4], ids[1], "right")], [(ids[4], ids[9], "wrong"), (ids[4], 10**9, "wrong")]), focus=ids[4]
    )
    assert [list(view.lines) for view in component.drawn] == [[(4, 1, "right")], [(4, 9, "wrong")]]
    assert [view.ring for view in component.drawn] == [4, 4]
    draw(views, focus=-5)
    assert [view.ring for view in component.drawn] == [None, None]


def test_without_webgl_there_are_two_plain_maps_and_either_answers(views, monkeypatch):
    monkeypatch.setattr(twin_maps, "available", lambda: False)
    event = MapEvent("area", np.array([1]))
    for side in (0, 1):
        monkeypatch.setattr(
            plain_map, "plain_map", lambda *_, key, side=side, **__: event if key.endswith(str(side)) else None
        )
        assert draw(views) is event
    monkeypatch.setattr(plain_map, "plain_map", lambda *_, **__: None)
    assert draw(views) is None


def test_a_map_that_was_moved_is_drawn_where_it_is_now(views, component):
    class Moved(Snapshot):
        xy = np.asarray(views[1].snapshot.xy) + 100

    draw((views[0], replace(views[1], snapshot=Moved(views[1].snapshot.path, views[1].snapshot.meta))))
    assert component.drawn[1].layout.xy.min() > 50
