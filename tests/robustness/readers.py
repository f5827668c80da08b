"""Every reader of files that people bring, as a function of bytes, with good files to start from."""

import contextlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bon_core.config import DataConfig, InputError, RunConfig
from bon_core.datasets import load_images, load_vectors
from bon_core.runs import store
from bon_core.runs.run import Run
from bon_core.runs.snapshot import Snapshot
from bon_core.training.checkpoint import load_tree, save_tree
from tests.app.tiny import make_images, make_run
from tests.robustness import hostile
from tests.robustness.hostile import EXECUTED, artefacts, pictures, settings, vectors

__all__ = ["EXECUTED", "READERS"]


@dataclass(frozen=True)
class Reader:
    """read(content) raises InputError or nothing; seeds: good files and some that are nearly so."""

    read: Callable[[bytes], Any]
    seeds: list[bytes]


def _of_files(folder: Path, name: str, read: Callable[[Path], Any], makers: list[hostile.Maker]) -> Reader:
    path = folder / name

    def read_bytes(content: bytes) -> None:
        path.write_bytes(content)
        read(path)

    seeds = []
    for make in makers:
        home = Path(tempfile.mkdtemp(dir=folder))
        seeds.append(make(home).read_bytes())
        shutil.rmtree(home)
    return Reader(read_bytes, seeds)


def _npz(folder: Path) -> Reader:
    evil = vectors.npz(labels=hostile.objects(*[hostile.Evil()] * 6))
    named = vectors.npz(class_names=np.array(list("abc")), split=np.array([0, 1, 2, 0, 1, 2]), ids=np.arange(6))
    return _of_files(folder, "e.npz", load_vectors, [vectors.WHOLE_NPZ, named, evil])


def _npy(folder: Path) -> Reader:
    np.save(folder / "v_labels.npy", hostile.LABELS)
    lying = vectors.npy(vectors=vectors.lying_npy(vectors.described("(6, 4)"), bytes(192)))
    return _of_files(folder, "v.npy", load_vectors, [vectors.npy(), lying])


def _parquet(folder: Path) -> Reader:
    wide = vectors.parquet(vector=None, x0=[0.5] * 6, x1=[1.5] * 6)
    return _of_files(
        folder, "e.parquet", load_vectors, [vectors.WHOLE_PARQUET, wide, vectors.parquet(vector=[[[1.0]]] * 6)]
    )


def _images(folder: Path) -> Reader:
    def read(path: Path) -> None:
        load_images(DataConfig(name=str(path), image_size=8))

    packed = pictures.zipped(packing=zipfile.ZIP_DEFLATED)
    return _of_files(folder, "set.zip", read, [pictures.zipped(), packed, pictures.linked_zip("../x")])


def _pictures(folder: Path) -> Reader:
    """One picture of each format inside a good zip."""
    from PIL import Image

    noise = Image.effect_noise((24, 24), 80)
    seeds = [pictures.encoded(noise.convert(mode), kind) for kind, mode in PICTURES]
    path = folder / "set.zip"

    def read(content: bytes) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, one in {**pictures.GOOD, "b/3.png": content}.items():
                archive.writestr(name, one)
        load_images(DataConfig(name=str(path), image_size=8))

    return Reader(read, seeds)


PICTURES = [
    ("PNG", "RGB"),
    ("PNG", "P"),
    ("JPEG", "L"),
    ("JPEG", "CMYK"),
    ("GIF", "P"),
    ("TIFF", "RGB"),
    ("BMP", "RGB"),
]
PICTURES += [("WEBP", "RGB"), ("PPM", "RGB")]


def _image_set(folder: Path) -> Reader:
    def read(path: Path) -> None:
        load_images(DataConfig(name=str(path)))

    return _of_files(folder, "set.npz", read, [pictures.image_set()])


def _config(folder: Path) -> Reader:
    def read(path: Path) -> None:
        _ = Run(path.parent).config

    whole = json.loads(RunConfig().to_json())
    return _of_files(folder, "config.json", read, [settings.config(**whole), settings.config(training={"epochs": 3})])


def _checkpoint(folder: Path) -> Reader:
    import torch

    tree = {"step": 3, "network": {"weight": torch.arange(6.0)}, "state": {0: [torch.ones(2, 2), None, True]}}
    save_tree(folder / "seed.safetensors", tree)
    seeds = [
        (folder / "seed.safetensors").read_bytes(),
        artefacts.tree('{"a": {"__tensor__": "t0"}}'),
        artefacts.tree("{}"),
    ]
    path = folder / "c.safetensors"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_tree(path)

    return Reader(read, seeds)


def _snapshot(folder: Path) -> Reader:
    """The meta.json of a snapshot, and one array after the other."""
    run = make_run(folder, make_images(folder), folder / "tiny.npz", steps=(20,))
    path = run.snapshot_path(20)
    names = ["meta.json", "labels.npy", "neighbours.npy", "codes.npy", "xy.npy", "field-0.npy"]
    whole = {name: (path / name).read_bytes() for name in names}

    def read(content: bytes) -> None:
        for name in names[:1] if content[:1] == b"{" else names[1:]:
            (path / name).unlink()  # the file before may still be mapped
            (path / name).write_bytes(content)
            with contextlib.suppress(InputError):
                opened = Snapshot.open(path)
                _ = opened.fields, opened.class_names, opened.metrics, opened.embedding()
            (path / name).unlink()
            (path / name).write_bytes(whole[name])

    return Reader(read, [whole["meta.json"], *list(whole.values())[1:]])


def _run(folder: Path) -> Reader:
    """The records of a run: status, events, previews, log."""
    run = store.create("run", RunConfig(), command="as tested", folder=folder)
    (run.path / "previews").mkdir()
    names = ["status.json", "events.jsonl", "log.jsonl", "previews/step-0000010.npz"]

    def read(content: bytes) -> None:
        for name in names:
            (run.path / name).write_bytes(content)
        assert run.status().state
        assert all(isinstance(event["step"], int) for event in run.events())
        run.logged()
        run.preview(10)

    file = io.BytesIO()
    np.savez(file, step=10, ids=np.arange(3), xy=np.zeros((3, 2)))
    statuses = [(run.path / "status.json").read_bytes(), (run.path / "events.jsonl").read_bytes()]
    return Reader(read, [file.getvalue(), *statuses])


READERS: dict[str, Callable[[Path], Reader]] = {
    "npz": _npz,
    "npy": _npy,
    "parquet": _parquet,
    "images": _images,
    "pictures": _pictures,
    "image-set": _image_set,
    "config": _config,
    "checkpoint": _checkpoint,
    "snapshot": _snapshot,
    "run": _run,
}
