"""What the film sends to the browser, and what it makes of the answers."""

import base64
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from app.views.timeline import film as module
from app.views.timeline.film import Film, film

MOMENTS, COUNT = 3, 5


@pytest.fixture
def shown() -> Film:
    rng = np.random.default_rng(0)
    return Film(
        name="one",
        steps=np.array([0, 20, 40]),
        steps_per_epoch=10.0,
        ids=np.array([7, 3, 10**12, 4, 5]),
        xy=rng.standard_normal((MOMENTS, COUNT, 2)),
        classes=np.arange(COUNT) % 2,
        names=("a", "ü"),
        colours=np.zeros((1, COUNT), int),
        shades=("#000000",),
        recall=[(0, 0.5)],
        phases=[(0, 40, "split", "split: words", "#123456")],
        thumbs=None,
    )


@pytest.fixture
def browser(monkeypatch) -> SimpleNamespace:
    """Stands in for the browser: `sent` is what it was told, `answer` what it says."""
    stand_in = SimpleNamespace(sent=None, answer=SimpleNamespace(moment=None, picked=None))

    def component(*, data, **_):
        stand_in.sent = data
        return stand_in.answer

    monkeypatch.setattr(module, "_film", component)
    return stand_in


def play(shown: Film):
    return film(shown, key="film", moment=20, selected=np.array([1, 4]), followed=[(np.array([0]), "a")])


def test_all_moments_travel_in_two_bytes_an_axis(browser, shown):
    play(shown)
    sent = browser.sent
    places = np.frombuffer(base64.b64decode(sent["xy"]), "<u2").reshape(MOMENTS, COUNT, 2) / 65535
    low = shown.xy.min(axis=(0, 1))
    assert np.allclose(low + places * sent["extent"], shown.xy, atol=1e-4)
    assert sent["unit"] == 65535
    assert sent["ids"] == shown.ids.tolist() and sent["selected"] == [1, 4] and sent["followed"] == [([0], "a")]


def test_a_few_far_off_leave_the_others_their_room_and_their_precision(browser, shown):
    xy = np.random.default_rng(1).random((MOMENTS, 400, 2))
    xy[:, 0] += 1e5
    numbers = np.arange(400)
    play(replace(shown, xy=xy, ids=numbers, classes=numbers % 2, colours=np.zeros((1, 400), int)))
    places = np.frombuffer(base64.b64decode(browser.sent["xy"]), "<f4").reshape(MOMENTS, 400, 2)
    assert browser.sent["unit"] == 1 and max(browser.sent["extent"]) <= 1
    assert np.allclose(np.ptp(places[:, 1:], axis=(0, 1)), 1, atol=1e-5) and places[:, 0].min() > 1e4


def test_a_film_in_which_nothing_moves_can_be_sent(browser, shown):
    play(replace(shown, xy=np.zeros((MOMENTS, COUNT, 2))))
    assert min(browser.sent["extent"]) > 0


def test_until_somebody_does_something_the_film_rests_where_it_was_put(browser, shown):
    answer = play(shown)
    assert browser.sent["moment"] == 20 and answer.moment is None and answer.picked is None


def test_a_moment_and_a_pick_come_back(browser, shown):
    browser.answer = SimpleNamespace(moment=40, picked={"ids": ["3", str(10**12)], "how": "add"})
    answer = play(shown)
    assert (answer.moment, answer.picked.tolist(), answer.how) == (40, [3, 10**12], "add")
