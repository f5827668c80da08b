"""Hugging Face data sets, saved to disk as `save_to_disk` does; no network is used."""

import builtins

import datasets
import numpy as np
import pytest
from PIL import Image

from bon_core.config import DataConfig, InputError
from bon_core.datasets import folder, huggingface, load_data, load_images
from bon_core.datasets.image_set import TEST, TRAIN, VALIDATION


def split_of(labels: list, *, image: str = "image", label: str = "label", names=("cat", "dog", "owl", "fox")):
    """One picture a label, its grey 20 times the row plus the label."""
    pictures = [Image.new("RGB", (12, 10), (10 * row + 5,) * 3) for row in range(len(labels))]
    kind = (
        datasets.ClassLabel(names=list(names))
        if names
        else datasets.Value("string" if isinstance(labels[0], str) else "int64")
    )
    features = datasets.Features({image: datasets.Image(), label: kind})
    return datasets.Dataset.from_dict({image: pictures, label: labels}, features=features)


def saved(tmp_path, found) -> str:
    found = datasets.DatasetDict(found) if isinstance(found, dict) else found
    found.save_to_disk(str(tmp_path / "pets"))
    return f"hf:{tmp_path / 'pets'}"


def test_parts_with_classes_of_their_own_are_kept(tmp_path):
    name = saved(tmp_path, {"train": split_of([1, 1, 0]), "validation": split_of([2]), "test": split_of([3, 3])})
    found = load_images(DataConfig(name=name, image_size=8))
    assert found.name == "pets" and found.class_names == ("cat", "dog", "fox", "owl")
    assert [found.class_names[label] for label in found.labels] == ["dog", "dog", "cat", "owl", "fox", "fox"]
    assert found.split.tolist() == [TRAIN, TRAIN, TRAIN, VALIDATION, TEST, TEST]
    assert found.images.shape == (6, 8, 8, 3)
    assert [int(image[4, 4, 0]) for image in found.images] == [5, 15, 25, 5, 5, 15]
    assert found.fields["file"][1] == "train/1" and "part" not in found.fields
    assert load_data(DataConfig(name=name)).class_names == found.class_names


def test_parts_of_a_classification_set_are_pooled_and_whole_classes_kept_for_testing(tmp_path):
    name = saved(tmp_path, {"train": split_of([0, 1, 2, 3]), "test": split_of([0, 1, 2, 3])})
    found = load_images(DataConfig(name=name))
    assert set(found.split) == {TRAIN, TEST}
    for label in range(4):
        assert len(set(found.split[found.labels == label])) == 1
    assert found.fields["part"].tolist() == ["train"] * 4 + ["test"] * 4


def test_a_set_without_splits_is_split_by_class(tmp_path):
    found = load_images(DataConfig(name=saved(tmp_path, split_of([0, 0, 1, 1]))))
    assert set(found.split) == {TRAIN, TEST}


def test_columns_and_splits_are_chosen(tmp_path):
    train = split_of(["a", "a", "b"], image="img", label="kind", names=None)
    train = train.add_column("label", [7, 8, 9]).add_column("weight", [0.5, 0.5, 0.5])
    name = saved(tmp_path, {"train": train, "extra": train})
    found = load_images(DataConfig(name=f"{name},label=kind,image=img,split=train+extra"))
    assert found.class_names == ("a", "b") and len(found) == 6


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("label=colour", r"label column of .* is not clear; its columns are image, label: add ,label=COLUMN"),
        ("image=label", r"column label of .* is ClassLabel, not images"),
        ("split=dev", r"no split \['dev'\]; it has train, test"),
        ("colour=red", r"has the option \['colour'\], but options are split="),
        ("label=", r"has the option \['label'\]"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, options, sentence):
    name = saved(tmp_path, {"train": split_of([0, 0]), "test": split_of([1, 1])})
    with pytest.raises(InputError, match=sentence):
        load_images(DataConfig(name=f"{name},{options}"))


def test_splits_without_labels_are_said(tmp_path):
    name = saved(tmp_path, {"train": split_of([0, 0, 1]), "test": split_of([-1, -1])})
    with pytest.raises(InputError, match=r"column label of .* is -1 in some rows, which is no class; choose splits"):
        load_images(DataConfig(name=name))
    assert len(load_images(DataConfig(name=f"{name},split=train"))) == 3


def test_a_damaged_picture_is_named(tmp_path):
    kind = datasets.Features({"image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}})
    rows = datasets.Dataset.from_dict({"image": [{"bytes": b"no picture", "path": None}] * 3}, features=kind)
    rows = rows.cast_column("image", datasets.Image()).add_column("label", ["a", "a", "b"])
    with pytest.raises(InputError, match=r"^all/0 \(and 2 more.*cannot be read as an image"):
        load_images(DataConfig(name=saved(tmp_path, rows)))


def test_large_sets_stay_on_disk(tmp_path, monkeypatch):
    name = saved(tmp_path, {"train": split_of([0, 0, 1]), "test": split_of([2, 2])})
    whole = load_images(DataConfig(name=name)).images
    monkeypatch.setattr(folder, "MAX_MEMORY", 1000)
    lazy = load_images(DataConfig(name=name)).images
    assert not isinstance(lazy, np.ndarray)
    assert (lazy[np.array([3, 0])] == whole[[3, 0]]).all()


def test_the_hub_is_asked_by_name_and_told_to_run_nothing(tmp_path, monkeypatch):
    asked = []

    def load_dataset(*given, **named):
        asked.append((given, named))
        return datasets.DatasetDict({"train": split_of([0, 0]), "test": split_of([1, 1])})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    found = load_images(DataConfig(name="hf:owner/pets,config=small,revision=abc"))
    assert found.name == "pets" and len(found) == 4
    assert asked == [(("owner/pets", "small"), {"revision": "abc"})]  # no trust_remote_code


@pytest.mark.parametrize("place", ["", "owner/pets"])
def test_a_set_that_cannot_be_had_is_a_sentence(place, monkeypatch):
    def load_dataset(*given, **named):
        raise ConnectionError("Couldn't reach the hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match=r"names no data set; write hf:|owner/pets cannot be read \(Couldn't reach"):
        load_images(DataConfig(name=f"hf:{place}"))


def test_a_folder_that_is_no_saved_set_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read .*; save it with save_to_disk"):
        load_images(DataConfig(name=f"hf:{tmp_path}"))


def test_the_absence_of_the_package_is_a_sentence(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest, **more):
        if name == "datasets":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match="not installed; run: pip install datasets"):
        huggingface.load("hf:owner/pets")
