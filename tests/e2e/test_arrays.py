"""`bon_core.explore` from a script or a notebook: its address shows the map of the arrays, with their pictures."""

import numpy as np
import pytest

import bon_core

pytestmark = pytest.mark.e2e

DRAWN = ".map[data-drawn]"  # set once all points are on the screen


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Sixty arrays of six classes, each image a grey of its own, opened as from a notebook."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 6
    vectors = 3 * np.eye(6, 8)[labels] + rng.standard_normal((60, 8)) / 4
    images = (4 * np.arange(60, dtype=np.uint8))[:, None, None, None] * np.ones((1, 40, 40, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BON_RUNS", str(tmp_path_factory.mktemp("runs")))
        patched.setattr("bon_core.explorer._in_notebook", lambda: True)  # which may frame the app; others may not
        found = bon_core.explore(vectors, labels, images, name="mine", browser=False, wait=False)
        yield found
        found.stop()


def test_the_address_shows_the_map_of_the_arrays(page, opened):
    page.goto(opened.url)
    page.locator(DRAWN).wait_for()
    page.locator(".st-key-selection-chip").get_by_text("0 / 60").first.wait_for()


def test_a_point_has_its_own_picture(page, opened):
    answer = page.request.get(opened.url.replace("map?run=mine", "thumb/mine/light/41.png"))
    assert answer.status == 200 and answer.body().startswith(b"\x89PNG")
    page.goto(f"{opened.url}&at=41")
    page.locator(DRAWN).wait_for()
    assert page.locator("img[src*='base64']").count() or page.locator("[style*='base64']").count()


def test_a_notebook_shows_it_in_a_frame(page, opened):
    page.set_content(opened._repr_html_())
    page.frame_locator("iframe").locator(DRAWN).wait_for()
