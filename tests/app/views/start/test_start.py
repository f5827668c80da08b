"""A visit to the first page."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app import jobs
from app.widgets.map.webgl_map import MISSING

MAIN = Path(__file__).resolve().parents[4] / "app" / "main.py"
HEAVY = ("torch", "umap", "faiss", "sklearn", "scipy", "altair", "numba")


def bodies(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def maps(app) -> int:
    return sum(element.proto.component_name == "webgl_map" for element in app.get("bidi_component"))


def test_it_opens_on_the_model_with_its_map_and_figures(visit, tiny_run):
    app = visit("start")
    assert app.selectbox(key="run").value == "tiny"
    assert maps(app) == 1
    assert "80.0 %" in bodies(app) and "30.0 %" in bodies(app)


def test_without_any_run_it_says_what_to_do(visit, empty_runs):
    app = visit("start")
    assert "No model is here yet" in bodies(app)
    assert not maps(app)


def test_looking_at_a_confused_pair_selects_both_classes(visit, tiny_run):
    app = visit("start")
    app.button(key="look-0").click().run()
    chosen = app.session_state["selection"].now.ids
    snapshot = tiny_run.snapshot()
    assert len(np.unique(np.asarray(snapshot.labels)[snapshot.positions(chosen)])) == 2
    assert len(chosen) == 24


def test_a_collapsed_model_confuses_nothing_in_particular(visit, tiny_run):
    path = tiny_run.snapshot_path(40) / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**meta, "collapse": "All samples lie at one place."}), encoding="utf-8")
    app = visit("start")
    assert "All samples lie at one place" in app.warning[0].value
    assert "left to chance" in bodies(app)
    assert not any(button.key.startswith("look-") for button in app.button if button.key)


def test_a_path_to_nothing_is_answered_in_a_sentence(visit, tiny_run):
    app = visit("start")
    app.text_input(key="upload-path").input("/nowhere/at/all.zip").run()
    assert "There is nothing at" in bodies(app)


@pytest.mark.slow
def test_embeddings_are_explored_or_trained_on(visit, tiny_run, vectors_file, monkeypatch):
    commands = []
    monkeypatch.setattr(jobs, "start", lambda name, arguments: commands.append((name, arguments)))
    app = visit("start")
    app.text_input(key="upload-path").input(str(vectors_file)).run()
    assert "360 vectors of 36 classes, 20 dimensions." in [text.value for text in app.markdown]
    app.button(key="train-vectors").click().run()
    assert app.text_input(key="train-path").value == str(vectors_file) and not commands
    app = visit("start")
    app.text_input(key="upload-path").input(str(vectors_file)).run()
    app.button(key="explore-vectors").click().run()
    assert commands == [("small", ["snapshot", "--embeddings", str(vectors_file), "--run", "small"])]


def test_vectors_without_classes_to_test_on_can_only_be_explored(visit, tiny_run, tmp_path):
    file = tmp_path / "one.npz"
    np.savez(file, vectors=np.eye(4), labels=np.zeros(4, int))
    app = visit("start")
    app.text_input(key="upload-path").input(str(file)).run()
    assert "No head can be trained on them." in bodies(app)
    assert [button.key for button in app.button if button.key in ("explore-vectors", "train-vectors")] == [
        "explore-vectors"
    ]


@pytest.mark.slow
def test_the_first_page_loads_nothing_heavy(tiny_run):
    """The whole first visit, in a process of its own."""
    script = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(MAIN)!r}, default_timeout=30).run()\n"
        "assert not app.exception and app.get('bidi_component'), app.exception\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=MAIN.parent.parent)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_it_says_what_was_passed_over_and_lets_choose_the_class_folder(visit, tiny_run, tmp_path):
    for top, name in (("a", "airfield"), ("a", "alley"), ("b", "barn"), ("b", "beach")):
        (tmp_path / "places" / top / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / "places" / top / name / f"{number}.png")
    (tmp_path / "places" / "a" / "list.csv").write_text("x")
    app = visit("start")
    app.text_input(key="upload-path").input(str(tmp_path / "places")).run()
    assert "--class-level 2 takes the second" in bodies(app) and "1 file of other kinds (.csv 1)" in bodies(app)
    app.button_group(key="upload-level").set_value(2).run()
    assert "8 images of 4 classes, 64 px." in [text.value for text in app.markdown]
    next(button for button in app.button if button.label == "Train on them").click().run()
    assert app.session_state["train-level"] == 2


def test_a_chosen_run_that_cannot_be_opened_is_said_and_the_rest_of_the_page_stands(visit, tiny_run):
    shutil.copytree(tiny_run.path, tiny_run.path.parent / "whole")
    for step in tiny_run.snapshots():
        (tiny_run.snapshot_path(step) / "vectors.npy").unlink()
        os.mkfifo(tiny_run.snapshot_path(step) / "vectors.npy")
    app = visit("start", run="tiny")
    shown = "\n".join(element.proto.body for element in app.get("html"))
    assert "vectors.npy is a pipe" in shown and "No model is here" not in shown
    assert app.selectbox(key="run").value == "tiny"
    assert any("Bring your own data" in text.value for text in app.markdown)
    assert {button.key for button in app.button if str(button.key).startswith("open-")} == {"open-whole"}
    app.button(key="open-whole").click().run()
    assert app.selectbox(key="run").value == "whole" and not app.exception


def test_where_the_plain_map_is_shown_the_page_speaks_of_its_boxes(visit, tiny_run):
    app = visit("start")
    assert "Draw around a crowd" in bodies(app)
    app.session_state[MISSING] = "no WebGL 2"
    app.run()
    assert "Drag a box around a crowd" in bodies(app) and "Draw around" not in bodies(app)
