"""What somebody brings is looked at before anything starts on it."""

import io
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from app import uploads
from bon_core.config import InputError


def test_vectors_are_counted(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "my vectors.npz", vectors=rng.standard_normal((30, 8)), labels=np.arange(30) % 5)
    found = uploads.inspect(str(tmp_path / "my vectors.npz"))
    assert (found.kind, found.samples, found.classes, found.width) == ("vectors", 30, 5, 8)
    assert found.stem == "my-vectors"


def test_vectors_that_cannot_be_trained_on_may_be_explored(tmp_path):
    parts = np.array(["train", "test"] * 10)
    np.savez(tmp_path / "shared.npz", vectors=np.eye(20), labels=np.arange(20) // 4, split=parts)
    found = uploads.inspect(str(tmp_path / "shared.npz"))
    assert found.samples == 20 and "must not share classes" in found.why_not
    np.savez(tmp_path / "plain.npz", vectors=np.eye(20), labels=np.arange(20) // 4)
    assert uploads.inspect(str(tmp_path / "plain.npz")).why_not == ""


@pytest.mark.parametrize("kind", ["images", "vectors"])
def test_what_there_is_to_train_on_is_counted(kind, small_file, vectors_file):
    found = uploads.training_part(str(small_file if kind == "images" else vectors_file))
    assert found[:3] == ((kind, 240, 24) if kind == "images" else (kind, 180, 18))
    assert found.intake.startswith("Took 360 ")


def test_a_folder_of_images_is_counted(tmp_path):
    rng = np.random.default_rng(0)
    for label in range(6):
        (tmp_path / "birds" / f"kind {label}").mkdir(parents=True)
        for number in range(4):
            image = Image.fromarray(rng.integers(0, 255, (20, 20, 3)).astype(np.uint8))
            image.save(tmp_path / "birds" / f"kind {label}" / f"{number}.png")
    found = uploads.inspect(str(tmp_path / "birds"))
    assert (found.kind, found.samples, found.classes) == ("images", 24, 6)
    assert found.details == "Half of the classes are kept for testing."
    (tmp_path / "birds" / "list.txt").write_text("x")
    assert "Passed over: 1 file of other kinds (.txt 1)." in uploads.inspect(str(tmp_path / "birds")).details


@pytest.mark.parametrize("name", ["vectors.csv", "vectors.pt", "one.png", "set.tar"])
def test_a_file_of_another_kind_is_answered_with_what_fits_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    remedies = {
        "vectors.csv": r"pandas.read_csv\('vectors.csv'\).to_parquet\('vectors.parquet'\)\.",
        "vectors.pt": r"numpy.savez\('vectors.npz', vectors=tensor.float\(\).cpu\(\).numpy\(\), labels=labels\)",
        "one.png": "name the folder that holds it",
        "set.tar": "unpack it and name the folder",
    }
    with pytest.raises(InputError, match=remedies[name]):
        uploads.inspect(str(tmp_path / name))


def test_a_hugging_face_data_set_is_counted_and_found_from_any_folder(tmp_path, monkeypatch):
    pictures = [Image.new("RGB", (20, 20), (shade,) * 3) for shade in range(24)]
    features = datasets.Features({"image": datasets.Image(), "kind": datasets.ClassLabel(names=list("abcdef"))})
    rows = {"image": pictures, "kind": [row // 4 for row in range(24)]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "my pets"))
    monkeypatch.chdir(tmp_path)
    found = uploads.inspect("hf:my pets,label=kind")
    assert (found.kind, found.samples, found.classes, found.stem) == ("images", 24, 6, "my-pets")
    assert found.source == f"hf:{tmp_path / 'my pets'},label=kind"


@pytest.mark.parametrize("name", ["absent.zip", "torn.npz", "torn.zip", "notes.txt"])
def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path, name):
    if name != "absent.zip":
        (tmp_path / name).write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InputError) as error:
        uploads.inspect(str(tmp_path / name))
    assert str(error.value).endswith(".")


def test_an_upload_is_kept_under_a_harmless_name(empty_runs):
    path = uploads.keep("../../.hidden dir/my file.npz", io.BytesIO(b"content"))
    assert path.parent.parent == empty_runs / uploads.FOLDER
    assert path.name == "my-file.npz" and path.read_bytes() == b"content"


class VisitorLeft(BaseException):
    """As Streamlit's, which are no Exceptions."""


def test_what_cannot_be_used_is_not_kept(empty_runs):
    with pytest.raises(InputError):
        uploads.bring("torn.npz", io.BytesIO(b"PK\x03\x04 not really"))
    assert list((empty_runs / uploads.FOLDER).iterdir()) == []


@pytest.mark.parametrize("again", ["mine.npz", "the same.npz"])
def test_a_look_that_breaks_off_takes_nothing_from_an_earlier_upload(empty_runs, monkeypatch, again):
    content = io.BytesIO()
    np.savez(content, vectors=np.eye(4), labels=np.array([0, 0, 1, 1]))
    first = uploads.bring("mine.npz", io.BytesIO(content.getvalue()))
    kept = Path(first.source)
    written = kept.stat().st_mtime_ns

    def leave(path, class_level):
        raise VisitorLeft

    monkeypatch.setattr(uploads, "inspect", leave)
    with pytest.raises(VisitorLeft):
        uploads.bring(again, io.BytesIO(content.getvalue()))
    assert [path.name for path in kept.parent.iterdir()] == ["mine.npz"]
    assert kept.read_bytes() == content.getvalue() and kept.stat().st_mtime_ns == written


def test_two_uploads_of_one_name_are_two_files(empty_runs):
    first, second = (uploads.keep("data.zip", io.BytesIO(content)) for content in (b"first", b"second"))
    assert (first.name, second.name) == ("data.zip", "data.zip")
    assert (first.read_bytes(), second.read_bytes()) == (b"first", b"second")
    assert uploads.keep("data.zip", io.BytesIO(b"first")) == first
