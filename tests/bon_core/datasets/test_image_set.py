import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.datasets.image_set import TEST, TRAIN, VALIDATION, ImageSet


def small(**changes) -> ImageSet:
    """Five 4 px images of three classes; a in train, b in test, c in validation."""
    values = {
        "name": "small",
        "images": np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4),
        "labels": np.array([0, 1, 0, 2, 1]),
        "class_names": ("a", "b", "c"),
        "split": np.array([TRAIN, TEST, TRAIN, VALIDATION, TEST], np.uint8),
        "ids": np.array([10, 11, 12, 13, 14]),
        "fields": {"drawer": np.array(["x", "ж", "x", "", "ж"])},
    }
    return ImageSet(**values | changes)


def test_part_keeps_ids_labels_and_fields_of_its_images():
    part = small().part("test")
    assert part.ids.tolist() == [11, 14]
    assert part.labels.tolist() == [1, 1]
    assert part.class_names == ("a", "b", "c")
    assert part.fields["drawer"].tolist() == ["ж", "ж"]
    assert (part.images == small().images[[1, 4]]).all()


def test_parts_together_are_all():
    whole = small()
    ids = [i for name in ("train", "test", "validation") for i in whole.part(name).ids]
    assert sorted(ids) == whole.part("all").ids.tolist()


def test_take_follows_the_given_order():
    assert small().take(np.array([3, 0])).ids.tolist() == [13, 10]


def test_size_and_channels():
    assert (small().size, small().channels, len(small())) == (4, 1, 5)
    assert small(images=np.zeros((5, 6, 6, 3), np.uint8)).channels == 3


@pytest.mark.parametrize("colour", [False, True])
def test_save_and_load_give_the_same_set(tmp_path, colour):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3) if colour else (5, 4, 4), dtype=np.uint8)
    before = small(images=images, fields={"drawer": np.array(["x", "ж", "x", "", "ж"]), "kind": np.array(["k"] * 5)})
    before.save(tmp_path / "set.npz")
    after = ImageSet.load(tmp_path / "set.npz")
    assert after.name == before.name and after.class_names == before.class_names
    for key in ("images", "labels", "split", "ids"):
        assert (getattr(after, key) == getattr(before, key)).all()
        assert getattr(after, key).dtype == getattr(before, key).dtype
    assert {k: v.tolist() for k, v in after.fields.items()} == {k: v.tolist() for k, v in before.fields.items()}


def test_the_same_set_gives_the_same_bytes(tmp_path):
    small().save(tmp_path / "one.npz")
    small().save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    file = tmp_path / "set.npz"
    small().save(file)
    before = file.read_bytes()

    def break_off(target, **_):
        target.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", break_off)
    with pytest.raises(OSError, match="disk full"):
        small(name="other").save(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": np.zeros((5, 4, 3), np.uint8)}, r"shape \(5, 4, 3\), but must be uint8"),
        ({"images": np.zeros((5, 4, 4), np.float32)}, "Images are float32"),
        ({"images": np.zeros((5, 4, 4, 4), np.uint8)}, "for colour"),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, "Images are"),
        ({"images": np.zeros((6, 4, 4), np.uint8)}, "6 images but labels has shape"),
        ({"labels": np.array([0.0, 1, 0, 2, 1])}, "labels is of type float64, but must hold whole numbers"),
        ({"labels": np.array([0, 1, 0, 3, 1])}, "Labels run from 0 to 3, but there are 3"),
        ({"labels": np.array([0, 1, 0, -1, 1])}, "Labels run from -1"),
        ({"ids": np.array([1, 1, 2, 3, 4])}, "share an id"),
        ({"split": np.array([0, 1, 0, 3, 1], np.uint8)}, "split code is 3"),
        ({"split": np.array([0, 1, 1, 2, 1], np.uint8)}, "class 'a' .* in both train and test"),
        ({"fields": {"drawer": np.array(["x"])}}, "field drawer has shape"),
        ({"fields": {"drawer": np.arange(5)}}, "field drawer is of type int64, but must hold text"),
    ],
)
def test_invalid_sets_are_refused_in_a_sentence(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        small(**changes)


def test_unknown_and_empty_parts():
    with pytest.raises(InputError, match="no part 'tset'"):
        small().part("tset")
    without = small(split=np.array([0, 1, 0, 0, 1], np.uint8))
    with pytest.raises(InputError, match=r"no validation images; set some training classes aside"):
        without.part("validation")


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_truncated_file(tmp_path, keep):
    file = tmp_path / "set.npz"
    small().save(file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"not a whole .npz"):
        ImageSet.load(file)


def test_flipped_bytes_never_give_another_set(tmp_path):
    """Whatever byte is damaged, loading refuses or gives the set that was saved."""
    file = tmp_path / "set.npz"
    small().save(file)
    good = file.read_bytes()
    refused = 0
    for place in range(0, len(good), 7):
        file.write_bytes(good[:place] + bytes([good[place] ^ 255]) + good[place + 1 :])
        try:
            assert (ImageSet.load(file).images == small().images).all()
        except InputError:
            refused += 1
    assert refused > 10


def test_npz_of_another_kind(tmp_path):
    np.savez(tmp_path / "other.npz", vectors=np.zeros(3))
    with pytest.raises(InputError, match="not an image set"):
        ImageSet.load(tmp_path / "other.npz")
    with pytest.raises(InputError, match="no file"):
        ImageSet.load(tmp_path / "none.npz")
