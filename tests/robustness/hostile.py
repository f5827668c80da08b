"""Files that are broken, or made to harm. All are generated here; none is larger than a few megabytes.

Each table lists (name, maker, what the sentence must say). A maker gets an empty folder and returns the path to read.
"""

import io
import json
import os
import pickle
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Maker = Callable[[Path], Path]
Case = tuple[str, Maker, str]

EXECUTED = "executed"  # the file that an evil pickle makes where it is loaded
VECTORS = np.random.default_rng(0).standard_normal((6, 4))
LABELS = np.array([0, 0, 1, 1, 2, 2])


class Evil:
    """Whoever unpickles this makes a file in the working directory."""

    def __reduce__(self):
        return open, (EXECUTED, "w")


def objects(*values: Any) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# Embeddings -----------------------------------------------------------------------------------------------------------


def npz(**arrays: Any) -> Maker:
    """An .npz of the embeddings above, with these arrays in place of their own; None leaves one out."""

    def make(folder: Path) -> Path:
        whole = {"vectors": VECTORS, "labels": LABELS} | arrays
        np.savez(folder / "e.npz", **{name: array for name, array in whole.items() if array is not None})
        return folder / "e.npz"

    return make


def npz_of(**members: bytes) -> Maker:
    """An .npz whose members are these bytes."""

    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "e.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(f"{name}.npy", content)
        return folder / "e.npz"

    return make


def npy_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def lying_npy(header: str, content: bytes = b"") -> bytes:
    """A .npy file whose header says what it likes."""
    text = header.encode("latin1")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def described(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def damaged(make: Maker, change: Callable[[bytes], bytes]) -> Maker:
    """The file of another maker, its bytes changed."""

    def made(folder: Path) -> Path:
        path = make(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return made


def encrypted(content: bytes) -> bytes:
    """A zip that says of its entries that they are encrypted."""
    changed = bytearray(content)
    for signature, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = changed.find(signature)
        while start >= 0:
            changed[start + flag] |= 1
            start = changed.find(signature, start + 1)
    return bytes(changed)


def method(number: int) -> Callable[[bytes], bytes]:
    """A zip that says that its entries are compressed in some other way."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            start = changed.find(signature)
            while start >= 0:
                changed[start + at : start + at + 2] = struct.pack("<H", number)
                start = changed.find(signature, start + 1)
        return bytes(changed)

    return change


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(share * len(content))]


def zeros(start: float, length: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        at = int(start * len(content))
        return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]

    return change


def written(name: str, content: bytes) -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def bad(row: int, value: float, *, kind: type = np.float64) -> np.ndarray:
    array = VECTORS.astype(kind)
    with np.errstate(over="ignore"):
        array[row] = value
    return array


def huge_text() -> np.ndarray:
    """Text whose code points are none."""
    return np.frombuffer(np.full(6, 0x7FFFFFFF, "<u4").tobytes(), dtype="<U1")


WHOLE_NPZ = npz()
EMBEDDINGS_NPZ: list[Case] = [
    ("no vectors", npz(vectors=None), "no vectors"),
    ("no labels", npz(labels=None), "no labels"),
    ("nothing", lambda folder: written("e.npz", b"PK\x05\x06" + bytes(18))(folder), "holds nothing"),
    ("one row of numbers", npz(vectors=VECTORS[0]), "one row a sample"),
    ("one number", npz(vectors=np.array(3.0)), r"labels of shape \(6,\)"),
    ("both numbers", npz(vectors=np.array(3.0), labels=np.array(3)), "must be numbers"),
    ("rank 3", npz(vectors=VECTORS[:, :, None]), r"\(6, 4, 1\)"),
    ("no rows", npz(vectors=VECTORS[:0], labels=LABELS[:0]), r"\(0, 4\)"),
    ("no columns", npz(vectors=VECTORS[:, :0]), r"\(6, 0\)"),
    ("complex", npz(vectors=VECTORS.astype(complex)), "complex128"),
    ("text vectors", npz(vectors=VECTORS.astype(str)), "must be numbers"),
    ("bytes vectors", npz(vectors=VECTORS.astype("S8")), "must be numbers"),
    ("dates", npz(vectors=VECTORS.astype("M8[s]")), "must be numbers"),
    ("booleans", npz(vectors=VECTORS > 0), "must be numbers"),
    ("records", npz(vectors=np.zeros((6, 4), [("a", "f4")])), "must be numbers"),
    ("NaN", npz(vectors=bad(2, np.nan)), "Embedding 2 .*NaN"),
    ("one NaN", npz(vectors=np.where(np.eye(6, 4) > 0, np.nan, 1.0)), "Embedding 0 .*3 more"),
    ("infinity", npz(vectors=bad(5, np.inf)), "Embedding 5"),
    ("minus infinity", npz(vectors=bad(0, -np.inf)), "Embedding 0"),
    ("zero row", npz(vectors=bad(3, 0)), "Embedding 3 .*only zeros"),
    ("zeros", npz(vectors=VECTORS * 0), "Embedding 0 .*5 more"),
    ("half that overflowed", npz(vectors=bad(1, 1e9, kind=np.float16)), "Embedding 1"),
    ("fewer labels", npz(labels=LABELS[:5]), r"\(5,\)"),
    ("more labels", npz(labels=np.arange(7)), r"\(7,\)"),
    ("one label", npz(labels=np.array(1)), r"labels of shape \(\)"),
    ("labels of rank 2", npz(labels=LABELS[:, None]), r"\(6, 1\)"),
    ("labels with a fraction", npz(labels=LABELS + 0.5), "float64"),
    ("labels NaN", npz(labels=LABELS * np.nan), "float64"),
    ("labels bytes", npz(labels=LABELS.astype("S1")), r"\|S1"),
    ("labels dates", npz(labels=LABELS.astype("M8[s]")), "datetime64"),
    ("labels negative", npz(labels=LABELS - 1), "smallest label is -1"),
    ("labels pickled", npz(labels=objects(*"aabbcc")), "pickled"),
    ("labels evil", npz(labels=objects(*[Evil()] * 6)), "pickled"),
    ("vectors evil", npz(vectors=objects(Evil())), "pickled"),
    ("something evil beside", npz(notes=objects(Evil())), "pickled"),
    ("labels that are no text", npz(labels=huge_text()), "no valid Unicode"),
    ("labels half a pair", npz(labels=np.array(["a", "b\ud800"] * 3)), "no valid Unicode"),
    ("fewer class names", npz(class_names=np.array(["a", "b"])), "2 class names"),
    ("class names of rank 2", npz(class_names=np.array([["a"], ["b"], ["c"]])), r"\(3, 1\)"),
    ("one class name", npz(class_names=np.array("a")), r"of shape \(\)"),
    ("class names bytes", npz(class_names=np.array([b"a", b"b", b"c"])), r"\|S1"),
    ("class names half a pair", npz(class_names=np.array(["a", "\udfff", "c"])), "no valid Unicode"),
    ("class names evil", npz(class_names=objects(Evil(), 1, 2)), "pickled"),
    ("labels beyond the class names", npz(labels=LABELS * 9, class_names=np.array(list("abc"))), "from 0 to 18"),
    ("labels before the class names", npz(labels=LABELS - 1, class_names=np.array(list("abc"))), "from -1 to 1"),
    ("ids that repeat", npz(ids=LABELS), "share an id"),
    ("ids as text", npz(ids=np.array(list("abcdef"))), "not whole numbers"),
    ("ids with fractions", npz(ids=LABELS / 2), "not whole numbers"),
    ("ids too large", npz(ids=np.arange(6, dtype=np.uint64) + 2**63), "below 2"),
    ("fewer ids", npz(ids=np.arange(5)), "ids of shape"),
    ("a part that is none", npz(split=np.array([0, 1, 2, 3, 0, 1])), "value 3"),
    ("a negative part", npz(split=-LABELS), "value -1"),
    ("a part of another name", npz(split=np.array(["train"] * 5 + ["dev"])), "value dev"),
    ("parts as bytes", npz(split=np.array([b"train"] * 6)), "of type |S5"),
    ("a part and a half", npz(split=LABELS / 2), "value 0.5"),
    ("a part each", npz(split=LABELS[:, None]), "split of shape"),
    (
        "claims 8 TB",
        npz_of(vectors=lying_npy(described("(1000000000000, 1)")), labels=npy_bytes(LABELS)),
        "not a whole",
    ),
    (
        "claims more than it has",
        npz_of(vectors=lying_npy(described("(6, 400)")), labels=npy_bytes(LABELS)),
        "not a whole",
    ),
    ("a shape beyond numbers", npz_of(vectors=lying_npy(described(f"({10**30}, 4)"))), "not a whole"),
    ("a negative shape", npz_of(vectors=lying_npy(described("(-6, 4)"))), "not a whole"),
    ("a shape that is text", npz_of(vectors=lying_npy(described("'6'"))), "not a whole"),
    ("a type that is none", npz_of(vectors=lying_npy(described("(6, 4)", "'<q9'"))), "not a whole"),
    ("a type that is code", npz_of(vectors=lying_npy(described("(6, 4)", "__import__('os').getcwd()"))), "not a whole"),
    ("a header that is no dict", npz_of(vectors=lying_npy("[1, 2, 3]")), "not a whole"),
    ("a header of brackets", npz_of(vectors=lying_npy("(" * 5000)), "not a whole"),
    ("a header too long", npz_of(vectors=lying_npy("{" + " " * 60000 + "}")), "not a whole"),
    ("a member that is no array", npz_of(vectors=b"hello", labels=npy_bytes(LABELS)), "is no array|not a whole"),
    ("an empty member", npz_of(vectors=b"", labels=npy_bytes(LABELS)), "is no array|not a whole"),
    (
        "a member that is a pickle",
        npz_of(vectors=pickle.dumps(Evil()), labels=npy_bytes(LABELS)),
        "is no array|not a whole|pickled",
    ),
    (
        "claims to unpack to 12 GiB",
        damaged(npz(ids=LABELS), lambda content: claimed(content, 2**32 - 2)),
        "unpacks to 12.0 GiB",
    ),
    ("encrypted", damaged(WHOLE_NPZ, encrypted), "not a whole .*encrypted"),
    ("compressed in an unknown way", damaged(WHOLE_NPZ, method(99)), "not a whole"),
    ("says that it is lzma", damaged(WHOLE_NPZ, method(14)), "not a whole"),
    ("says that it is bzip2", damaged(WHOLE_NPZ, method(12)), "not a whole"),
    ("0 bytes", written("e.npz", b""), "not a whole"),
    ("a text", written("e.npz", b"vectors, labels"), "not a whole"),
    ("a pickle", written("e.npz", pickle.dumps({"vectors": Evil()})), "not a whole"),
    ("an array alone", written("e.npz", npy_bytes(VECTORS)), "not a whole"),
    ("an image", written("e.npz", b"\x89PNG\r\n\x1a\n" + bytes(40)), "not a whole"),
    *((f"cut at {share}", damaged(WHOLE_NPZ, cut(share)), "not a whole") for share in (0.01, 0.3, 0.6, 0.9, 0.99)),
    *(
        (f"zeros at {at}", damaged(WHOLE_NPZ, zeros(at, 40)), "not a whole|is no array|holds|labels")
        for at in (0.0, 0.15, 0.4, 0.8)
    ),
]


def claimed(content: bytes, size: int) -> bytes:
    """A zip whose directory gives every entry this size."""
    changed = bytearray(content)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        changed[at + 24 : at + 28] = struct.pack("<I", size)
        at = changed.find(b"PK\x01\x02", at + 1)
    return bytes(changed)


def npy(vectors: Any = VECTORS, labels: Any = LABELS, name: str = "v_labels.npy") -> Maker:
    """Vectors and the labels beside them, as arrays or as bytes; None leaves the labels out."""

    def make(folder: Path) -> Path:
        for file, content in (("v.npy", vectors), (name, labels)):
            if content is not None:
                (folder / file).write_bytes(content if isinstance(content, bytes) else npy_bytes(content))
        return folder / "v.npy"

    return make


def several() -> bytes:
    file = io.BytesIO()
    np.savez(file, VECTORS, LABELS)
    return file.getvalue()


EMBEDDINGS_NPY: list[Case] = [
    ("without labels", npy(labels=None), "no labels beside"),
    ("labels of another file", npy(name="w_labels.npy"), "no labels beside"),
    ("fewer labels", npy(labels=LABELS[:3]), "labels of shape"),
    ("rank 1", npy(vectors=VECTORS[0]), "must be numbers|labels of shape"),
    ("NaN", npy(vectors=bad(0, np.nan)), "NaN"),
    ("text", npy(vectors=VECTORS.astype(str)), "must be numbers"),
    ("evil vectors", npy(vectors=objects(Evil())), "without Python objects"),
    ("evil labels", npy(labels=objects(*[Evil()] * 6)), "without Python objects"),
    ("a pickle", npy(vectors=pickle.dumps(Evil())), "without Python objects"),
    ("0 bytes", npy(vectors=b""), "not a whole"),
    ("labels of 0 bytes", npy(labels=b""), "not a whole"),
    ("a torn header", npy(vectors=npy_bytes(VECTORS)[:9]), "not a whole"),
    ("torn numbers", npy(vectors=npy_bytes(VECTORS)[:-9]), "not a whole"),
    ("a newer version", npy(vectors=b"\x93NUMPY\x09\x00" + bytes(90)), "not a whole"),
    ("claims 8 TB", npy(vectors=lying_npy(described("(1000000000000, 1)"))), "not a whole"),
    ("claims more than it has", npy(vectors=lying_npy(described("(600, 4)"))), "not a whole"),
    (
        "objects by its header",
        npy(vectors=lying_npy(described("(6,)", "'|O'"), pickle.dumps(Evil()))),
        "without Python",
    ),
    ("code in its header", npy(vectors=lying_npy("__import__('os').getcwd()")), "not a whole"),
    ("a torn zip", npy(vectors=b"PK\x03\x04" + bytes(60)), "not a whole"),
    ("several arrays", npy(vectors=several()), "several arrays"),
    ("a text", npy(vectors=b"1.0, 2.0"), "not a whole"),
]


def parquet(**columns: Any) -> Maker:
    """A Parquet file of embeddings with these columns in place of its own; None leaves one out."""

    def make(folder: Path) -> Path:
        whole = {"vector": list(VECTORS.tolist()), "label": list("aabbcc")} | columns
        table = pa.table({name: column for name, column in whole.items() if column is not None})
        pq.write_table(table, folder / "e.parquet")
        return folder / "e.parquet"

    return make


def parquet_of(names: list[str], columns: list[Any]) -> Maker:
    def make(folder: Path) -> Path:
        pq.write_table(
            pa.Table.from_arrays([pa.array(column) for column in columns], names=names), folder / "e.parquet"
        )
        return folder / "e.parquet"

    return make


ROWS = VECTORS.tolist()
WHOLE_PARQUET = parquet()
EMBEDDINGS_PARQUET: list[Case] = [
    ("no labels", parquet(label=None), "none of labels"),
    ("no vectors", parquet(vector=None), "neither a column of lists"),
    ("no rows", parquet(vector=pa.array([], pa.list_(pa.float32())), label=pa.array([], pa.string())), "lengths none"),
    ("lists of two lengths", parquet(vector=[*ROWS[:5], [1.0]]), "lengths 4, 1"),
    ("empty lists", parquet(vector=[[]] * 6, label=list("aabbcc")), "lengths 0|null|numbers"),
    ("a missing list", parquet(vector=[*ROWS[:5], None]), "lengths 4, None"),
    (
        "a missing list of fixed length",
        parquet(vector=pa.array([*ROWS[:5], None], pa.list_(pa.float32(), 4))),
        "lengths 4, None",
    ),
    ("a missing number", parquet(vector=[*ROWS[:5], [1.0, None, 1.0, 1.0]]), "NaN"),
    ("a missing label", parquet(label=["a", "b", None, "a", "b", "b"]), "1 empty"),
    ("labels all missing", parquet(label=pa.nulls(6)), "6 empty"),
    ("NaN", parquet(vector=bad(4, np.nan).tolist()), "Embedding 4"),
    ("zeros", parquet(vector=bad(4, 0).tolist()), "Embedding 4"),
    ("lists of text", parquet(vector=[["a", "b"]] * 6), "must be numbers"),
    ("lists of booleans", parquet(vector=[[True, False]] * 6), "must be numbers"),
    ("lists of dates", parquet(vector=pa.array([[1, 2]] * 6, pa.list_(pa.timestamp("s")))), "must be numbers"),
    ("lists of lists", parquet(vector=[[row] for row in ROWS]), "flatten the inner lists"),
    ("lists of records", parquet(vector=[[{"x": 1.0}]] * 6), "flatten the inner lists"),
    ("records", parquet(vector=[{"x": 1.0, "y": 2.0}] * 6), "must be lists of numbers"),
    (
        "maps",
        parquet(vector=pa.array([[("x", 1.0)]] * 6, pa.map_(pa.string(), pa.float32()))),
        "must be lists of numbers",
    ),
    ("nested labels", parquet(label=[["a"]] * 6), "must be one plain value"),
    ("labels as records", parquet(label=[{"name": "a"}] * 6), "must be one plain value"),
    ("labels with fractions", parquet(label=[0.5] * 6), "float64"),
    ("nested ids", parquet(id=[[1]] * 6), "must be one plain value"),
    ("ids as text", parquet(id=list("abcdef")), "not whole numbers"),
    ("ids that repeat", parquet(id=[1] * 6), "share an id"),
    ("a missing id", parquet(id=[1, 2, 3, 4, 5, None]), "1 empty"),
    ("a part that is none", parquet(split=["train"] * 5 + ["dev"]), "value dev"),
    ("a nested part", parquet(split=[["train"]] * 6), "must be one plain value"),
    (
        "two columns of a name",
        parquet_of(["label", "vector", "vector"], [list("aabbcc"), ROWS, ROWS]),
        "two columns named 'vector'",
    ),
    ("a label of a megabyte", parquet(label=["a" * 1_000_000, *"abbcc"]), "1,000,000 characters"),
    (
        "labels half a pair",
        parquet(label=pa.array([b"\xed\xa0\x80"] * 6).view(pa.string())),
        "not a whole|no valid Unicode",
    ),
    ("0 bytes", written("e.parquet", b""), "not a whole"),
    ("its mark alone", written("e.parquet", b"PAR1PAR1"), "not a whole"),
    ("its mark around nothing", written("e.parquet", b"PAR1" + bytes(64) + b"PAR1"), "not a whole"),
    ("a text", written("e.parquet", b"vector,label\n1,2\n"), "not a whole"),
    ("a pickle", written("e.parquet", pickle.dumps(Evil())), "not a whole"),
    ("an .npz", lambda folder: WHOLE_NPZ(folder).rename(folder / "e.parquet"), "not a whole"),
    (
        "a footer longer than the file",
        damaged(WHOLE_PARQUET, lambda c: c[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"),
        "not a whole",
    ),
    *((f"cut at {share}", damaged(WHOLE_PARQUET, cut(share)), "not a whole") for share in (0.1, 0.5, 0.95)),
    *(
        (f"zeros at {at}", damaged(WHOLE_PARQUET, zeros(at, 60)), "not a whole|numbers|label|NaN|length")
        for at in (0.02, 0.35, 0.6)
    ),
]

OTHER_EMBEDDINGS: list[Case] = [
    ("no such file", lambda folder: folder / "none.npz", "no file of embeddings"),
    ("a folder of that name", lambda folder: made_folder(folder / "e.npz"), "no file of embeddings"),
    ("another kind", written("e.csv", b"1,2,3"), "save them as .npz"),
    ("no kind", written("e", b"1,2,3"), "save them as .npz"),
    ("a torch file", written("e.pt", pickle.dumps(Evil())), "save them as .npz"),
    ("a pickle by its name", written("e.pkl", pickle.dumps(Evil())), "save them as .npz"),
    ("a name too long", lambda folder: Path("x" * 5000), "cannot be a path"),
    ("a name with a zero", lambda folder: Path("e\0.npz"), "cannot be a path"),
    ("the home of nobody", lambda folder: Path("~no-such-user/e.npz"), "cannot be a path"),
    ("a device", lambda folder: Path("/dev/zero"), "no file of embeddings"),
]


def made_folder(path: Path) -> Path:
    path.mkdir()
    return path


# Images ---------------------------------------------------------------------------------------------------------------


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
    """A folder whose second class is links to pictures outside."""
    path = foldered({"a/1.png": RED, "a/2.png": RED})(folder)
    (folder / "secret.png").write_bytes(RED)
    (path / "b").mkdir()
    for number in range(2):
        (path / "b" / f"{number}.png").symlink_to(folder / "secret.png")
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
    ("one class", zipped({"a/1.png": RED, "a/2.png": RED}), "images of 1 classes"),
    ("one image", zipped({"a/1.png": RED}), "images of 1 classes"),
    ("singletons", zipped({f"{name}/1.png": RED for name in "abcdef"}), "No class in .* has 2 images"),
    ("loose images", zipped({"1.png": RED, "2.png": RED}), "0 classes"),
    ("hidden images", zipped({".a/1.png": RED, ".a/2.png": RED, "__MACOSX/b/1.png": RED}), "0 classes"),
    (
        "a class in two parts",
        zipped({"train/a/1.png": RED, "train/a/2.png": RED, "test/a/3.png": RED, "test/b/1.png": RED}),
        "both train and test",
    ),
    (
        "train without test",
        zipped({"train/a/1.png": RED, "train/a/2.png": RED, "val/b/3.png": RED}),
        "train and test are both",
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
    ("links in a zip", linked_zip("/etc/passwd"), "images of 1 classes"),
    ("links up in a zip", linked_zip("../../../secret.png"), "images of 1 classes"),
    ("links in a folder", linked_folder, "images of 1 classes"),
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

# Settings -------------------------------------------------------------------------------------------------------------


def config(**changes: Any) -> Maker:
    return written("config.json", json.dumps(changes).encode())


CONFIGS: list[Case] = [
    ("nothing", written("config.json", b""), "not JSON"),
    ("half", written("config.json", b'{"data": {"na'), "not JSON"),
    ("a list", written("config.json", b"[]"), "must be an object"),
    ("null", written("config.json", b"null"), "must be an object"),
    ("a number", written("config.json", b"7"), "is 7"),
    ("a text", written("config.json", b'"config"'), "must be an object"),
    ("brackets", written("config.json", b"[" * 100_000), "not JSON"),
    ("no text", written("config.json", b"\xff\xfe\x00"), "it is no text"),
    ("a pickle", written("config.json", pickle.dumps(Evil())), "it is no text|not JSON"),
    ("missing", lambda folder: folder / "config.json", "No such file"),
    ("a folder", lambda folder: made_folder(folder / "config.json"), "Is a directory|directory"),
    (
        "a number of a million digits",
        written("config.json", b'{"training": {"epochs": ' + b"9" * 1_000_000 + b"}}"),
        "not JSON",
    ),
    ("a number of 400 digits", written("config.json", b'{"training": {"epochs": ' + b"9" * 400 + b"}}"), "end at 2"),
    (
        "a whole number of 400 digits",
        written("config.json", b'{"training": {"seed": ' + b"9" * 400 + b"}}"),
        "end at 2",
    ),
    ("an unknown section", config(tranining={}), "unknown field .*tranining"),
    ("an unknown field", config(training={"epoch": 3}), r"unknown field \['epoch'\]"),
    ("a field of a newer version", config(version=99), r"unknown field \['version'\]"),
    ("a field to step out", config(__class__="os"), "unknown field"),
    *(
        (f"a section that is {value!r}", config(mining=value), "must be an object")
        for value in (None, 3, "bon", [], True)
    ),
    *(
        (f"a miner that is {value!r}", config(mining={"miner": value}), "must be one of")
        for value in (None, 3, "BON", ["bon"], {}, "")
    ),
    *(
        (f"classes that are {value!r}", config(mining={"classes": value}), "must be of type int")
        for value in (None, "8", 8.0, True, [8])
    ),
    *(
        (f"epochs that are {value!r}", config(training={"epochs": value}), "must be of type float")
        for value in (None, "8", True, [8])
    ),
    *(
        (
            f"epochs of {text}",
            written("config.json", b'{"training": {"epochs": ' + text.encode() + b"}}"),
            "cannot be trained",
        )
        for text in ("NaN", "Infinity", "-Infinity", "1e400", "-1", "0")
    ),
    *(
        (
            f"a rate of {text}",
            written("config.json", b'{"training": {"learning_rate": ' + text.encode() + b"}}"),
            "cannot train",
        )
        for text in ("NaN", "Infinity", "0", "-1", "10")
    ),
    ("a width of 1", config(network={"dim": 1}), "width is 1"),
    ("a width of a billion", config(network={"dim": 10**9}), "width is 1000000000"),
    ("a backbone that is a path", config(network={"backbone": "../../evil.pt"}), "must be one of"),
    ("a loss that is code", config(training={"loss": "__import__('os')"}), "must be one of"),
    ("a device that is a path", config(training={"device": "/dev/mem"}), "must be one of"),
    ("no name", config(data={"name": ""}), "name is empty"),
    ("a name that is a number", config(data={"name": 3}), "must be of type str"),
    ("a path that is a list", config(data={"path": ["/etc"]}), "must be of type str or null"),
    ("images of 0 px", config(data={"image_size": 0}), "Image size is 0"),
    ("images of a million px", config(data={"image_size": 10**6}), "Image size is 1000000"),
    ("everything held out", config(data={"holdout": 1.0}), "Hold-out is 1.0"),
    ("more learners than dimensions", config(network={"dim": 4}, division={"learners": 8}), "8 learners"),
    ("1,000 learners", config(division={"learners": 1000}), "1000 learners"),
    ("shares above 1", config(division={"warmup": 0.9, "split": 0.9}), "add up to"),
    ("a batch of a million classes", config(mining={"classes": 10**6}), "1000000 classes"),
    ("99 bits", config(mining={"bits": 99}), "99 bits"),
    ("a seed below 0", config(training={"seed": -1}), "seed is -1"),
    ("a memory that is too small", config(mining={"miner": "xbm", "memory": 1}), "memory of 1"),
]

# Checkpoints, weights, snapshots and whole runs of strangers: made out of good ones -----------------------------------


def safetensors(header: Any, content: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file with this header, a JSON value or bytes, that says it is so long."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def tensor(start: int = 0, end: int = 8, *, shape: Any = (2,), kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": list(shape) if isinstance(shape, tuple) else shape, "data_offsets": [start, end]}


def tree(text: str, version: str = "1") -> bytes:
    """A checkpoint of one tensor t0 whose tree is this JSON."""
    return safetensors({"__metadata__": {"version": version, "tree": text}, "t0": tensor()}, bytes(8))


def torch_file() -> bytes:
    """What torch.save makes of something evil, without torch: a zip with a pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"network": Evil()}))
        archive.writestr("archive/version", "3")
    return file.getvalue()


CHECKPOINTS: list[tuple[str, bytes, str]] = [
    ("0 bytes", b"", "not a readable checkpoint"),
    ("a pickle", pickle.dumps(Evil()), "not a readable checkpoint"),
    ("a torch file", torch_file(), "not a readable checkpoint"),
    ("a text", b"weights", "not a readable checkpoint"),
    ("a header longer than the file", safetensors({}, length=10**6), "not a readable checkpoint"),
    ("a header of 2^63 bytes", safetensors({}, length=2**63), "not a readable checkpoint"),
    ("a header of 2^64 - 1 bytes", safetensors({}, length=2**64 - 1), "not a readable checkpoint"),
    ("a header of 0 bytes", safetensors(b""), "not a readable checkpoint"),
    ("a header that is no JSON", safetensors(b"{{{{"), "not a readable checkpoint"),
    ("a header that is a list", safetensors([1, 2]), "not a readable checkpoint"),
    ("a header of brackets", safetensors(b"[" * 5000), "not a readable checkpoint"),
    ("a header that is no text", safetensors(b"\xff\xfe\xfd"), "not a readable checkpoint"),
    ("a tensor beyond the file", safetensors({"t0": tensor(0, 800)}, bytes(8)), "not a readable checkpoint"),
    ("a tensor that ends before it begins", safetensors({"t0": tensor(8, 0)}, bytes(8)), "not a readable checkpoint"),
    (
        "tensors that overlap",
        safetensors({"t0": tensor(), "t1": tensor(4, 12)}, bytes(12)),
        "not a readable checkpoint",
    ),
    (
        "a hole between tensors",
        safetensors({"t0": tensor(), "t1": tensor(16, 24)}, bytes(24)),
        "not a readable checkpoint",
    ),
    ("bytes behind the tensors", safetensors({"t0": tensor()}, bytes(80)), "not a readable checkpoint"),
    ("a shape that does not fit", safetensors({"t0": tensor(shape=(3,))}, bytes(8)), "not a readable checkpoint"),
    (
        "a shape that overflows",
        safetensors({"t0": tensor(shape=(2**40, 2**40))}, bytes(8)),
        "not a readable checkpoint",
    ),
    ("a negative shape", safetensors({"t0": tensor(shape=(-2,))}, bytes(8)), "not a readable checkpoint"),
    ("a shape that is text", safetensors({"t0": tensor(shape="2")}, bytes(8)), "not a readable checkpoint"),
    ("a type that is none", safetensors({"t0": tensor(kind="PICKLE")}, bytes(8)), "not a readable checkpoint"),
    ("offsets that are text", safetensors({"t0": tensor() | {"data_offsets": ["0", "8"]}}, bytes(8)), "not a readable"),
    (
        "metadata that is no text",
        safetensors({"__metadata__": {"version": 1}, "t0": tensor()}, bytes(8)),
        "not a readable",
    ),
    ("weights of somebody else", safetensors({"t0": tensor()}, bytes(8)), "not one of our checkpoints"),
    (
        "no tree",
        safetensors({"__metadata__": {"version": "1"}, "t0": tensor()}, bytes(8)),
        "not one of our checkpoints",
    ),
    ("a newer version", tree("{}", "2"), "version 2"),
    ("a version that is no number", tree("{}", "²"), "not one of our checkpoints"),
    ("a version of a million digits", tree("{}", "9" * 10**6), "not one of our checkpoints"),
    ("a tree that is no JSON", tree("{"), "does not hold"),
    ("a tree of brackets", tree("[" * 50_000), "does not hold"),
    ("a tensor that is not there", tree('{"network": {"__tensor__": "t1"}}'), "does not hold"),
    ("a tensor that is named by a list", tree('{"network": {"__tensor__": ["t0"]}}'), "does not hold"),
    ("items that are no pairs", tree('{"state": {"__items__": [1, 2]}}'), "does not hold"),
    ("items with keys that are lists", tree('{"state": {"__items__": [[[], 1]]}}'), "does not hold"),
    ("a tree that is a number", tree("7"), "does not fit its config"),
    ("a tree that is a list", tree("[1]"), "does not fit its config"),
    ("an empty tree", tree("{}"), "does not fit its config"),
]

Change = Callable[[dict[str, Any]], Any]


def setting(*path: Any, value: Any) -> Change:
    """Change one place of a tree; a callable gets what is there."""

    def change(whole: dict[str, Any]) -> None:
        place = whole
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return change


def longer(array: Any) -> Any:
    return array.repeat(2, *[1] * (array.dim() - 1))


TREES: list[tuple[str, Change, str]] = [  # of a whole checkpoint
    *(
        (f"no {name}", lambda whole, name=name: whole.pop(name), f"does not fit its config .*{name}")
        for name in ("network", "optimizer", "teams", "step", "clusters")
    ),
    (
        "a network of another width",
        setting("network", "head.parts.0.weight", value=longer),
        "does not fit .*size|does not fit .*load",
    ),
    (
        "a network with a layer more",
        lambda whole: whole["network"].update(evil=whole["network"]["head.parts.0.bias"]),
        "does not fit",
    ),
    ("a network that is a list", setting("network", value=[1]), "does not fit"),
    ("an optimiser without groups", setting("optimizer", value={}), "does not fit"),
    ("an optimiser of another network", setting("optimizer", "param_groups", 0, "params", value=[0]), "does not fit"),
    ("moments of another shape", setting("optimizer", "state", 0, "exp_avg", value=longer), "exp_avg is of shape"),
    (
        "a table of another data set",
        setting("teams", "joint", "table.position", value=longer),
        "table.position of shape",
    ),
    ("a table that is a list", setting("teams", "joint", value=[]), "does not fit"),
    ("teams of nobody", setting("teams", value=None), "does not fit"),
    ("members beyond the data", lambda whole: whole["teams"]["parts"][0]["members"].add_(10_000), "does not fit"),
    ("fewer clusters", setting("clusters", value=lambda labels: labels[:7]), "its clusters do not number"),
    (
        "clusters beyond the centroids",
        setting("clusters", value=lambda labels: labels + 9),
        "its clusters do not number",
    ),
    ("a step below 0", setting("step", value=-1), "it is of step -1"),
    ("a step beyond the end", setting("step", value=10**9), "it is of step 1000000000"),
    ("a step that is text", setting("step", value="four"), "does not fit"),
    ("seconds that are a list", setting("seconds", value=[]), "does not fit"),
]

SNAPSHOTS: list[tuple[str, Callable[[Path], Any], str]] = [  # what is done to a good one
    ("no meta.json", lambda path: (path / "meta.json").unlink(), "is not a snapshot"),
    ("an empty meta.json", lambda path: (path / "meta.json").write_bytes(b""), "is not a snapshot"),
    ("a meta.json that is no text", lambda path: (path / "meta.json").write_bytes(b"\xff\xfe"), "is not a snapshot"),
    ("a meta.json of brackets", lambda path: (path / "meta.json").write_text("[" * 100_000), "is not a snapshot"),
    ("a meta.json that is a list", lambda path: (path / "meta.json").write_text("[]"), "is not a snapshot"),
]


def meta(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        whole = json.loads((path / "meta.json").read_text()) | changes
        text = json.dumps({name: value for name, value in whole.items() if value is not ...})
        (path / "meta.json").write_text(text)

    return change


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def changed(path: Path) -> None:
        content = np.load(path / f"{name}.npy")
        np.save(path / f"{name}.npy", change(content), allow_pickle=True)

    return changed


SNAPSHOTS += [
    *(
        (f"meta without {name}", meta(**{name: ...}), f"not a snapshot|no right .*{name}")
        for name in (
            "version",
            "samples",
            "step",
            "epoch",
            "learners",
            "class_names",
            "metrics",
            "fields",
            "origin",
            "data",
        )
    ),
    ("a newer version", meta(version=2), "version 2"),
    ("a version that is text", meta(version="1"), "is not a snapshot"),
    ("samples that are text", meta(samples="96"), r"no right \['samples'\]"),
    ("more samples than there are", meta(samples=10**9), "does not fit 1000000000 samples"),
    ("an epoch that is text", meta(epoch="<b>"), r"no right \['epoch'\]"),
    ("class names that are numbers", meta(class_names=[1, 2, 3, 4, 5, 6, 7, 8]), "by what is no text"),
    ("fewer class names", meta(class_names=["A"]), "labels.npy does not hold numbers from 0 to 0"),
    ("metrics that are a list", meta(metrics=[]), r"no right \['metrics'\]"),
    ("metrics of numbers", meta(metrics={"test": 1}), "by what is no text"),
    ("a field out of the folder", meta(fields=[["face", "../../../../etc/passwd", ["x"]]]), "by what is no text"),
    ("a field of numbers", meta(fields=[[1, "0", ["x"]]]), "by what is no text"),
    ("a field that is text", meta(fields=["face"]), "by what is no text"),
    *(
        (f"no {name}.npy", lambda path, name=name: (path / f"{name}.npy").unlink(), "missing or cut short")
        for name in ("vectors", "xy", "codes", "masks")
    ),
    *(
        (f"a torn {name}.npy", damaged(lambda path, name=name: path / f"{name}.npy", cut(0.5)), "missing or cut short")
        for name in ("vectors", "neighbours", "centroids")
    ),
    ("an evil array", array("vectors", lambda old: objects(*[Evil()] * len(old))), "missing or cut short"),
    (
        "a pickle for an array",
        lambda path: (path / "codes.npy").write_bytes(pickle.dumps(Evil())),
        "missing or cut short",
    ),
    (
        "an array that claims 8 TB",
        lambda path: (path / "codes.npy").write_bytes(lying_npy(described("(1000000000000,)"))),
        "missing or cut short",
    ),
    ("vectors of another type", array("vectors", lambda old: old.astype(np.float64)), "float64 of shape"),
    ("vectors of rank 1", array("vectors", lambda old: old[:, 0]), "does not fit"),
    ("fewer vectors", array("vectors", lambda old: old[:5]), "does not fit"),
    ("vectors of another width", array("vectors", lambda old: old[:, :3]), "of different widths"),
    ("centroids of another width", array("centroids", lambda old: old[:, :3]), "of different widths"),
    ("a map of three dimensions", array("xy", lambda old: np.repeat(old, 2, axis=1)), "of different widths"),
    ("a map of NaN", array("xy", lambda old: old * np.nan), "not of finite numbers"),
    ("neighbours that are nobody", array("neighbours", lambda old: old + 96), "neighbours.npy does not hold"),
    ("neighbours below 0", array("neighbours", lambda old: old - 96), "neighbours.npy does not hold"),
    ("no neighbours", array("neighbours", lambda old: old[:, :0]), "neighbours.npy does not hold"),
    ("labels below 0", array("labels", lambda old: old - 1), "labels.npy does not hold"),
    ("a part that is none", array("split", lambda old: old + 7), "split.npy does not hold"),
    ("codes beyond their bits", array("codes", lambda old: old + 16), "codes.npy does not hold"),
    ("clusters that are none", array("clusters", lambda old: old + 40), "clusters.npy does not hold"),
]

STATUSES: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("half", b'{"state": "runn'),
    ("a list", b"[]"),
    ("no text", b"\xff\xfe"),
    ("brackets", b"[" * 100_000),
    ("no state", b"{}"),
    ("a state that is none", b'{"state": "evil"}'),
    ("a state that is a list", b'{"state": []}'),
    ("a message that is a number", b'{"state": "failed", "message": 3}'),
    ("a step that is text", b'{"state": "running", "step": "<b>"}'),
    ("a step below 0", b'{"state": "running", "step": -1}'),
    ("a process below 0", b'{"state": "running", "process": -1}'),
    ("a process beyond all", b'{"state": "running", "process": 99999999999999999999}'),
    ("a time that is text", b'{"state": "running", "created": "now"}'),
]

NAMES = [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "a\\b",
    "/etc",
    "C:",
    ".hidden",
    "a..b",
    "x" * 65,
    "sp ace",
    "nul\0",
    "ä",
    "-rf",
    "a\nb",
    "~",
    "$HOME",
    "%2e%2e",
    "<b>",
    "a'b",
    'a"b',
]
