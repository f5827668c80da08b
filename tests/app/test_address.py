"""The address: what was chosen holds from page to page, and is shown; Back and Forward know better."""

import random

import pytest
from streamlit.testing.v1 import AppTest

from app import browsing
from tests.app.records import add_audit, add_clusterings, words
from tests.app.tiny import make_images, make_run

PAGES = ("map", "buckets", "negatives", "clusters", "retrieval", "compare", "timeline", "learn", "train", "start")
CHOICES = {
    "run": ("other", "tiny"),
    "epoch": ("epoch 2", "epoch 4"),
    "split": ("train", "test"),
    "colour": ("class", "hardness", "map trust"),
    "sel": ("class:6", "cluster:1", "bucket:5"),
}


@pytest.fixture
def two_runs(tiny_run, tmp_path):
    """The runs tiny and other, both whole."""
    other = make_run(tiny_run.path.parent, make_images(tmp_path), tmp_path / "tiny.npz", name="other")
    for run in (tiny_run, other):
        add_audit(run)
        add_clusterings(run)


def seen(app: AppTest) -> dict[str, object]:
    menus = {key: app.selectbox(key=key).value for key in ("run", "epoch", "split", "colour")}
    return {**menus, "selected": app.session_state["selection"].now.ids.tolist()}


def text(app: AppTest, name: str) -> str | None:
    value = app.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def leave(app: AppTest, name: str) -> AppTest:
    """Open another page by the top bar: the browser leaves the old page's parameters behind."""
    app.query_params.clear()
    app.switch_page(f"views/{name}/{name}.py").run()
    assert not app.exception
    return app


@pytest.mark.parametrize("seed", range(4))
def test_what_a_link_chose_holds_on_three_more_pages(visit, two_runs, seed):
    draw = random.Random(seed)
    link = {name: draw.choice(values) for name, values in CHOICES.items() if draw.random() < 0.7 or name == "run"}
    app = visit(draw.choice(PAGES[:-1]), **link)
    before = seen(app)
    assert all(before[name] == link[name] for name in ("run", "epoch", "split") if name in link)
    shown = {name: text(app, name) for name in link}
    assert all(shown[name] == link[name] for name in link if name != "sel")
    for name in draw.sample(PAGES, 3):
        leave(app, name)
        assert seen(app) == before, f"{link} after {name}"
        assert {name: text(app, name) for name in link} == shown


def test_a_choice_by_menu_holds_and_the_default_of_the_moment_is_left_out(visit, two_runs):
    app = visit("map")
    assert not {"run", "epoch", "split", "colour"} & set(app.query_params)
    app.selectbox(key="run").set_value("tiny").run()
    for name in ("buckets", "learn", "map"):
        assert text(leave(app, name), "run") == "tiny" and seen(app)["run"] == "tiny"


def test_the_settings_of_a_page_come_back_with_it(visit, two_runs):
    app = visit("map", run="tiny", colour="hash bit", bit="3", method="PCA")
    assert app.selectbox(key="bit").value == 3 and text(app, "method") == "PCA"
    leave(app, "buckets")
    assert text(app, "bit") is None, "it is no setting of this page"
    leave(app, "map")
    assert app.selectbox(key="bit").value == 3 and text(app, "bit") == "3" and text(app, "method") == "PCA"


@pytest.mark.parametrize(("name", "value"), [("bit", "99"), ("bit", "x"), ("bit", "9" * 5000), ("method", "t-SNE")])
def test_what_a_setting_cannot_be_is_said_and_not_kept(visit, two_runs, name, value):
    app = visit("map", colour="hash bit", **{name: value})
    assert f"The link names the {name} {value[:60]}" in words(app) and text(app, name) is None


def test_back_takes_the_choices_of_the_address(visit, two_runs, monkeypatch):
    app = visit("map", run="other", split="train")
    app.selectbox(key="run").set_value("tiny").run()
    leave(app, "buckets")
    app.query_params.clear()
    app.query_params["run"] = "other"
    monkeypatch.setattr(browsing, "walked", lambda: True)
    app.run()
    monkeypatch.setattr(browsing, "walked", lambda: False)
    assert seen(app)["run"] == "other" and seen(app)["split"] == "test", "the address names no split"
    assert seen(leave(app, "map"))["run"] == "other"
