"""Build data/glyphs.npz and its card data/glyphs.md from open font packages (fontpkg-*, made from Google Fonts).

    python -m data.build_glyphs --work build/fonts

Run it from the root of the repository. Beside the explorer's own requirements it needs fonttools, to see which
characters a font has, and pip, to fetch the packages; Pillow draws. Versions are fixed here, so the same Pillow
and zlib give the same bytes.

Legend: F faces (a family's upright or italic), C characters, N images.
"""

import argparse
import collections
import hashlib
import io
import itertools
import json
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from PIL import __version__ as pillow_version

from bon_core.datasets.image_set import TEST, TRAIN, ImageSet
from bon_core.evaluation import untrained

HERE = Path(__file__).parent
SIZE = 32  # pixels a side
FINE = 4  # glyphs are drawn this much larger and averaged down, which keeps the fonts' hinting out
FEWEST_IMAGES = 15  # a class
SAME = 0.01  # two glyphs look the same if their squared difference is at most this share of the fainter one's ink
SAME_FACES = 0.5  # characters that look the same in this share of the faces that have both (4 or more) are one class
LOOK_ALIKE = 0.3  # classes whose difference (as above, a mean over faces) is below this stay on one side of the split
SEED = 0

# Package, version, kind.
PACKAGES = (
    ("cormorant-garamond", "4.1", "serif"),
    ("eb-garamond", "1.3", "serif"),
    ("literata", "3.103", "serif"),
    ("lora", "3.8", "serif"),
    ("merriweather", "2.100", "serif"),
    ("noto-serif", "2.15", "serif"),
    ("playfair-display", "1.203", "serif"),
    ("source-serif-4", "4.4", "serif"),
    ("arvo", "1.6", "slab"),
    ("bitter", "3.21", "slab"),
    ("roboto-slab", "2.2", "slab"),
    ("exo-2", "2.10", "sans"),
    ("fira-sans", "4.203", "sans"),
    ("inter-tight", "3.4", "sans"),
    ("montserrat", "9.0", "sans"),
    ("open-sans", "3.3", "sans"),
    ("play", "2.101", "sans"),
    ("roboto", "3.15", "sans"),
    ("ibm-plex-mono", "2.3", "mono"),
    ("inconsolata", "3.1", "mono"),
    ("jetbrains-mono", "2.211", "mono"),
    ("source-code-pro", "1.26", "mono"),
    ("comfortaa", "3.105", "display"),
    ("lobster", "2.100", "display"),
    ("oswald", "4.103", "display"),
    ("russo-one", "1.0", "display"),
    ("unbounded", "1.701", "display"),
    ("caveat", "2.0", "hand-written"),
    ("dancing-script", "2.1", "hand-written"),
    ("pacifico", "3.1", "hand-written"),
    ("permanent-marker", "1.1", "hand-written"),
    ("press-start-2p", "3.0", "pixel"),
)
OPEN_LICENCES = ("OFL-1.1", "Apache-2.0")

# Letters with two marks stacked (Vietnamese) are left out: making room for them would shrink everything else.
RANGES = (
    (0x21, 0x7E),  # ASCII
    (0xA1, 0x17F),  # Latin-1, Latin Extended-A
    (0x370, 0x3FF),  # Greek
    (0x400, 0x4FF),  # Cyrillic
    (0x2010, 0x2052),  # punctuation
    (0x2070, 0x209C),  # superscripts and subscripts
    (0x20A0, 0x20C0),  # currency
    (0x2100, 0x2149),  # letter-like
    (0x2150, 0x215E),  # fractions
    (0x2190, 0x2199),  # arrows
    (0x2200, 0x22FF),  # mathematics
    (0x25A0, 0x25CF),  # shapes
)
EXTRA = "ƏəƒƠơƯưǍǎǏǐǑǒǓǔǦǧǪǫǴǵǼǽǾǿȘșȚțȷˆˇ˘˙˚˛˜˝ḌḍḤḥṀṁṢṣṬṭẀẁẂẃẄẅẞẠạẢảẸẹẺẻẼẽỈỉỊịỌọỎỏỤụỦủỲỳỴỵỶỷỸỹ"

# Look-alikes that people name at once, though their pixels differ by more than LOOK_ALIKE.
TIES = ("OQ0o", "Il1|!", "S5$", "B8ß", "Z2z", "G6", "9g")


@dataclass(frozen=True, kw_only=True)
class Face:
    """One drawn face: glyphs maps a character to its (SIZE, SIZE) uint8 image, ink = 255."""

    package: str
    version: str
    licence: str
    copyright: str
    family: str
    kind: str
    style: str
    glyphs: dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the downloaded font packages")
    work = parser.parse_args().work
    fetch(work)
    faces = list(read_faces(work))
    groups = same_everywhere(faces)
    image_set = assemble(faces, groups)
    image_set.save(HERE / "glyphs.npz")
    merged = [group for group in groups if len(group) > 1 and group[0] in image_set.class_names]
    (HERE / "glyphs.md").write_text(card(faces, merged, image_set), encoding="utf-8")
    print(f"{len(image_set)} images of {len(image_set.class_names)} classes in {HERE / 'glyphs.npz'}")


def fetch(work: Path) -> None:
    """Download the wheels that are not in `work` yet."""
    work.mkdir(parents=True, exist_ok=True)
    for package, version, _ in PACKAGES:
        if not list(work.glob(wheel_pattern(package, version))):
            wanted = f"fontpkg-{package}=={version}"
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(work), wanted]
            subprocess.run(pip, check=True)


def wheel_pattern(package: str, version: str) -> str:
    return f"fontpkg_{package.replace('-', '_')}-{version}-*.whl"


def read_faces(work: Path) -> Iterator[Face]:
    """The regular weight of each package, upright and, where there is one, italic."""
    for package, version, kind in PACKAGES:
        (wheel,) = work.glob(wheel_pattern(package, version))
        with zipfile.ZipFile(wheel) as archive:
            folder = f"fontpkg_{package.replace('-', '_')}"
            about = json.loads(archive.read(f"{folder}/metadata.json"))
            if about["license"] not in OPEN_LICENCES:
                raise SystemExit(f"{package} is under {about['license']}, which is not an open font licence.")
            for entry in about["files"]:
                if entry["weight"] in (None, 400):
                    yield Face(
                        package=f"fontpkg-{package}",
                        version=version,
                        licence=about["license"],
                        copyright=about["copyright"],
                        family=about["family"],
                        kind=kind,
                        style="italic" if entry["style"] == "italic" else "upright",
                        glyphs=draw(archive.read(f"{folder}/{entry['path']}")),
                    )


def draw(font_file: bytes) -> dict[str, np.ndarray]:
    """All wanted characters of a font, on one baseline and at one scale, centred from left to right.

    The scale is the largest that lets 99 in 100 glyphs fit by height and 97 by width; a glyph that would be cut
    off is left out.
    """
    tables = TTFont(io.BytesIO(font_file), lazy=True)
    cmap = tables.getBestCmap()
    characters = [c for c in candidates() if cmap.get(ord(c), ".notdef") != ".notdef"]

    large = open_font(font_file, tables, 512)
    boxes = np.array([large.getbbox(c, anchor="ls") for c in characters]) / 512  # (C, 4) left, top, right, bottom
    above, below = np.quantile(-boxes[:, 1], 0.99), np.quantile(boxes[:, 3], 0.99)
    width = np.quantile(boxes[:, 2] - boxes[:, 0], 0.97)
    side = SIZE * FINE
    em = (SIZE - 1) * FINE / max(above + below, width)
    font = open_font(font_file, tables, em)
    baseline = round((side - em * (above + below)) / 2 + em * above)

    glyphs = {}
    for character in characters:
        left, top, right, bottom = font.getbbox(character, anchor="ls")
        if right - left > side or baseline + top < 0 or baseline + bottom > side:
            continue
        picture = Image.new("L", (side, side))
        corner = ((side - left - right) // 2, baseline)
        ImageDraw.Draw(picture).text(corner, character, fill=255, font=font, anchor="ls")
        pixels = np.asarray(picture.reduce(FINE))
        if pixels.max() > 0:  # some fonts map a character to an empty glyph
            glyphs[character] = pixels
    return glyphs


def candidates() -> list[str]:
    """The visible characters of RANGES (no controls, spaces or combining marks), then EXTRA."""
    ranged = [chr(code) for first, last in RANGES for code in range(first, last + 1)]
    return [c for c in ranged if unicodedata.category(c)[0] not in "CZM"] + list(EXTRA)


def open_font(font_file: bytes, tables: TTFont, em: float) -> ImageFont.FreeTypeFont:
    """The font at `em` pixels, a variable one at weight 400 (the default of some is 100)."""
    font = ImageFont.truetype(io.BytesIO(font_file), em, layout_engine=ImageFont.Layout.BASIC)
    if "fvar" in tables:
        axes = tables["fvar"].axes
        font.set_variation_by_axes([400 if axis.axisTag == "wght" else axis.defaultValue for axis in axes])
    return font


def differences(glyphs: np.ndarray) -> np.ndarray:
    """(C, C) squared difference of each two glyphs, as a share of the fainter one's squared ink."""
    flat = glyphs.reshape(len(glyphs), -1).astype(np.float64) / 255
    ink = (flat * flat).sum(axis=1)
    return np.maximum(ink[:, None] + ink - 2 * flat @ flat.T, 0) / np.minimum(ink[:, None], ink)


def same_everywhere(faces: list[Face]) -> list[list[str]]:
    """Characters grouped into classes: together if they look the same in most faces that have both."""
    characters = sorted({c for face in faces for c in face.glyphs})
    number = {c: i for i, c in enumerate(characters)}
    both, same = np.zeros((2, len(characters), len(characters)), dtype=int)
    for face in faces:
        rows = [number[c] for c in face.glyphs]
        both[np.ix_(rows, rows)] += 1
        same[np.ix_(rows, rows)] += differences(np.stack(list(face.glyphs.values()))) <= SAME
    return components(characters, (both >= 4) & (same >= SAME_FACES * both))


def components(names: list[str], linked: np.ndarray) -> list[list[str]]:
    """Union-find: the names that `linked` (C, C) connects, each group and the list of groups in order of first name."""
    parent = list(range(len(names)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i] = parent[parent[i]]
        return i

    for i, j in zip(*np.nonzero(np.triu(linked, 1)), strict=True):
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    groups = collections.defaultdict(list)
    for i, name in enumerate(names):
        groups[root(i)].append(name)
    return list(groups.values())


def assemble(faces: list[Face], groups: list[list[str]]) -> ImageSet:
    """One image a class and face, of the first character of the class that the face has.

    Where two classes still look the same in one face (т and m in an italic), the later one's image is left out
    there: no eye could tell which it is.
    """
    chosen = collections.defaultdict(list)  # class -> (face, character)
    for face in faces:
        drawn = [next((c for c in group if c in face.glyphs), None) for group in groups]
        kept = [(group[0], c) for group, c in zip(groups, drawn, strict=True) if c is not None]
        twin = np.triu(differences(np.stack([face.glyphs[c] for _, c in kept])) <= SAME, 1).any(axis=0)
        for (name, c), repeats in zip(kept, twin, strict=True):
            if not repeats:
                chosen[name].append((face, c))
    class_names = sorted(name for name, pairs in chosen.items() if len(pairs) >= FEWEST_IMAGES)
    rows = [(label, face, c) for label, name in enumerate(class_names) for face, c in chosen[name]]
    labels = np.array([label for label, _, _ in rows])
    tested = np.isin(class_names, sorted(draw_test_classes(faces, class_names)))
    return ImageSet(
        name="glyphs",
        images=np.stack([face.glyphs[c] for _, face, c in rows]),
        labels=labels,
        class_names=tuple(class_names),
        split=np.where(tested[labels], TEST, TRAIN).astype(np.uint8),
        ids=np.arange(len(rows)),
        fields={
            "character": np.array([f"U+{ord(c):04X} {unicodedata.name(c)}" for _, _, c in rows]),
            "typeface": np.array([face.family for _, face, _ in rows]),
            "style": np.array([face.style for _, face, _ in rows]),
            "kind": np.array([face.kind for _, face, _ in rows]),
            "script": np.array([script(class_names[label]) for label, _, _ in rows]),
        },
    )


def draw_test_classes(faces: list[Face], class_names: list[str]) -> set[str]:
    """Half the classes, by whole families of look-alikes and with the family of O in it."""
    number = {name: i for i, name in enumerate(class_names)}
    both, total = np.zeros((2, len(class_names), len(class_names)))
    for face in faces:
        rows = [number[c] for c in face.glyphs if c in number]
        both[np.ix_(rows, rows)] += 1
        total[np.ix_(rows, rows)] += differences(np.stack([face.glyphs[class_names[row]] for row in rows]))
    linked = (both >= 4) & (total < LOOK_ALIKE * both)
    for tie in TIES:
        for c in tie[1:]:
            linked[tuple(sorted((number[tie[0]], number[c])))] = True
    families = components(class_names, linked)

    tested: set[str] = set()
    order = np.random.default_rng(SEED).permutation(len(families))
    for family in sorted((families[i] for i in order), key=lambda family: "O" not in family):
        if len(tested) + len(family) <= len(class_names) / 2:
            tested |= set(family)
    return tested


def script(character: str) -> str:
    """Latin, Greek, Cyrillic, Digit (also raised, lowered and fractions), Punctuation or Symbol."""
    name, category = unicodedata.name(character), unicodedata.category(character)
    if category.startswith("N"):
        return "Digit"
    if category in ("Lu", "Ll", "Lt", "Lo") and name.split()[0] in ("LATIN", "GREEK", "CYRILLIC"):
        return name.split()[0].title()
    return "Punctuation" if category.startswith("P") else "Symbol"


CARD = """\
# glyphs

{classes} characters in {families} type families ({faces} faces): {images:,} grey images of {size} x {size} pixels,
ink = 255. The task is to find the same character in other typefaces, among characters that were never trained on.

Every face has one scale and one baseline, so that case and position keep their meaning: o is smaller than O, a comma
lies low, an apostrophe high. Glyphs are centred from left to right. Not every face has every character; a class has
{fewest} images or more.

{counts}

Fields: `character` (code point and Unicode name of what was drawn), `typeface`, `style`, `kind`, `script`.

Raw pixels, Recall@1 on the test half: {recall:.3f}. That is the nearest other image by Euclidean distance between
images brought to unit length, searched exactly; the explorer shows the same (`untrained` in bon_core/evaluation.py).

## One class or two

Two glyphs of a face look the same if their squared pixel difference is at most {same:.0%} of the fainter one's squared
ink. Characters that look the same in at least {same_faces:.0%} of the faces that have both (4 or more) are one class,
named after the first; links chain (union-find). A face gives one image to a class. These {merged_count} classes unite
characters:

{merged}

Where two other classes look the same in one face (т and m in an italic), the later one's image is left out there.

## Split

By class, and by whole families of look-alikes, so that hard negatives meet within a part: classes whose difference (as
above, mean over the faces that have both) is below {look_alike} are linked, and so are, by hand,
{ties}. The family of O is tested; the others are drawn with seed {seed} until half the classes are.

## Families

All are open fonts, packaged unchanged from Google Fonts. Only pictures of glyphs are kept here, no font.

{sources}

## File

`glyphs.npz`, {bytes:,} bytes, sha256 `{sha256}`

Read it with `bon_core.datasets.load_images(DataConfig(name="glyphs"))`. Rebuild it (in a minute) with

    pip install fonttools
    python -m data.build_glyphs --work build/fonts

Built with Pillow {pillow}; another version may draw a pixel differently.
"""


def card(faces: list[Face], merged: list[list[str]], image_set: ImageSet) -> str:
    """The data card, in Markdown."""
    file = (HERE / "glyphs.npz").read_bytes()
    return CARD.format(
        classes=len(image_set.class_names),
        families=len({face.family for face in faces}),
        faces=len(faces),
        images=len(image_set),
        size=SIZE,
        fewest=FEWEST_IMAGES,
        counts=table(["", "classes", "images", "test classes", "test images"], count_rows(image_set)),
        recall=untrained(image_set.part("test"))["recall@1"],
        same=SAME,
        same_faces=SAME_FACES,
        merged_count=len(merged),
        merged=" · ".join("".join(group) for group in merged),
        look_alike=LOOK_ALIKE,
        ties=" ".join(f"`{tie}`" for tie in TIES),
        seed=SEED,
        sources=table(["family", "kind", "faces", "licence", "package", "copyright"], source_rows(faces)),
        bytes=len(file),
        sha256=hashlib.sha256(file).hexdigest(),
        pillow=pillow_version,
    )


def count_rows(image_set: ImageSet) -> Iterator[list[str]]:
    """Classes and images of each script and of all."""
    scripts, tested = image_set.fields["script"], image_set.split == TEST
    for name in [*sorted(set(scripts)), "all"]:
        here = (scripts == name) | (name == "all")
        counts = [len(np.unique(image_set.labels[here])), here.sum()]
        counts += [len(np.unique(image_set.labels[here & tested])), (here & tested).sum()]
        yield [name, *(f"{count:,}" for count in counts)]


def source_rows(faces: list[Face]) -> Iterator[list[str]]:
    """Where each family comes from."""
    for family, group in itertools.groupby(faces, key=lambda face: face.family):
        its_faces = list(group)
        face, styles = its_faces[0], " and ".join(face.style for face in its_faces)
        yield [family, face.kind, styles, face.licence, f"{face.package} {face.version}", face.copyright]


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()
