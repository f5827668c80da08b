"""Image folders, zips of images, and .npz of an image set."""

import io
import os
import pickle
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.robustness.hostile import Case, Evil, Maker, cut, damaged, encrypted, method, objects, written, zeros
from tests.robustness.hostile.vectors import WHOLE_NPZ, claimed


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(size: tuple[int, int] = (12, 10), colour: Any = (200, 30, 30), mode: str = "RGB") -> bytes:
    return encoded(Image.new(mode, size, colour))


def claims(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG whose header claims that size, with hardly any pixels behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


RED = png()

GOOD = {"a/1.png": RED, "a/2.png": RED, "b/1.png": RED, "b/2.png": RED}


def zipped(files: dict[str, bytes] | None = None, **more: Any) -> Maker:
    """A zip of these files, in this order."""
    whole = GOOD if files is None else files

    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "set.zip", "w", more.get("packing", zipfile.ZIP_STORED)) as archive:
            for name, content in whole.items():
                entry = zipfile.ZipInfo(name)
                entry.compress_type = more.get("packing", zipfile.ZIP_STORED)
                archive.writestr(entry, content)
        return folder / "set.zip"

    return make


def with_file(name: str, content: bytes) -> Maker:
    """A good zip with one file more."""
    return zipped({**GOOD, name: content})


def foldered(files: dict[str, bytes] | None = None) -> Maker:
    def make(folder: Path) -> Path:
        for name, content in (GOOD if files is None else files).items():
            path = folder / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (folder / "set").mkdir(exist_ok=True)
        return folder / "set"

    return make


def twice(folder: Path) -> Path:
    """A zip that has a name twice; Python warns whoever makes one."""
    path = zipped()(folder)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"a/2.png", b"a/1.png"))
    return path


def linked_zip(target: str) -> Maker:
    """A zip whose second class is nothing but links."""

    def make(folder: Path) -> Path:
        path = zipped({"a/1.png": RED, "a/2.png": RED})(folder)
        with zipfile.ZipFile(path, "a") as archive:
            for number in range(2):
                link = zipfile.ZipInfo(f"b/{number}.png")
                link.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(link, target)
        return path

    return make


def linked_folder(folder: Path) -> Path:
    """A folder whose second class is links to what is no picture."""
    path = foldered({"a/1.png": RED, "a/2.png": RED})(folder)
    (folder / "secret").write_bytes(b"a secret")
    (path / "b").mkdir()
    for number in range(2):
        (path / "b" / f"{number}.png").symlink_to(folder / "secret")
    return path


def circles(folder: Path) -> Path:
    """A folder whose second class is a link to the folder itself, and the third one to the root of all."""
    path = foldered({"a/1.png": RED, "a/2.png": RED})(folder)
    (path / "b").symlink_to(path)
    (path / "c").symlink_to("/")
    return path


def not_utf8(folder: Path) -> Path:
    path = foldered()(folder)
    os.rename(path / "b", os.fsencode(path) + b"/b\xff\xfe")
    return path


def zip_not_utf8(folder: Path) -> Path:
    """A zip that promises names in UTF-8 and breaks the promise."""
    path = zipped({**GOOD, "ä/1.png": RED})(folder)
    path.write_bytes(path.read_bytes().replace("ä/1.png".encode(), b"\xff\xfe/1.png"))
    return path


def bomb(folder: Path) -> Path:
    """A picture of 600 MB in 600 kB."""
    return zipped({**GOOD, "b/3.bmp": bytes(600 << 20)}, packing=zipfile.ZIP_DEFLATED)(folder)


def nested_bomb(folder: Path) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(1 << 20))
    return zipped({f"{number}.zip": inner.getvalue() for number in range(10)})(folder)


def postscript(folder: Path) -> Path:
    """PostScript under the name of a picture: reading it would start Ghostscript on a stranger's program."""
    program = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(executed) (w) file closefile\nshowpage\n"
    )
    return with_file("b/3.png", program)(folder)


CUT_JPEG = encoded(Image.effect_noise((64, 64), 90), "JPEG")[:600]

ENTRY = r"b/3\.\w+ cannot be read as an image"

IMAGES: list[Case] = [
    ("no such thing", lambda folder: folder / "none.zip", "no data set"),
    ("a file that is no zip", written("set.tar", b"x"), "neither a folder nor a .zip"),
    ("0 bytes", written("set.zip", b""), "not a whole zip"),
    ("a zip's mark alone", written("set.zip", b"PK\x03\x04"), "not a whole zip"),
    ("a tar named zip", written("set.zip", bytes(1024)), "not a whole zip"),
    ("no entries", written("set.zip", b"PK\x05\x06" + bytes(18)), "0 classes"),
    ("no images", zipped({"a/notes.txt": b"x", "b/notes.txt": b"y"}), "0 classes"),
    ("an empty folder", foldered({}), "0 classes"),
    ("one class", zipped({"a/1.png": RED, "a/2.png": RED}), "images of 1 class"),
    ("one image", zipped({"a/1.png": RED}), "images of 1 class"),
    ("singletons", zipped({f"{name}/1.png": RED for name in "abcdef"}), "No class in .* has 2 images"),
    ("loose images", zipped({"1.png": RED, "2.png": RED}), r"0 classes \(passed over: 2 images outside"),
    ("hidden images", zipped({".a/1.png": RED, ".a/2.png": RED, "__MACOSX/b/1.png": RED}), "0 classes"),
    (
        "a class in two parts",
        zipped({"train/a/1.png": RED, "train/a/2.png": RED, "test/a/3.png": RED, "test/b/1.png": RED}),
        "both train and test",
    ),
    *(
        (f"out of itself by {name}", zipped({**GOOD, name: RED}), "outside itself")
        for name in (
            "../b/3.png",
            "b/../../3.png",
            "/etc/3.png",
            "//server/share/3.png",
            "C:/3.png",
            "c:3.png",
            "b\\..\\..\\3.png",
            "..\\3.png",
            "\\\\server\\share\\3.png",
            "b/..",
            "..",
        )
    ),
    (
        "a name of nothing",
        damaged(zipped(), lambda content: content.replace(b"b/2.png", b"\0/2.png")),
        "outside itself",
    ),
    ("links in a zip", linked_zip("/etc/passwd"), "images of 1 class"),
    ("links up in a zip", linked_zip("../../../secret.png"), "images of 1 class"),
    ("links in a folder", linked_folder, r"b/0.png \(and 1 more: .*cannot be read as an image"),
    ("links in circles", circles, r"1 class \(passed over: 2 links back to a folder"),
    ("names of 60,000 characters", zipped({**GOOD, f"a/{'n' * 60_000}.png": RED}), "60,006 characters"),
    (
        "parts beside something else",
        zipped({f"{top}/{name}/1.png": RED for top in ("train", "test", "docs") for name in "ab"}),
        "train, which look like parts, beside docs; move",
    ),
    (
        "parts of other names",
        zipped({f"{top}/{name}/1.png": RED for top in ("query", "gallery") for name in "ab"}),
        r"gallery, query of .* sub-folders of the same names \(a, b\).* --class-level",
    ),
    ("names that are no text", not_utf8, "no valid Unicode"),
    ("names that are not what the zip says", zip_not_utf8, "not a whole zip"),
    ("two files of a name", twice, "two files named 'a/1.png'"),
    ("encrypted", damaged(zipped(), encrypted), "encrypted"),
    ("compressed in an unknown way", damaged(zipped(), method(99)), "cannot be read as an image"),
    ("a bomb", bomb, "unpacks to 600 MiB"),
    ("a bomb in zips", nested_bomb, "0 classes"),
    ("claims 4 GB", damaged(zipped(), lambda content: claimed(content, 2**32 - 2)), "unpacks to|not a whole"),
    ("a picture of 0 bytes", with_file("b/3.png", b""), ENTRY),
    ("a text as a picture", with_file("b/3.png", b"hello"), ENTRY),
    ("a page as a picture", with_file("b/3.jpg", b"<html><script>alert(1)</script></html>"), ENTRY),
    ("a drawing as a picture", with_file("b/3.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>'), ENTRY),
    ("a pickle as a picture", with_file("b/3.png", pickle.dumps(Evil())), ENTRY),
    ("a program as a picture", with_file("b/3.png", b"\x7fELF" + bytes(200)), ENTRY),
    ("PostScript as a picture", postscript, ENTRY),
    ("a PDF as a picture", with_file("b/3.png", b"%PDF-1.7\n" + bytes(50)), ENTRY),
    ("another format as a picture", with_file("b/3.png", encoded(Image.new("RGB", (8, 8)), "PCX")), ENTRY),
    ("an icon as a picture", with_file("b/3.png", encoded(Image.new("RGB", (16, 16)), "ICO")), ENTRY),
    ("half a PNG", with_file("b/3.png", RED[: len(RED) // 2]), ENTRY),
    ("a PNG without pixels", with_file("b/3.png", RED[:33]), ENTRY),
    ("a PNG with a wrong sum", with_file("b/3.png", RED[:20] + b"\xff" + RED[21:]), ENTRY),
    ("half a JPEG", with_file("b/3.jpg", CUT_JPEG), ENTRY),
    ("half a GIF", with_file("b/3.gif", encoded(Image.new("P", (9, 9)), "GIF")[:20]), ENTRY),
    (
        "half a WebP",
        with_file("b/3.webp", encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "WEBP")[:60]),
        ENTRY,
    ),
    ("half a TIFF", with_file("b/3.tif", encoded(Image.new("RGB", (9, 9)), "TIFF")[:80]), ENTRY),
    ("half a BMP", with_file("b/3.bmp", encoded(Image.new("RGB", (9, 9)), "BMP")[:70]), ENTRY),
    ("half a PPM", with_file("b/3.ppm", b"P6 9 9 255\nxx"), ENTRY),
    ("20,000 x 20,000", with_file("b/3.png", claims(20_000, 20_000)), "400,000,000|400000000"),
    ("20,000 x 20,000 grey", with_file("b/3.png", claims(20_000, 20_000, colour=0)), "400,000,000|400000000"),
    ("10,000 x 10,000", with_file("b/3.png", claims(10_000, 10_000)), "100,000,000 pixels"),
    ("100,000 x 1,000", with_file("b/3.png", claims(100_000, 1_000)), "100,000,000 pixels"),
    ("2 billion x 2 billion", with_file("b/3.png", claims(2**31 - 1, 2**31 - 1)), ENTRY),
    ("0 x 0", with_file("b/3.png", claims(0, 0)), ENTRY),
    ("claims more than it has", with_file("b/3.png", claims(5_000, 5_000)), ENTRY),
    ("a PPM of 20,000 x 20,000", with_file("b/3.ppm", b"P6 20000 20000 255\n"), "400,000,000|400000000"),
    (
        "a BMP of 20,000 x 20,000",
        with_file(
            "b/3.bmp", b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 20000, 20000, 1, 24, 0, 0, 0, 0, 0, 0)
        ),
        "400,000,000|400000000",
    ),
    ("floating point", with_file("b/3.tif", encoded(Image.new("F", (9, 9)), "TIFF")), "floating point"),
    *(
        (f"a folder with {name}", foldered({**GOOD, f"b/3.{name.split()[-1]}": content}), ENTRY)
        for name, content in (("an empty png", b""), ("a torn jpg", CUT_JPEG), ("a text gif", b"GIF"))
    ),
    *((f"cut at {share}", damaged(zipped(), cut(share)), "not a whole zip") for share in (0.2, 0.7, 0.97)),
    *((f"zeros at {at}", damaged(zipped(), zeros(at, 30)), "not a whole zip|cannot be read") for at in (0.0, 0.1, 0.3)),
]


def image_arrays(**changes: Any) -> dict[str, Any]:
    labels = np.repeat(np.arange(4, dtype=np.int32), 3)
    whole = {
        "format": np.array("bon-image-set-1"),
        "name": np.array("small"),
        "images": np.arange(12 * 64, dtype=np.uint8).reshape(12, 8, 8),
        "labels": labels,
        "class_names": np.array(list("abcd")),
        "split": (labels > 1).astype(np.uint8),
        "ids": np.arange(12),
        "field_names": np.array(["face"]),
        "field_0_values": np.array(["x", "y"]),
        "field_0_codes": labels % 2,
    }
    return {name: array for name, array in (whole | changes).items() if array is not None}


def image_set(**changes: Any) -> Maker:
    def make(folder: Path) -> Path:
        np.savez(folder / "set.npz", **image_arrays(**changes))
        return folder / "set.npz"

    return make


IMAGE_SETS: list[Case] = [
    *(
        (f"no {name}", image_set(**{name: None}), f"no {name}")
        for name in ("format", "images", "labels", "class_names", "split", "ids")
    ),
    *(
        (f"no {name}", image_set(**{name: None}), "damaged")
        for name in ("name", "field_names", "field_0_values", "field_0_codes")
    ),
    ("a newer format", image_set(format=np.array("bon-image-set-2")), "bon-image-set-1"),
    ("another format", image_set(format=np.arange(3)), "bon-image-set-1"),
    ("embeddings", WHOLE_NPZ, "not an image set"),
    ("images of rank 2", image_set(images=np.zeros((12, 64), np.uint8)), r"\(12, 64\)"),
    ("images of rank 5", image_set(images=np.zeros((12, 8, 8, 3, 1), np.uint8)), r"\(12, 8, 8, 3, 1\)"),
    ("four channels", image_set(images=np.zeros((12, 8, 8, 4), np.uint8)), r"\(12, 8, 8, 4\)"),
    ("oblong images", image_set(images=np.zeros((12, 8, 9), np.uint8)), r"\(12, 8, 9\)"),
    ("images of no pixels", image_set(images=np.zeros((12, 0, 0), np.uint8)), r"\(12, 0, 0\)"),
    ("no images at all", image_set(images=np.zeros((0, 8, 8), np.uint8)), r"\(0, 8, 8\)"),
    ("images of floats", image_set(images=np.zeros((12, 8, 8))), "float64"),
    ("images of 16 bits", image_set(images=np.zeros((12, 8, 8), np.uint16)), "uint16"),
    ("images evil", image_set(images=objects(Evil())), "pickled"),
    ("names evil", image_set(class_names=objects(Evil(), 1, 2, 3)), "pickled"),
    ("fewer labels", image_set(labels=np.zeros(5, np.int32)), r"\(5,\)"),
    ("labels of rank 2", image_set(labels=np.zeros((12, 1), np.int32)), r"\(12, 1\)"),
    ("labels with fractions", image_set(labels=np.linspace(0, 3, 12)), "damaged .*cast"),
    ("labels as text", image_set(labels=np.array(list("aaabbbcccddd"))), "damaged .*cast"),
    ("labels too large", image_set(labels=np.full(12, 9, np.int32)), "from 9 to 9"),
    ("labels negative", image_set(labels=np.full(12, -1, np.int32)), "from -1 to -1"),
    ("one class name", image_set(class_names=np.array("a")), "damaged"),
    ("class names half a pair", image_set(class_names=np.array(["a", "b", "c", "\ud83d"])), "no valid Unicode"),
    ("a name half a pair", image_set(name=np.array("\udcff")), "no valid Unicode"),
    ("ids that repeat", image_set(ids=np.zeros(12, int)), "share an id"),
    ("ids with fractions", image_set(ids=np.linspace(0, 1, 12)), "whole numbers"),
    ("a part that is none", image_set(split=np.full(12, 3, np.uint8)), "split code is 3"),
    ("a part with a sign", image_set(split=np.zeros(12, np.int8)), "whole numbers"),
    ("a class in two parts", image_set(split=(np.arange(12) % 2).astype(np.uint8)), "both train and test"),
    ("field codes too large", image_set(field_0_codes=np.full(12, 9)), "damaged"),
    ("field codes with fractions", image_set(field_0_codes=np.linspace(0, 1, 12)), "damaged"),
    ("fewer field codes", image_set(field_0_codes=np.zeros(5, int)), "field face has shape"),
    ("field values of numbers", image_set(field_0_values=np.arange(2)), "must hold text"),
    ("field names that are numbers", image_set(field_names=np.array(3)), "damaged"),
    ("train alone", image_set(split=np.zeros(12, np.uint8)), "no test images"),
    ("test alone", image_set(split=np.ones(12, np.uint8)), "no train images"),
]
