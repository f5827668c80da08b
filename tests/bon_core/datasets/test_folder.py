import io
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bon_core.config import InputError
from bon_core.datasets import folder
from bon_core.datasets.folder import load, prepare
from bon_core.datasets.image_set import TEST, TRAIN, VALIDATION
from bon_core.datasets.picture_files import PictureFiles


def write(root: Path, names: str, colour=(200, 30, 30), mode: str = "RGB") -> Path:
    """Write one flat 12 x 10 picture a name."""
    for name in names.split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 10), colour).convert(mode).save(root / name)
    return root


def zipped(root: Path) -> Path:
    return Path(shutil.make_archive(str(root), "zip", root))


def test_sub_folders_are_classes(tmp_path):
    found = load(write(tmp_path / "pets", "cat/1.png cat/2.png dog/1.png dog/more/2.png owl/1.png"), 8)
    assert found.name == "pets"
    assert found.class_names == ("cat", "dog", "owl")
    assert found.labels.tolist() == [0, 0, 1, 1, 2]
    assert found.fields["file"].tolist()[3] == "dog/more/2.png"
    assert found.images.shape == (5, 8, 8, 3)
    assert (found.images == (200, 30, 30)).all()
    assert {TRAIN, TEST} == set(found.split)


def test_zip_gives_the_same_as_its_folder(tmp_path):
    root = write(tmp_path / "pets", "train/cat/1.png train/cat/2.png test/dog/1.png test/dog/2.png")
    from_folder, from_zip = load(root), load(zipped(root))
    assert from_zip.name == "pets"
    assert (from_folder.images == from_zip.images).all()
    assert (from_folder.labels == from_zip.labels).all()
    assert (from_folder.split == from_zip.split).all()


def test_part_folders_and_a_folder_around_them(tmp_path):
    write(tmp_path / "set" / "inner", "Train/a/1.png Train/a/2.png test/b/1.png val/c/1.png")
    found = load(tmp_path / "set")
    by_class = {found.class_names[label]: int(part) for label, part in zip(found.labels, found.split, strict=True)}
    assert by_class == {"a": TRAIN, "b": TEST, "c": VALIDATION}
    assert found.size == folder.IMAGE_SIZE


def test_validation_stands_in_for_a_test_part(tmp_path):
    found = load(write(tmp_path / "set", "train/a/1.png train/a/2.png val/b/1.png val/b/2.png"), 8)
    assert found.split.tolist() == [TRAIN, TRAIN, TEST, TEST]


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_set_made_for_classification_is_split_by_class(tmp_path, part):
    names = " ".join(f"{top}/{name}/1.png" for top in ("train", part) for name in "abcd")
    found = load(write(tmp_path / "set", names), 8)
    assert {TRAIN, TEST} == set(found.split)
    for label in range(4):
        assert len(set(found.split[found.labels == label])) == 1
    assert sorted(found.fields["part"]) == ["test"] * 4 + ["train"] * 4
    assert "part" not in load(write(tmp_path / "other", "train/a/1.png train/a/2.png test/b/1.png"), 8).fields


def test_classes_may_be_called_train_beside_others(tmp_path):
    found = load(write(tmp_path / "toys", "train/1.png train/2.png car/1.png"))
    assert found.class_names == ("car", "train")


def test_loose_images_belong_to_no_class(tmp_path):
    found = load(write(tmp_path / "set", "cover.png a/1.png a/2.png b/1.png"))
    assert len(found) == 3


def test_grey_only_if_all_are(tmp_path):
    root = write(tmp_path / "set", "a/1.png a/2.png b/1.png", mode="L")
    assert load(root, 8).channels == 1
    write(root, "b/2.png")
    mixed = load(root, 8)
    assert mixed.channels == 3
    assert (mixed.images[0] == mixed.images[0, 0, 0, 0]).all()  # a grey one, three times the same


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("a/1.png a/2.png", "images of 1 class, but 2 or more"),
        ("1.png 2.png", "images of 0 classes"),
        ("a/1.png b/1.png c/1.png", "No class in .* has 2 images"),
        ("train/a/1.png train/a/2.png test/a/3.png test/b/1.png", "class 'a' .*both train and test .* side by side"),
        ("test/a/1.png test/a/2.png val/b/3.png", "parts test and val, but train is needed"),
    ],
)
def test_layouts_that_cannot_be_used(tmp_path, names, sentence):
    with pytest.raises(InputError, match=sentence):
        load(write(tmp_path / "set", names))


def test_unreadable_images_are_named(tmp_path):
    root = write(tmp_path / "set", "a/1.png a/2.png b/1.png b/2.png c/1.jpg")
    (root / "a" / "2.png").write_bytes(b"no picture")
    (root / "b" / "1.png").write_bytes((root / "b" / "2.png").read_bytes()[:50])
    (root / "c" / "1.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"^a/2.png \(and 2 more: b/1.png, c/1.jpg, ...\) cannot be read as an image"):
        load(root)


def test_damaged_zip_entry_is_named(tmp_path):
    path = zipped(write(tmp_path / "set", "a/1.png a/2.png b/1.png"))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("a/2.png")
    start = entry.header_offset + 30 + len(entry.filename)
    content[start + 10 : start + 30] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a/2.png cannot be read"):
        load(path)


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("MAX_IMAGES", 2, "holds 3 images"),
        ("MAX_MEMORY", 3 * 64 * 64 * 3 - 1, "holds 3 images, which at 64 px .* unpack it"),
        ("MAX_FILE", 40, "an image file may have"),
        ("MAX_FILES", 80, "at most .* are read"),
    ],
)
def test_limits(tmp_path, monkeypatch, limit, value, sentence):
    path = zipped(write(tmp_path / "set", "a/1.png a/2.png b/1.png"))
    load(path)
    monkeypatch.setattr(folder, limit, value)
    with pytest.raises(InputError, match=sentence):
        load(path)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_that_memory_does_not_hold_stay_on_disk_and_are_the_same(tmp_path, monkeypatch, mode):
    for number, names in enumerate(("a/1.png a/2.png", "b/1.png b/2.png b/3.png", "c/1.png")):
        write(tmp_path / "set", names, colour=(200, 30 * number, 30), mode=mode)
    held = load(tmp_path / "set", 8)
    monkeypatch.setattr(folder, "MAX_MEMORY", 100)
    found = load(tmp_path / "set", 8)
    assert isinstance(found.images, PictureFiles) and found.images.shape == held.images.shape
    assert (found.channels, len(found), found.split.tolist()) == (held.channels, 6, held.split.tolist())
    assert np.array_equal(found.images[:], held.images) and np.array_equal(found.images[4], held.images[4])
    assert np.array_equal(found.images[np.array([5, 0, 5])], held.images[[5, 0, 5]])
    for part in ("train", "test"):
        assert isinstance(found.part(part).images, PictureFiles)
        assert np.array_equal(found.part(part).images[1:], held.part(part).images[1:])


def test_a_damaged_image_on_disk_is_named_when_its_turn_comes(tmp_path, monkeypatch):
    root = write(tmp_path / "set", "a/1.png a/2.png b/1.png b/2.png")
    (root / "a" / "2.png").write_bytes(b"no picture")
    monkeypatch.setattr(folder, "MAX_MEMORY", 100)
    found = load(root, 8)
    assert found.images[np.array([0, 3])].shape == (2, 8, 8, 3)
    with pytest.raises(InputError, match=r"a/2.png cannot be read as an image: it is none of"):
        found.images[np.array([0, 1])]


def test_a_picture_of_too_many_pixels(tmp_path, monkeypatch):
    root = write(tmp_path / "set", "a/1.png a/2.png b/1.png")
    monkeypatch.setattr(folder, "MAX_PIXELS", 119)
    with pytest.raises(InputError, match="it has 120 pixels, more than 119"):
        load(root)


def test_picture_that_claims_to_be_huge(tmp_path):
    """A few hundred bytes of PNG that would unpack to 10 GB are refused before they do."""
    root = write(tmp_path / "set", "a/1.png a/2.png b/1.png")
    content = bytearray((root / "a" / "1.png").read_bytes())
    content[16:24] = (100_000).to_bytes(4, "big") * 2  # width and height in the header
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (root / "a" / "1.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a/1.png cannot be read as an image: .*pixels"):
        load(root)


def test_prepare_cuts_the_central_square():
    pixels = np.zeros((10, 30), np.uint8)
    pixels[:, 10:20] = 255
    assert (prepare(Image.fromarray(pixels), size=10, grey=True) == 255).all()
    assert (prepare(Image.fromarray(pixels.T.copy()), size=10, grey=True) == 255).all()


def test_prepare_turns_by_exif():
    pixels = np.zeros((8, 8), np.uint8)
    pixels[0] = 255  # a white line on top, stored lying on its side
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise"
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF", exif=exif)
    turned = prepare(Image.open(file), size=8, grey=True)
    assert turned[:, -1].min() > 250 and turned[:, :-1].max() < 5


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", (200, 30, 30)),
        ("RGBA", (200, 30, 30)),
        ("CMYK", (200, 30, 30)),
        ("P", (200, 30, 30)),
        ("YCbCr", (200, 30, 30)),
        ("L", (81, 81, 81)),
        ("LA", (81, 81, 81)),
    ],
)
def test_prepare_reads_every_mode(mode, expected):
    picture = Image.new("RGB", (9, 9), (200, 30, 30))
    picture = picture.quantize(4) if mode == "P" else picture.convert(mode)
    found = prepare(picture, size=5, grey=False)
    assert found.shape == (5, 5, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= 6


def test_prepare_reads_one_bit_pictures():
    stripes = Image.fromarray(np.tile([[True, False]], (4, 2)))
    assert prepare(stripes, size=4, grey=True).tolist() == [[255, 0, 255, 0]] * 4


def test_prepare_puts_transparent_pictures_on_white():
    clear = Image.new("RGBA", (6, 6), (255, 0, 0, 0))
    assert (prepare(clear, size=4, grey=False) == 255).all()
    half = Image.new("LA", (6, 6), (0, 128))
    assert np.abs(prepare(half, size=4, grey=True).astype(int) - 127).max() <= 1
    palette = Image.new("P", (6, 6), 0)
    palette.info["transparency"] = 0
    assert (prepare(palette, size=4, grey=False) == 255).all()


def test_prepare_scales_sixteen_bits_to_eight():
    levels = np.array([[0, 65535], [32896, 257]], np.uint16)  # 0, 255, 128, 1 times 257
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    assert prepare(Image.open(file), size=2, grey=True).tolist() == [[0, 255], [128, 1]]
    assert prepare(Image.fromarray(levels.astype(np.int32)), size=2, grey=True).tolist() == [[0, 255], [128, 1]]


def test_floating_point_pictures_are_refused(tmp_path):
    root = write(tmp_path / "set", "a/1.png a/2.png b/1.png")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(root / "b" / "2.tif")
    with pytest.raises(InputError, match=r"b/2.tif cannot be read .* floating point"):
        load(root)


def test_large_jpeg_read_at_reduced_size_looks_the_same(tmp_path):
    """JPEGs are decoded at a fraction of their size; the result must stay close to the full way."""
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    picture = Image.fromarray(np.stack([np.tile(ramp, (480, 1))] * 3, axis=2))
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "set" / name, quality=95)
    fast = load(tmp_path / "set", 32).images[0].astype(int)
    slow = prepare(picture, size=32, grey=False).astype(int)
    assert np.abs(fast - slow).mean() < 2


def said(found) -> str:
    return found.intake.sentence()


@pytest.mark.parametrize("parts", ["train valid", "Training dev", "TRAIN Eval", "train testing"])
def test_parts_go_by_their_usual_names_in_any_case(tmp_path, parts):
    train, other = parts.split()
    apart = load(write(tmp_path / "apart", f"{train}/a/1.png {train}/a/2.png {other}/b/1.png {other}/b/2.png"), 8)
    of_class = {apart.class_names[label]: part for label, part in zip(apart.labels, apart.split, strict=True)}
    assert of_class == {"a": TRAIN, "b": TEST}
    names = " ".join(f"{part}/{name}/{number}.png" for part in (train, other) for name in "abc" for number in "12")
    pooled = load(write(tmp_path / "pooled", names), 8)
    assert pooled.class_names == ("a", "b", "c") and len(set(pooled.labels[pooled.split == TRAIN])) == 2
    assert f"Parts from the folders {', '.join(sorted((train, other)))}." in said(pooled)
    assert "Half of the classes are kept for testing, as most classes are in several parts." in said(pooled)


def test_validation_beside_a_test_part_is_validation(tmp_path):
    found = load(write(tmp_path / "set", "train/a/1.png train/a/2.png valid/b/1.png eval/c/1.png"), 8)
    assert found.split.tolist() == [TEST, TRAIN, TRAIN, VALIDATION] and found.class_names == ("a", "b", "c")


TWO_LEVELS = "a/airfield/1.png a/airfield/2.png a/alley/1.png b/barn/1.png b/beach/1.png"


def test_the_first_of_two_levels_is_said_and_the_second_can_be_taken(tmp_path):
    root = write(tmp_path / "places", TWO_LEVELS)
    found = load(root, 8)
    assert found.class_names == ("a", "b")
    assert "--class-level 2 takes the second (airfield, alley, barn, beach)." in said(found)
    assert load(root, 8, 2).class_names == ("airfield", "alley", "barn", "beach")
    assert load(zipped(root), 8, 2).class_names == load(root, 8, 2).class_names
    assert "--class-level" not in said(load(root, 8, 1)) + said(load(root, 8, 2))
    with pytest.raises(InputError, match=r"No image of .* lies in 3 folders; give a smaller --class-level"):
        load(root, 8, 3)
    below_parts = write(
        tmp_path / "parts", " ".join(f"train/{name}" for name in TWO_LEVELS.split()) + " test/c/d/1.png"
    )
    assert "d" in load(below_parts, 8, 2).class_names and "test" not in load(below_parts, 8).class_names


def test_one_folder_in_each_class_is_no_second_level(tmp_path):
    found = load(write(tmp_path / "set", "cat/images/1.png cat/images/2.png dog/images/1.png dog/images/2.png"), 8)
    assert found.class_names == ("cat", "dog") and "--class-level" not in said(found)


@pytest.mark.parametrize("tops", ["query gallery", "left right middle"])
def test_folders_with_the_same_sub_folders_are_refused_and_every_remedy_works(tmp_path, tops):
    root = write(
        tmp_path / "set", " ".join(f"{top}/{name}/{top}.png" for top in tops.split() for name in ("01", "02", "03"))
    )
    with pytest.raises(InputError, match=r"sub-folders of the same names \(01, 02, 03\).* name them train and test"):
        load(root, 8)
    assert load(root, 8, 1).class_names == tuple(sorted(tops.split()))
    joined = load(root, 8, 2)
    assert joined.class_names == ("01", "02", "03")
    assert "3 classes of the same name in several folders count as one each" in said(joined)
    (root / tops.split()[0]).rename(root / "train")
    for number, top in enumerate(tops.split()[1:]):
        (root / top).rename(root / ("test", "val")[number])
    assert load(root, 8).class_names == ("01", "02", "03")


def test_parts_beside_something_else_are_refused_and_every_remedy_works(tmp_path):
    root = write(tmp_path / "set", "train/a/1.png train/a/2.png test/b/1.png test/b/2.png docs/1.png")
    with pytest.raises(
        InputError, match="folders test, train, which look like parts, beside docs; move the others away"
    ):
        load(root, 8)
    assert load(root, 8, 1).class_names == ("docs", "test", "train")
    (root / "docs").rename(tmp_path / "docs")
    assert load(root, 8).class_names == ("a", "b")


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif", "apng", "pbm", "pnm"])
def test_every_ending_of_the_safe_decoders_is_read(tmp_path, ending):
    root = write(tmp_path / "set", "a/1.png a/2.png")
    kind = {"jfif": "JPEG", "jpe": "JPEG", "avif": "AVIF", "apng": "PNG"}.get(ending, "PPM")
    (root / "owl").mkdir()
    Image.new("RGB", (12, 10), (200, 30, 30)).save(root / "owl" / f"1.{ending}", kind)
    found = load(root, 8)
    assert found.class_names == ("a", "owl") and np.abs(found.images[2].astype(int) - (200, 30, 30)).max() < 8


def test_what_is_passed_over_is_said(tmp_path):
    root = write(tmp_path / "set", "cover.png a/1.png a/2.png b/1.png")
    for name in ("owl/1.heic", "owl/2.heic", "a/notes.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    sentence = said(load(root, 8))
    assert "Took 3 images of 2 classes, 8 px." in sentence
    assert "Passed over: 1 image outside of class folders, 3 files of other kinds (.heic 2, .txt 1)." in sentence
    assert "No image could be read of 1 folder: owl." in sentence
    assert said(load(zipped(root), 8)) == sentence


def test_class_folders_that_are_links_are_read(tmp_path):
    write(tmp_path / "elsewhere", "cat/1.png cat/2.png dog/1.png")
    (tmp_path / "set").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert load(tmp_path / "set", 8).class_names == ("cat", "dog")


def test_twenty_thousand_names_take_no_more_than_their_letters(tmp_path):
    names = [f"a/{row}.png" for row in range(99)] + ["b/" + "n" * 4000 + ".png"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        picture = write(tmp_path / "one", "1.png") / "1.png"
        for name in names:
            archive.writestr(name, picture.read_bytes())
    files = load(tmp_path / "set.zip", 8).fields["file"]
    assert files.tolist() == sorted(names) and files.nbytes < 10_000
