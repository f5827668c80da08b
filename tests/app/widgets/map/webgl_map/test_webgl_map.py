"""What the map sends to the browser, what it makes of the answers, and what its routes refuse."""

import asyncio
import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.requests import Request

from app.widgets.map import webgl_map as module
from app.widgets.map.webgl_map import Layout, Look, MapView, Samples, available, buffers, happened, webgl_map

COUNT = 500


@pytest.fixture
def samples():
    rng = np.random.default_rng(5)
    return Samples(rng.permutation(10**12 + np.arange(COUNT)), rng.integers(0, 4, COUNT), ["a", "b", "c", "ü"])


@pytest.fixture
def layouts(samples):
    rng = np.random.default_rng(6)
    return [Layout(rng.standard_normal((COUNT, 2)).astype(np.float32), samples) for _ in range(2)]


@pytest.fixture
def browser(monkeypatch):
    """Stands in for the browser: `sent` is what it was given last; `tells` lets it answer, as a click does."""
    seen = SimpleNamespace(sent=None, hear=None)

    def component(*, data, on_area_change, **_):
        seen.sent, seen.hear = json.loads(json.dumps(data)), on_area_change

    def tells(**answer):
        monkeypatch.setattr(module.st, "session_state", session := {"m": answer})
        seen.hear()
        return session

    monkeypatch.setattr(module, "_component", component)
    monkeypatch.setattr(module.st, "session_state", {})
    seen.tells = tells
    return seen


def fetched(address: str, kind: str = "") -> np.ndarray | list:
    """What the route answers: an array of `kind`, or JSON."""
    response = asked(buffers._serve, name=address.removeprefix("points/"))
    assert response.status_code == 200 and "immutable" in response.headers["cache-control"]
    return np.frombuffer(response.body, kind) if kind else json.loads(response.body)


def asked(serve, **parts: str):
    return asyncio.run(serve(Request({"type": "http", "path_params": parts})))


def test_arrays_travel_in_one_order_and_come_back_whole(browser, samples, layouts):
    shades = np.arange(COUNT) % 24
    marked = np.random.default_rng(7).random(COUNT) < 0.3
    webgl_map([MapView(layouts[0])], Look(shades, ["#112233"] * 24, marked=marked), key="m")
    sent = browser.sent
    ids = fetched(sent["who"]["ids"], "<i8")
    back = np.argsort(ids)[np.argsort(np.argsort(samples.ids))]  # place of each sample in what travelled
    assert (ids[back] == samples.ids).all() and not (ids == samples.ids).all()
    assert (fetched(sent["who"]["labels"], "<u4")[back] == samples.labels).all()
    assert fetched(sent["who"]["names"]) == ["a", "b", "c", "ü"]
    assert (fetched(sent["shades"], "u1")[back] == shades).all()
    bits = np.unpackbits(np.frombuffer(base64.b64decode(sent["marked"]), "u1"), count=COUNT, bitorder="little")
    assert (bits[back] == marked).all()
    view = sent["views"][0]
    places = fetched(view["xy"], "<u2").reshape(-1, 2)[back]
    xy = np.array(view["low"]) + np.array(view["span"]) * places / 65535
    assert np.abs(xy - layouts[0].xy).max() <= max(view["span"]) / 65535


def test_a_change_of_colour_or_selection_leaves_every_other_address_alone(browser, layouts):
    views = [MapView(layout) for layout in layouts]
    webgl_map(views, Look(np.zeros(COUNT, int), ["#000000"]), key="m")
    before = browser.sent
    webgl_map(views, Look(np.ones(COUNT, int), ["#000000"] * 2, marked=np.ones(COUNT, bool)), key="m")
    assert [view["xy"] for view in browser.sent["views"]] == [view["xy"] for view in before["views"]]
    assert browser.sent["who"] == before["who"]
    assert browser.sent["shades"] != before["shades"] and browser.sent["marked"] != before["marked"]


def test_nothing_marked_sends_nothing(browser, layouts):
    webgl_map([MapView(layouts[0])], Look(np.zeros(COUNT, int), ["#000000"], marked=np.zeros(COUNT, bool)), key="m")
    assert browser.sent["marked"] == ""


def test_an_area_is_answered_with_the_ids_in_it_on_the_view_it_was_drawn_on(browser, samples, layouts):
    webgl_map([MapView(layout) for layout in layouts], Look(np.zeros(COUNT, int), ["#000000"]), key="m")
    square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    for number in range(2):
        browser.tells(area={"of": browser.sent["views"][number]["xy"], "mode": "add", "polygon": square})
        event = happened("m")
        xy = layouts[number].xy
        expected = np.sort(samples.ids[((xy > 0) & (xy < 1)).all(axis=1)])
        assert (event.kind, event.view, event.mode, event.rule) == ("area", number, "add", "box:0,1,0,1")
        assert len(expected) > 20 and event.ids.tolist() == expected.tolist() == np.asarray(event).tolist()
        assert happened("m") is None


def test_whoever_does_not_ask_before_is_told_by_the_map(browser, layouts):
    views, look = [MapView(layouts[0])], Look(np.zeros(COUNT, int), ["#000000"])
    assert webgl_map(views, look, key="m") is None
    triangle = [[0, 0], [2, 0], [0, 2]]
    browser.tells(area={"of": browser.sent["views"][0]["xy"], "mode": "new", "polygon": triangle})
    event = webgl_map(views, look, key="m")
    assert (event.mode, event.rule) == ("new", "") and 0 < len(event) < COUNT


def test_what_is_about_another_map_is_left_aside(browser, samples, layouts):
    views, look = [MapView(layouts[0])], Look(np.zeros(COUNT, int), ["#000000"])
    webgl_map(views, look, key="m")
    browser.tells(area={"of": layouts[1].coordinates.address, "mode": "new", "polygon": [[0, 0], [1, 0], [0, 1]]})
    assert happened("m") is None
    browser.tells(pick="17")
    assert happened("m") is None


def test_a_click_is_answered_with_its_id(browser, samples, layouts):
    webgl_map([MapView(layouts[0])], Look(np.zeros(COUNT, int), ["#000000"]), key="m")
    browser.tells(pick=str(samples.ids[7]))
    event = happened("m")
    assert (event.kind, event.ids.tolist(), len(event), event[0]) == ("pick", [samples.ids[7]], 1, samples.ids[7])


def test_a_browser_without_webgl_is_remembered(browser, layouts):
    webgl_map([MapView(layouts[0])], Look(np.zeros(COUNT, int), ["#000000"]), key="m")
    assert available()
    browser.tells(missing="no WebGL 2")
    assert not available() and happened("m") is None


def test_lines_and_ring_travel_as_places_of_each_view(browser, layouts):
    views = [MapView(layout, lines=[(3, 9, "wrong")], ring=4) for layout in layouts]
    webgl_map(views, Look(np.zeros(COUNT, int), ["#000000"]), key="m")
    for view, layout in zip(browser.sent["views"], layouts, strict=True):
        assert np.allclose(view["lines"][0][:4], [*layout.xy[3], *layout.xy[9]]) and view["lines"][0][4] == "wrong"
        assert np.allclose(view["ring"], layout.xy[4])


@pytest.mark.parametrize("name", ["", "0" * 32, "../main.py", "..%2f..%2fetc%2fpasswd", "/etc/passwd"])
def test_the_route_knows_no_address_but_those_handed_out(name):
    assert asked(buffers._serve, name=name).status_code == 404


def test_what_was_used_least_recently_goes_first_and_comes_back_when_asked_for(monkeypatch):
    monkeypatch.setattr(buffers, "_kept", type(buffers._kept)())
    monkeypatch.setattr(buffers, "MAX_BYTES", 250)
    old, used, new = (buffers.Buffer(bytes([number]) * 100) for number in range(3))
    for buffer in (old, used, old, used, new):
        address = buffer.address
    assert address == new.address
    kept = [asked(buffers._serve, name=buffer.name).status_code for buffer in (old, used, new)]
    assert kept == [404, 200, 200]
    assert fetched(old.address, "u1").tolist() == [0] * 100


def test_the_front_end_is_served_by_version_and_name_alone():
    for name in ("map.js", "scene.js", "map.css"):
        found = asked(module._serve_front, version=module.VERSION, name=name)
        assert found.status_code == 200 and len(found.body) > 500
    assert asked(module._serve_front, version="old", name="map.js").status_code == 404
    assert asked(module._serve_front, version=module.VERSION, name="../__init__.py").status_code == 404


def test_every_module_that_the_front_end_imports_is_served():
    for name, content in module.FILES.items():
        for line in content.decode().splitlines():
            if line.startswith("import ") and name.endswith(".js"):
                assert line.split('"./')[1].split('"')[0] in module.FILES, f"{name}: {line}"
