"""explore(): arrays become a run, the app is one process that ends with ours; what is wrong with an array is said."""

import io
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from PIL import Image

import bon_core
from bon_core import explorer
from bon_core.cli.main import main
from bon_core.config import InputError
from bon_core.datasets.image_set import ImageSet
from bon_core.runs import store
from bon_core.runs.run import IMAGES

ROOT = Path(__file__).resolve().parents[2]


class NoServer:
    """In place of the app, for what needs none."""

    address = "http://localhost:1"


@pytest.fixture
def arrays():
    """60 vectors in 6 clear groups of class, grey images whose grey is their row."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 6
    vectors = 3 * np.eye(6, 8)[labels] + rng.standard_normal((60, 8)) / 4
    return vectors, labels, np.arange(60, dtype=np.uint8)[:, None, None] * np.ones((1, 20, 20), np.uint8)


@pytest.fixture
def opened(runs_folder, monkeypatch):
    """explore() without an app and a browser: returns the run."""
    monkeypatch.setattr(explorer, "_running", NoServer)
    monkeypatch.setattr(explorer.webbrowser, "open", lambda url: pytest.fail("nobody asked for a browser"))

    def explore(*given, **named):
        return store.open_run(bon_core.explore(*given, browser=False, wait=False, **named).run)

    return explore


def test_arrays_become_a_run(opened, arrays):
    vectors, labels, images = arrays
    split = np.where(labels < 3, "train", "test")
    run = opened(vectors, labels, images, name="mine", class_names="abcdef", split=split, fields={"row": range(60)})
    shot = run.snapshot()
    assert run.name == "mine" and run.status().state == "finished"
    assert np.allclose(shot.vectors, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), atol=1e-3)
    assert shot.class_names == list("abcdef") and np.array_equal(shot.labels, labels)
    assert np.array_equal(shot.split == 0, labels < 3)
    assert (np.asarray(shot.split)[shot.neighbours] == shot.split[:, None]).all()
    assert shot.metrics["test"]["recall@1"] == 1
    codes, names = shot.fields["row"]
    assert [names[code] for code in codes] == [str(row) for row in range(60)]
    pictures = ImageSet.load(run.path / IMAGES)
    assert np.array_equal(pictures.ids, shot.ids) and np.array_equal(pictures.images, images)


def test_the_app_finds_the_pictures(opened, arrays):
    from app import pictures

    run = opened(*arrays)
    assert (pictures.image_set(run).images == arrays[2]).all()
    assert np.asarray(Image.open(io.BytesIO(pictures._thumb(run.name, 41, False))))[36, 36] == 41


def test_tensors_series_and_text_labels_do_as_well(opened, arrays):
    vectors, labels, _ = arrays
    words = pd.Series(["one", "two", "six", "ten", "red", "sea"])[labels]
    run = opened(torch.tensor(vectors, requires_grad=True), words)
    assert run.snapshot().class_names == ["one", "red", "sea", "six", "ten", "two"]
    assert run.snapshot().metrics["test"]["recall@1"] == 1


def test_the_same_arrays_open_the_same_run(opened, arrays, monkeypatch):
    vectors, labels, images = arrays
    first = opened(vectors, labels, images)
    made = (first.path / "config.json").stat().st_mtime_ns
    assert re.fullmatch(r"arrays-[0-9a-f]{8}", first.name)
    assert opened(vectors.copy(), labels.tolist(), images).path == first.path
    assert (first.path / "config.json").stat().st_mtime_ns == made
    changed = labels.copy()
    changed[7] = 0
    others = [
        opened(vectors, changed, images),
        opened(vectors, labels),
        opened(vectors, labels, images, split=[1] * 60),
    ]
    assert others[2].path == first.path  # all are of the test part anyway
    assert len({first.name, *(run.name for run in others)}) == 3


def test_a_name_is_kept_for_its_arrays(opened, arrays):
    vectors, labels, _ = arrays
    assert opened(vectors, labels, name="mine").path == opened(vectors, labels, name="mine").path
    with pytest.raises(InputError, match="already a run named mine, of other data; choose another name"):
        opened(vectors[::-1], labels, name="mine")
    with pytest.raises(InputError, match=r"run name '\.\./mine' is not possible"):
        opened(vectors, labels, name="../mine")


def test_images_are_cut_square_and_shrunk(opened, arrays, tmp_path):
    vectors, labels, _ = arrays
    wide = np.zeros((60, 100, 300, 3), np.uint8)
    wide[:, :, 100:200] = 255
    cut = load(opened(vectors, labels, wide))
    assert cut.size == explorer.LARGEST_PICTURE and cut.images.min() > 250
    assert load(opened(vectors, labels, wide[:, :8, :8, :1])).images.shape == (60, 8, 8)
    files = [tmp_path / f"{row}.png" for row in range(60)]
    for row, file in enumerate(files):
        Image.new("RGB", (30, 20), (row, 0, 0)).save(file)
    assert (load(opened(vectors, labels, files)).images[:, 40, 40, 0] == np.arange(60)).all()


def test_bfloat16_tensors_are_read(opened, arrays):
    vectors, labels, _ = arrays
    given = torch.tensor(vectors, dtype=torch.bfloat16, requires_grad=True)
    shot = opened(given, torch.tensor(labels)).snapshot()
    assert np.allclose(shot.vectors, torch.nn.functional.normalize(given.float()).detach(), atol=2e-3)
    eighth = torch.tensor(vectors).to(torch.float8_e4m3fn)
    assert len(opened(eighth, labels).snapshot()) == 60


def test_transparent_images_are_laid_on_white(opened, arrays, capsys):
    vectors, labels, images = arrays
    clear = np.repeat(images[..., None], 4, axis=3)
    clear[..., 3] = np.where(np.arange(60) < 30, 0, 255)[:, None, None]
    shown = load(opened(vectors, labels, clear)).images
    assert (shown[:30] == 255).all() and (shown[30:, 5, 5, 0] == np.arange(30, 60)).all()
    assert "Transparent images are laid on white." in capsys.readouterr().err


def test_pictures_of_pil_of_any_sizes_and_modes(opened, arrays, tmp_path, capsys):
    vectors, labels, images = arrays
    whole = [Image.fromarray(image) for image in images]
    assert np.array_equal(load(opened(vectors, labels, whole)).images, images)
    mixed = [image.resize((10 + row, 40)).convert("P" if row % 2 else "RGBA") for row, image in enumerate(whole)]
    mixed[0].save(tmp_path / "0.png")
    mixed[:3] = [tmp_path / "0.png", images[1], np.zeros((9, 7, 3), np.uint8) + 2]
    capsys.readouterr()
    shown = load(opened(vectors, labels, mixed)).images
    assert shown.shape == (60, 96, 96, 3) and (shown[:, 48, 48, 1] == np.arange(60)).all()
    assert "Images are shown as their central squares at 96 px." in capsys.readouterr().err


def test_what_was_taken_is_said_in_one_line(opened, arrays, capsys):
    vectors, labels, _ = arrays
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    opened(unit, labels, name="unit", fields={"bright": range(60)})
    said = "Took 60 vectors of 6 classes, 8 dimensions. Fields to colour by: bright."
    assert [line for line in capsys.readouterr().err.splitlines() if "Took" in line] == [said]
    run = opened(unit * np.linspace(0.3, 9, 60)[:, None], labels, name="long")
    note = "The vectors have different lengths (0.3 to 9); distances here are between their directions."
    assert note in capsys.readouterr().err and note in run.snapshot().meta["intake"]


def test_a_field_of_numbers_stays_one(opened, arrays):
    vectors, labels, _ = arrays
    fields = {"bright": np.arange(60) / 8, "trust": ["high"] * 60, "few": labels}
    shot = opened(vectors, labels, fields=fields).snapshot()
    assert sorted(shot.numbers) == ["bright", "few"] and np.array_equal(shot.numbers["bright"], np.arange(60) / 8)
    assert set(shot.fields) == {"bright", "given trust", "few"}  # trust is what the map says of each point


def load(run) -> ImageSet:
    return ImageSet.load(run.path / IMAGES)


BAD = {
    "one dimension": (
        lambda v, y, i: (v[0], y),
        r"Embeddings are float64 of shape \(8,\), but must be real numbers, \(samples",
    ),
    "text": (lambda v, y, i: (v.astype(str), y), r"Embeddings are <U\d+ of shape"),
    "complex": (lambda v, y, i: (v + 1j, y), "Embeddings are complex128 .* must be real numbers"),
    "bytes": (lambda v, y, i: (v.astype("S8"), y), "must be real numbers"),
    "dates": (lambda v, y, i: (v.astype("M8[s]"), y), "must be real numbers"),
    "booleans": (lambda v, y, i: (v > 0, y), "must be real numbers"),
    "structured": (lambda v, y, i: (np.zeros((60, 8), [("a", "f4")]), y), "must be real numbers"),
    "void": (lambda v, y, i: (v.view("V8"), y), "must be real numbers"),
    "no dimension": (lambda v, y, i: (np.array(3.0), y), r"of shape \(\), but must be real numbers"),
    "no dimension of images": (lambda v, y, i: (v, y, np.uint8(3)), "60 embeddings but 1 images"),
    "lists of text": (lambda v, y, i: (v.astype(str).tolist(), y), "must be real numbers"),
    "two channels": (lambda v, y, i: (v, y, np.zeros((60, 5, 5, 2), np.uint8)), "4 with transparency; reshape them"),
    "a mixed list of fractions": (
        lambda v, y, i: (v, y, [*i[:59], i[0, :5] / 2]),
        "image 59 cannot be shown .* float64",
    ),
    "ragged": (lambda v, y, i: ([[1, 2], [3]], y), "embeddings cannot be read as an array"),
    "zeros": (lambda v, y, i: (0 * v, y), r"Embedding 0 \(and 59 more\) holds NaN, infinity or only zeros"),
    "labels too few": (lambda v, y, i: (v, y[:5]), r"60 embeddings, but the labels are int64 of shape \(5,\)"),
    "no labels": (lambda v, y, i: (v, None), r"60 embeddings, but the labels are object of shape \(\)"),
    "fractions": (lambda v, y, i: (v, y / 2), "labels are float64, but must be whole numbers or text"),
    "negative": (lambda v, y, i: (v, y - 1), "labels count from 0"),
    "images too few": (lambda v, y, i: (v, y, i[:5]), "60 embeddings but 5 images; give one image for each"),
    "images of fractions": (lambda v, y, i: (v, y, i / 255), "images are float64, but must be uint8"),
    "channels first": (lambda v, y, i: (v, y, i[:, None].repeat(3, 1)), r"\(60, 3, 20, 20\), but must be .* move the"),
    "no such file": (lambda v, y, i: (v, y, ["nowhere.png"] * 60), "no image nowhere.png; check the path"),
    "no picture": (lambda v, y, i: (v, y, [__file__] * 60), r"test_explorer.py cannot be read as an image"),
}


@pytest.mark.parametrize(("spoil", "sentence"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_and_leaves_no_run(opened, arrays, runs_folder, spoil, sentence):
    with pytest.raises(InputError, match=sentence) as said:
        opened(*spoil(*arrays))
    assert str(said.value).endswith(".") and "\n" not in str(said.value)
    assert not list(runs_folder.glob("*"))


def test_a_strange_split_or_field_is_said(opened, arrays):
    vectors, labels, _ = arrays
    with pytest.raises(InputError, match="split has the value 3, but must be 0, 1, 2 or train"):
        opened(vectors, labels, split=labels)
    with pytest.raises(InputError, match=r"but the field colour are <U3 of shape \(1,\)"):
        opened(vectors, labels, fields={"colour": ["red"]})


def test_asking_for_the_library_loads_nothing():
    code = "import sys, bon_core; print('numpy' in sys.modules); bon_core.explore; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.split() == ["False", "False"]
    with pytest.raises(AttributeError, match="no attribute 'explode'"):
        _ = bon_core.explode


def test_a_browser_opens_when_asked_and_a_script_waits(runs_folder, arrays, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(explorer, "_running", NoServer)
    monkeypatch.setattr(explorer.webbrowser, "open", seen.append)
    monkeypatch.setattr(explorer.Explorer, "wait", lambda self: seen.append("waits"))
    opened = bon_core.explore(*arrays[:2], name="mine", browser=True)
    assert seen == ["http://localhost:1/map?run=mine", "waits"]
    assert opened.url in capsys.readouterr().err
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    monkeypatch.setattr(explorer, "_has_display", lambda: True)
    bon_core.explore(*arrays[:2], name="mine")
    assert seen[2:] == ["http://localhost:1/map?run=mine"]  # at a prompt: a browser, and no waiting


def test_a_notebook_shows_a_link_and_the_app(runs_folder, arrays, monkeypatch):
    monkeypatch.setattr(explorer, "_running", NoServer)
    shown = bon_core.explore(*arrays[:2], name="mine", browser=False, wait=False)._repr_html_()
    assert shown.count("http://localhost:1/map?run=mine") == 2 and "<iframe" in shown and "<a href" in shown


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def test_one_app_serves_all_and_ends_when_told(runs_folder, arrays):
    vectors, labels, _ = arrays
    first = bon_core.explore(vectors, labels, browser=False, wait=False)
    second = bon_core.explore(vectors[::-1], labels, browser=False, wait=False)
    try:
        assert answers(first.url) and first.run != second.run
        assert first.url.split("/map")[0] == second.url.split("/map")[0]
        assert str(first) == f"Explorer of run {first.run}: {first.url}"
    finally:
        second.stop()
    assert not answers(first.url)


@pytest.mark.slow
def test_the_app_ends_with_the_process_that_opened_it(opened, arrays, tmp_path):
    opened(*arrays[:2])  # so that the script finds the run made, and need not
    np.savez(tmp_path / "arrays.npz", vectors=arrays[0], labels=arrays[1])
    code = f"""
import sys, time, numpy, bon_core
arrays = numpy.load({str(tmp_path / "arrays.npz")!r})
opened = bon_core.explore(arrays["vectors"], arrays["labels"], browser=False, wait=False)
print(opened._server.process.pid, opened.url, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as script:
        process, url = script.stdout.readline().split()
        assert answers(url)
        script.kill()
    psutil.wait_procs([psutil.Process(int(process))] if psutil.pid_exists(int(process)) else [], timeout=20)
    assert not answers(url)


def test_an_app_that_does_not_start_says_why(runs_folder, arrays, monkeypatch):
    command = [sys.executable, "-c", "print('starting'); raise SystemExit('no such port')"]
    monkeypatch.setattr(explorer, "_command", lambda *given, **named: command)
    monkeypatch.setattr(explorer, "_server", None)
    with pytest.raises(InputError, match=r"did not start \(no such port\)"):
        bon_core.explore(*arrays[:2], browser=False, wait=False)


def test_bon_app_says_that_a_port_is_taken(capsys):
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert main(["app", "--port", str(port), "--no-browser"]) == 2
    assert f"Port {port} is taken" in capsys.readouterr().err
