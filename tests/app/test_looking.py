"""Looking at a run asks no other machine for its data; a button does."""

import dataclasses
import urllib.request

import pytest

from app import pictures
from bon_core.config import DataConfig
from bon_core.datasets import huggingface, omniglot
from bon_core.datasets.here import is_here
from tests.app.records import words
from tests.app.tiny import make_images


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """What other machines are asked for; they answer that they are not there."""
    found: list[str] = []

    def refuse(request, **_):
        found.append(request.full_url)
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(pictures, "_fetched", set())
    return found


@pytest.fixture(params=["omniglot", "hf:somebody/something,label=class"])
def remote(request, tiny_run, asked, monkeypatch, tmp_path):
    """The run `tiny`, whose config names a data set of another machine."""
    config = tiny_run.config
    path = str(tmp_path / "nothing") if request.param == "omniglot" else None
    data = dataclasses.replace(config.data, name=request.param, path=path)
    (tiny_run.path / "config.json").write_text(dataclasses.replace(config, data=data).to_json())

    def load(name: str, size: int | None):
        asked.append(name)
        return make_images(tmp_path)

    monkeypatch.setattr(huggingface, "load", load)
    return tiny_run


@pytest.mark.slow
@pytest.mark.parametrize("page", ["start", "map", "buckets", "negatives", "retrieval", "compare", "learn", "train"])
def test_no_page_asks_for_the_data_of_a_run(visit, remote, asked, page):
    app = visit(page, run="tiny")
    assert asked == [] and "could not be drawn" not in words(app)
    assert f"The pictures of this run ({remote.config.data.name}) are not on this machine" in words(app)


def test_the_button_asks_and_says_how_it_went(visit, remote, asked):
    app = visit("map", run="tiny")
    app.button(key="fetch-pictures").click().run()
    assert len(asked) == 1 and not app.exception
    if remote.config.data.name == "omniglot":
        assert "cannot be downloaded (no network)" in words(app)
        assert pictures.image_set(remote) is None
    else:
        assert pictures.image_set(remote) is not None
        assert "are not on this machine" not in words(app)


def test_no_thumbnail_asks_for_it(remote, asked):
    assert pictures._thumb("tiny", 1, dark=False) is None and asked == []


def test_choosing_a_set_to_train_on_asks_nobody_until_the_button_does(visit, tiny_run, asked, monkeypatch, tmp_path):
    monkeypatch.setattr(omniglot, "ROOT", tmp_path / "nothing")
    app = visit("train")
    app.selectbox(key="train-data-choice").set_value("omniglot").run()
    assert asked == [] and "omniglot is not on this machine" in words(app)
    app.button(key="train-fetch").click().run()
    assert len(asked) == 1


def test_naming_a_set_of_the_hub_asks_nobody_until_the_button_does(visit, remote, asked):
    asked.clear()
    app = visit("start")
    app.text_input(key="upload-path").set_value("hf:somebody/something").run()
    assert "hf:somebody/something is not on this machine" in words(app) and asked == []


def test_what_is_on_this_machine(tmp_path):
    assert is_here(DataConfig(name="glyphs")) and is_here(DataConfig(name=str(tmp_path)))
    assert is_here(DataConfig(name=f"hf:{tmp_path},label=class")) and not is_here(DataConfig(name="hf:a/b"))
    assert not is_here(DataConfig(name="omniglot", path=str(tmp_path)))
    (tmp_path / "omniglot_png.zip").write_bytes(b"")
    assert is_here(DataConfig(name="omniglot", path=str(tmp_path)))
    for name in (r"\\elsewhere\share\set.zip", "//elsewhere/share", "hf://elsewhere/share"):
        assert not is_here(DataConfig(name=name))
