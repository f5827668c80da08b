"""The bundled glyphs keep what their card promises."""

import hashlib
import re
import unicodedata

import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.datasets import glyphs
from bon_core.datasets.image_set import ImageSet

CARD = glyphs.FILE.with_suffix(".md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return glyphs.load()


def test_file_is_the_one_of_the_card_and_small_enough():
    content = glyphs.FILE.read_bytes()
    assert f"sha256 `{hashlib.sha256(content).hexdigest()}`" in CARD
    assert f"{len(content):,} bytes" in CARD
    assert len(content) <= 6_000_000


def test_counts(images):
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    assert len(images.class_names) >= 700
    assert counts.min() >= 15
    assert len(np.unique(images.fields["typeface"])) >= 25
    assert {"serif", "sans", "mono", "slab", "hand-written", "display", "pixel"} == set(images.fields["kind"])
    assert set(images.fields["script"]) == {"Latin", "Greek", "Cyrillic", "Digit", "Punctuation", "Symbol"}
    assert f"{len(images.class_names)} characters" in CARD and f"{len(images):,} grey images" in CARD
    assert (images.size, images.channels) == (32, 1)


def test_split_is_class_disjoint_and_about_half(images):
    train, test = set(images.part("train").labels), set(images.part("test").labels)
    assert not train & test
    assert 0.45 < len(test) / len(images.class_names) < 0.55
    total = CARD.split("| all |")[1].splitlines()[0]
    assert [int(cell.replace(",", "")) for cell in total.split("|") if cell.strip()] == [
        len(images.class_names),
        len(images),
        len(test),
        len(images.part("test")),
    ]


def test_look_alikes_meet_in_the_test_part(images):
    tested = {images.class_names[label] for label in images.part("test").labels}
    assert {"O", "Q", "0", "o"} <= tested


def test_a_face_gives_one_image_to_a_class_and_no_two_classes_the_same(images):
    seen = set()
    pictures = set()
    for row in range(len(images)):
        face = (images.fields["typeface"][row], images.fields["style"][row])
        seen.add((face, images.labels[row]))
        pictures.add((face, images.images[row].tobytes()))
    assert len(seen) == len(pictures) == len(images)


def test_characters_that_look_the_same_are_one_class(images):
    assert "A" in images.class_names and "O" in images.class_names
    assert not {"\u0391", "\u0410", "\u039f", "\u041e"} & set(images.class_names)  # Greek and Cyrillic A and O
    groups = {group[0]: group for group in CARD.split("characters:\n\n")[1].splitlines()[0].split(" · ")}
    assert set(groups["A"]) == {"A", "\u0391", "\u0410"}
    for row in range(0, len(images), 97):
        name = images.class_names[images.labels[row]]
        code = int(images.fields["character"][row].split()[0][2:], 16)
        assert chr(code) in groups.get(name, name)
        assert images.fields["character"][row].endswith(unicodedata.name(chr(code)))


def test_case_and_position_keep_their_meaning(images):
    """o is smaller than O, and in each face the comma ends below the apostrophe."""

    def ink(name: str) -> dict[str, np.ndarray]:
        """Rows with ink, by face."""
        rows = np.flatnonzero(images.labels == images.class_names.index(name))
        faces = [f"{images.fields['typeface'][row]} {images.fields['style'][row]}" for row in rows]
        return {face: np.flatnonzero(images.images[row].max(axis=1)) for face, row in zip(faces, rows, strict=True)}

    small, large, low, high = ink("o"), ink("O"), ink(","), ink("'")
    assert np.mean([len(rows) for rows in small.values()]) < 0.8 * np.mean([len(rows) for rows in large.values()])
    both = low.keys() & high.keys()
    assert len(both) > 40
    assert all(low[face].max() > high[face].max() + 3 for face in both)


def test_glyphs_are_drawn_in_greys_and_none_is_empty(images):
    assert (images.images.reshape(len(images), -1).max(axis=1) > 0).all()
    assert len(np.unique(images.images)) > 100


def test_every_licence_is_open():
    licences = re.findall(r"\| (?:upright|upright and italic) \| ([^|]+) \|", CARD)
    assert len(licences) >= 25
    assert set(licences) <= {"OFL-1.1", "Apache-2.0"}


def test_size_and_missing_file(tmp_path):
    assert glyphs.load(image_size=16).size == 16
    with pytest.raises(InputError, match=r"glyphs are not at .*build_glyphs"):
        glyphs.load(str(tmp_path / "none.npz"))
