"""What the film sends to the browser, and what it makes of the answers."""

import base64
from types import SimpleNamespace

import numpy as np
import pytest

from app.widgets import film as module
from app.widgets.film import Film, film

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


def told(shown: Film):
    return film(shown, key="film", moment=20, selected=np.array([1, 4]), followed=[(np.array([0]), "a")])


def test_all_moments_travel_in_two_bytes_an_axis(browser, shown):
    told(shown)
    sent = browser.sent
    places = np.frombuffer(base64.b64decode(sent["xy"]), "<u2").reshape(MOMENTS, COUNT, 2) / 65535
    low = shown.xy.min(axis=(0, 1))
    assert np.allclose(low + places * sent["extent"], shown.xy, atol=1e-4)
    assert sent["ids"] == shown.ids.tolist() and sent["selected"] == [1, 4] and sent["followed"] == [([0], "a")]


def test_until_somebody_does_something_the_film_rests_where_it_was_put(browser, shown):
    answer = told(shown)
    assert browser.sent["moment"] == 20 and answer.moment is None and answer.picked is None


def test_a_moment_and_a_pick_come_back(browser, shown):
    browser.answer = SimpleNamespace(moment=40, picked={"ids": ["3", str(10**12)], "how": "add"})
    answer = told(shown)
    assert (answer.moment, answer.picked.tolist(), answer.how) == (40, [3, 10**12], "add")
