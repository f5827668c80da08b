"""What the page's map hands to the component, and to the plain map where there is no WebGL 2."""

from types import SimpleNamespace

import numpy as np
import pytest

from app.view import View
from app.widgets.map import plain_map, point_map
from app.widgets.map.colouring import colouring


@pytest.fixture
def component(monkeypatch) -> SimpleNamespace:
    """What the component was given."""
    heard = SimpleNamespace()

    def webgl_map(views, look, **options):
        heard.views, heard.look, heard.options = views, look, options

    monkeypatch.setattr(point_map, "webgl_map", webgl_map)
    monkeypatch.setattr(point_map, "available", lambda: True)
    return heard


def test_samples_are_those_of_the_split_in_one_order(view, component):
    point_map.point_map(view, key="m")
    layout = component.views[0].layout
    assert layout.samples.ids.tolist() == view.ids.tolist()
    assert np.array_equal(layout.xy, view.snapshot.xy[view.rows])
    assert np.array_equal(component.look.shades, colouring(view).shade_numbers)


def test_what_is_highlighted_dims_the_rest_unless_asked_otherwise(view, component):
    chosen = np.append(view.ids[[3, 8]], 10**9)  # the last is not here
    point_map.point_map(view, key="m", highlight=chosen)
    assert np.flatnonzero(component.look.marked).tolist() == [3, 8] and component.look.dimmed is None
    point_map.point_map(view, key="m", highlight=chosen, dimmed=False)
    assert component.look.dimmed is False
    point_map.point_map(view, key="m", highlight=np.empty(0, np.int64), dimmed=True)
    assert component.look.dimmed is True and not component.look.marked.any()


def test_lines_and_ring_are_rows_of_the_split_and_none_leads_out(view, component):
    ids, elsewhere = view.ids.tolist(), int(view.snapshot.ids[np.setdiff1d(np.arange(96), view.rows)[0]])
    lines = [(ids[2], ids[5], "right"), (ids[2], elsewhere, "wrong"), (10**9, ids[1], "map")]
    point_map.point_map(view, key="m", lines=lines, focus=ids[7])
    assert list(component.views[0].lines) == [(2, 5, "right")] and component.views[0].ring == 7
    point_map.point_map(view, key="m", focus=elsewhere)
    assert component.views[0].ring is None


def test_the_layout_is_made_once(view, component):
    point_map.point_map(view, key="m")
    first = component.views[0].layout
    point_map.point_map(View(view.run, view.snapshot, "test", "hardness"), key="m")
    assert component.views[0].layout is first
    point_map.point_map(View(view.run, view.snapshot, "train", "class"), key="m")
    assert component.views[0].layout is not first


def test_without_webgl_the_plain_map_is_told_the_same(view, monkeypatch):
    heard = {}
    monkeypatch.setattr(point_map, "available", lambda: False)
    monkeypatch.setattr(plain_map, "plain_map", lambda *given, **named: heard.update(named, given=given))
    point_map.point_map(view, key="m", highlight=view.ids[:4], focus=int(view.ids[1]), zoom=False, height=300)
    shown, _, marked = heard["given"]
    assert shown is view and np.flatnonzero(marked).tolist() == [0, 1, 2, 3]
    assert (heard["focus"], heard["zoom"], heard["height"], heard["dimmed"]) == (int(view.ids[1]), False, 300, True)
