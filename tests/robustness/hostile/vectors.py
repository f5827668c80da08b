"""Files of embeddings: .npz, .npy, Parquet and others."""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.robustness.hostile import (
    LABELS,
    VECTORS,
    Case,
    Evil,
    Maker,
    cut,
    damaged,
    encrypted,
    made_folder,
    method,
    objects,
    written,
    zeros,
)


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
    ("one number", npz(vectors=np.array(3.0)), "must be real numbers"),
    ("both numbers", npz(vectors=np.array(3.0), labels=np.array(3)), "must be real numbers"),
    ("rank 3", npz(vectors=VECTORS[:, :, None]), r"\(6, 4, 1\)"),
    ("no rows", npz(vectors=VECTORS[:0], labels=LABELS[:0]), r"\(0, 4\)"),
    ("no columns", npz(vectors=VECTORS[:, :0]), r"\(6, 0\)"),
    ("complex", npz(vectors=VECTORS.astype(complex)), "complex128"),
    ("text vectors", npz(vectors=VECTORS.astype(str)), "must be real numbers"),
    ("bytes vectors", npz(vectors=VECTORS.astype("S8")), "must be real numbers"),
    ("dates", npz(vectors=VECTORS.astype("M8[s]")), "must be real numbers"),
    ("booleans", npz(vectors=VECTORS > 0), "must be real numbers"),
    ("records", npz(vectors=np.zeros((6, 4), [("a", "f4")])), "must be real numbers"),
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
    ("a part of another name", npz(split=np.array(["train"] * 5 + ["gallery"])), "value gallery"),
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
    ("rank 1", npy(vectors=VECTORS[0]), "must be real numbers|labels of shape"),
    ("NaN", npy(vectors=bad(0, np.nan)), "NaN"),
    ("text", npy(vectors=VECTORS.astype(str)), "must be real numbers"),
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
    (
        "a footer that contradicts itself",  # PyArrow ends the process where its metadata is asked for columns
        damaged(WHOLE_PARQUET, lambda content: content.replace(b"\x25\x02\x18\x05label", b"\x25\x00\x18\x05label")),
        "not a whole Parquet",
    ),
    ("no rows", parquet(vector=pa.array([], pa.list_(pa.float32())), label=pa.array([], pa.string())), r"\(0, 0\)"),
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
    ("lists of text", parquet(vector=[["a", "b"]] * 6), "must be real numbers"),
    ("lists of booleans", parquet(vector=[[True, False]] * 6), "must be real numbers"),
    ("lists of dates", parquet(vector=pa.array([[1, 2]] * 6, pa.list_(pa.timestamp("s")))), "must be real numbers"),
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
    ("a part that is none", parquet(split=["train"] * 5 + ["gallery"]), "value gallery"),
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
