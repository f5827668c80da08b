"""Checkpoints, weights, snapshots and whole runs of strangers: made out of good ones."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.robustness.hostile import Evil, cut, damaged, objects
from tests.robustness.hostile.vectors import described, lying_npy


def safetensors(header: Any, content: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file with this header, a JSON value or bytes, that says it is so long."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def tensor(start: int = 0, end: int = 8, *, shape: Any = (2,), kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": list(shape) if isinstance(shape, tuple) else shape, "data_offsets": [start, end]}


def tree(text: str, version: str = "2") -> bytes:
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
    ("a newer version", tree("{}", "3"), "version 3"),
    ("an older version", tree("{}", "1"), "version 1, from before .* train a new run"),
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
        for name in ("network", "optimizer", "sampler", "step", "callbacks")
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
        setting("sampler", "samplers", "joint", "table.position", value=longer),
        "table.position of shape",
    ),
    ("a table that is a list", setting("sampler", "samplers", "joint", value=[]), "does not fit"),
    ("a sampler that is none", setting("sampler", value=None), "does not fit"),
    (
        "members beyond the data",
        lambda whole: whole["sampler"]["samplers"]["parts"][0]["members"].add_(10_000),
        "does not fit",
    ),
    ("fewer clusters", setting("sampler", "clusters", value=lambda labels: labels[:7]), "its clusters do not number"),
    (
        "clusters beyond the centroids",
        setting("sampler", "clusters", value=lambda labels: labels + 9),
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
