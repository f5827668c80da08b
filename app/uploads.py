"""Data that somebody brings: kept beside the runs, looked at before anything is started on it."""

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from bon_core import runs
from bon_core.config import DataConfig, InputError, check
from bon_core.datasets import load_images, load_vectors
from bon_core.files import path_of, whole_file

FOLDER = ".uploads"  # inside the runs folder; a leading dot hides it from the list of runs
VECTOR_KINDS = (".npy", ".parquet")
CHUNK = 1 << 20
LONGEST_NAME = 80  # characters, with the suffix


@dataclass(frozen=True)
class Brought:
    """What a file or folder holds: images to train on, or vectors to explore."""

    path: Path
    kind: str  # "images" or "vectors"
    samples: int
    classes: int
    width: int  # pixels of an image, dimensions of a vector

    @property
    def stem(self) -> str:
        """A run's name made of the file's."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.path.stem).strip("-._")[:40] or "data"


def bring(name: str, file: BinaryIO) -> Brought:
    """Keep an uploaded file beside the runs and say what it holds; one that cannot be used is not kept.

    Raises
    ------
    InputError
        If it cannot be used, or there is no room for it: a sentence with the remedy.
    """
    try:
        path = keep(name, file)
    except OSError as error:
        raise InputError(
            f"{name} cannot be kept in {runs.runs_folder()} ({error.strerror or error}); make room there, or give its"
            " path instead."
        ) from error
    try:
        return inspect(path)
    except BaseException:
        shutil.rmtree(path.parent)
        raise


def keep(name: str, file: BinaryIO) -> Path:
    """Write an uploaded file beside the runs and return its path: a folder of its content, so that another file of the
    same name does not take its place, and a harmless name.
    """
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    folder = runs.runs_folder() / FOLDER / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w.-]+", "-", Path(name).name).lstrip(".-")[-LONGEST_NAME:] or "upload")
    with whole_file(path) as temporary, temporary.open("wb") as out:
        shutil.copyfileobj(file, out, CHUNK)
    return path


def inspect(path: Path) -> Brought:
    """Read a file or folder whole and say what it holds.

    Raises
    ------
    InputError
        If there is nothing, or it cannot be used: a sentence with the remedy.
    """
    path = path_of(path)
    check(path.exists(), f"There is nothing at {path}; check the path, it must be one on the machine of the explorer.")
    return _vectors(path) if _holds_vectors(path) else _images(path)


class TrainingPart(NamedTuple):
    """The training half of a data set: its images, and its classes of two images or more."""

    images: int
    classes: int


def training_part(data: str) -> TrainingPart:
    """What there is to train on in a named set or a path; raises as `load_images`."""
    labels = load_images(DataConfig(name=data)).part("train").labels
    return TrainingPart(len(labels), int((np.bincount(labels) >= 2).sum()))


def _holds_vectors(path: Path) -> bool:
    if path.suffix.lower() == ".npz" and path.is_file():
        try:
            with np.load(path, allow_pickle=False) as file:
                return "images" not in file.files
        except Exception:
            return True  # the reader of vectors says what is wrong with it
    return path.suffix.lower() in VECTOR_KINDS


def _images(path: Path) -> Brought:
    images = load_images(DataConfig(name=str(path)))
    for part in ("train", "test"):
        images.part(part)  # both must be there to train and to measure
    return Brought(path, "images", len(images), len(np.unique(images.labels)), images.size)


def _vectors(path: Path) -> Brought:
    embedding, _ = load_vectors(path)
    return Brought(path, "vectors", len(embedding.labels), len(np.unique(embedding.labels)), embedding.vectors.shape[1])
