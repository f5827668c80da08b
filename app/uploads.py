"""Data that somebody brings: kept beside the runs, looked at before anything is started on it."""

import contextlib
import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from bon_core.base import paths
from bon_core.base.files import path_of, whole_file
from bon_core.config import DataConfig, InputError, check
from bon_core.datasets import VectorSet, holds_vectors, huggingface, lasting_name, load_data, load_images, load_vectors
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.datasets.labelled import TRAIN
from bon_core.datasets.vectors import load_vector_set

A_PATH = "a path …"  # the choice on the Train page beside which a path is given
FOLDER = ".uploads"  # inside the runs folder; a leading dot hides it from the list of runs
CHUNK = 1 << 20
LONGEST_NAME = 80  # characters, with the suffix


@dataclass(frozen=True)
class Brought:
    """What a file or folder holds: images to train on, or vectors to explore and to train a head on."""

    source: str  # as DataConfig.name has it, holding in any folder
    kind: str  # "images" or "vectors"
    samples: int
    classes: int
    width: int  # pixels of an image, dimensions of a vector
    why_not: str = ""  # a sentence, where vectors can be explored but not trained on
    details: str = ""  # where it came from, what was passed over, what to know
    class_level: int | None = None  # as DataConfig has it

    @property
    def stem(self) -> str:
        """A run's name made of the file's."""
        name = Path(self.source.split(",")[0]).stem if huggingface.named(self.source) else Path(self.source).stem
        return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:40] or "data"


def bring(name: str, file: BinaryIO, class_level: int | None = None) -> Brought:
    """Keep an uploaded file beside the runs and say what it holds; one that cannot be used is not kept.

    Raises
    ------
    InputError
        If it cannot be used, or there is no room for it: a sentence with the remedy.
    """
    try:
        path, made = _kept(name, file)
    except OSError as error:
        raise InputError(
            f"{name} cannot be kept in {paths.runs_folder()} ({error.strerror or error}); make room there, or give its"
            " path instead."
        ) from error
    try:
        return inspect(str(path), class_level)
    except BaseException:  # also Streamlit's own, when the visitor moves on meanwhile
        if made:  # else somebody has brought it before, and a run may stand on it
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another file of the same content lies there
                path.parent.rmdir()
        raise


def keep(name: str, file: BinaryIO) -> Path:
    """Write an uploaded file beside the runs and return its path: a folder of its content, so that another file of the
    same name does not take its place, and a harmless name.
    """
    return _kept(name, file)[0]


def _kept(name: str, file: BinaryIO) -> tuple[Path, bool]:
    """As `keep`, and whether the file was not there before."""
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    folder = paths.runs_folder() / FOLDER / digest.hexdigest()[:16]
    path = folder / (re.sub(r"[^\w.-]+", "-", Path(name).name).lstrip(".-")[-LONGEST_NAME:] or "upload")
    if path.exists():  # whole, as it was written whole
        return path, False
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary, temporary.open("wb") as out:
        shutil.copyfileobj(file, out, CHUNK)
    return path, True


def has_folders(source: str) -> bool:
    """Whether its images lie in folders, of which one names the class."""
    return not huggingface.named(source) and (source.lower().endswith(".zip") or path_of(source).is_dir())


def inspect(source: str, class_level: int | None = None) -> Brought:
    """Read a file, a folder or, by hf:NAME, a Hugging Face data set whole and say what it holds.

    class_level : which folder names the class; for what has no folders it is left aside

    Raises
    ------
    InputError
        If there is nothing, or it cannot be used: a sentence with the remedy.
    """
    if huggingface.named(source):
        return _images(source)
    path = path_of(source)
    check(path.exists(), f"There is nothing at {path}; check the path, it must be one on the machine of the explorer.")
    return _vectors(path) if holds_vectors(path) else _images(source, class_level if has_folders(source) else None)


class TrainingPart(NamedTuple):
    """The training half of a data set: what it is of, how many, and its classes of two samples or more."""

    kind: str  # "images" or "vectors"
    samples: int
    classes: int
    intake: str = ""  # what was read and what was passed over


def training_part(data: str, class_level: int | None = None) -> TrainingPart:
    """What there is to train on in a named set or a path; raises as `load_data`."""
    found = load_data(DataConfig(name=data, class_level=class_level))
    labels = found.labels[found.split == TRAIN]
    kind = "vectors" if isinstance(found, VectorSet) else "images"
    return TrainingPart(kind, len(labels), int((np.bincount(labels) >= 2).sum()), found.report.sentence())


def _images(source: str, class_level: int | None = None) -> Brought:
    images = load_images(DataConfig(name=source, class_level=class_level))
    for part in ("train", "test"):
        images.part(part)  # both must be there to train and to measure
    return Brought(
        lasting_name(source),
        "images",
        len(images),
        len(np.unique(images.labels)),
        images.size,
        details=images.report.details(),
        class_level=class_level,
    )


def _vectors(path: Path) -> Brought:
    try:
        found: VectorSet | EmbeddingSet = load_vector_set(path)
        why_not = ""
    except InputError as error:  # one that has no classes to test on may still be explored
        found, why_not = load_vectors(path)[0], str(error)
    return Brought(
        str(path.resolve()),
        "vectors",
        len(found),
        len(np.unique(found.labels)),
        found.vectors.shape[1],
        why_not,
        found.report.details(),
    )
