"""Snapshot: all that a view needs of one checkpoint, as files. Reading needs numpy alone and maps the files.

A snapshot holds N samples of every split. Rows are *positions*; `ids` names them for links and selections.
Neighbours are searched within a split, so that test samples are only ever retrieved from test samples.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.files import check_regular, read_json, reason_of, whole_folder
from bon_core.base.ids import rows_of
from bon_core.config import InputError, check
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.evaluation.distances import spread

VERSION = 1
NEIGHBOURS_KEPT = 20
NARROW = 0.05  # mean distance of the vectors from their mean: below, float16 rounds away what differs
ARRAYS = {  # name: (dtype, rank)
    "ids": (np.int64, 1),
    "labels": (np.int32, 1),
    "split": (np.uint8, 1),
    "vectors": (np.float16, 2),  # (N, D) unit; float32 where float16 could not tell them apart
    "xy": (np.float32, 2),  # (N, 2) UMAP
    "trust": (np.float16, 1),  # share of a point's true neighbours that are its neighbours on the map
    "codes": (np.int64, 1),  # BoN code by the final hasher
    "stored_codes": (np.int64, 1),  # code in the miner's table, -1 where it has none
    "clusters": (np.int16, 1),  # test samples: the nearest centroid
    "cluster_distance": (np.float16, 1),  # to the own centroid
    "neighbours": (np.int32, 2),  # (N, k) positions, nearest first
    "neighbour_distances": (np.float16, 2),
    "correct": (np.bool_, 1),  # nearest neighbour has the same class
    "hardness": (np.float16, 1),  # d(nearest of own class) - d(nearest of another): above 0 the retrieval is wrong
    "hash_mean": (np.float32, 1),  # (D,)
    "hash_projection": (np.float32, 2),  # (D, S)
    "centroids": (np.float32, 2),  # (K, D)
    "masks": (np.float32, 2),  # (K, D) what each learner sees of the embedding
}
FIELD_PREFIX = "field-"
NO_VALUE = "no value"  # the category of a number that is not there
META: dict[str, type | tuple[type, ...]] = {  # what views take for granted in meta.json
    "version": int,
    "samples": int,
    "step": int,
    "epoch": (int, float),
    "learners": int,
    "class_names": list,
    "metrics": dict,
    "fields": list,
    "origin": str,
    "data": str,
}


@dataclass(frozen=True)
class Snapshot:
    """One opened snapshot. Every name in ARRAYS is an attribute: a read-only, memory-mapped array."""

    path: Path
    meta: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Snapshot":
        """Open a snapshot folder.

        Raises
        ------
        InputError
            If it is no snapshot, of a newer version, or a file is missing or cut short.
        """
        path = Path(path)
        try:
            meta = read_json(path / "meta.json")
        except InputError as error:
            raise InputError(
                f"{path} is not a snapshot (its meta.json: {reason_of(error)}); make it anew with: {_remedy(path)}."
            ) from error
        _check_meta(path, meta)
        snapshot = cls(path, meta)
        for name in ARRAYS:
            snapshot._read(name)
        snapshot._check_references()
        return snapshot

    def __getattr__(self, name: str) -> np.ndarray:
        if name not in ARRAYS:
            raise AttributeError(name)
        array = self._read(name)
        object.__setattr__(self, name, array)
        return array

    def __len__(self) -> int:
        return self.meta["samples"]

    @property
    def class_names(self) -> list[str]:
        return self.meta["class_names"]

    @property
    def learners(self) -> int:
        """K of the network; the clusters of an undivided run were made afterwards, to look at."""
        return self.meta["learners"]

    @property
    def bits(self) -> int:
        return self.hash_projection.shape[1]

    @property
    def step(self) -> int:
        return self.meta["step"]

    @property
    def metrics(self) -> dict[str, Any]:
        """By split name: recall@1.., map@r, r_precision, nmi, queries, classes, protocol."""
        return self.meta["metrics"]

    @property
    def collapse(self) -> str | None:
        """A sentence if the vectors are one point, a few, or nearly one: figures and map then say little."""
        said = self.meta.get("collapse")
        return said if isinstance(said, str) else None

    @cached_property
    def fields(self) -> dict[str, tuple[np.ndarray, list[str]]]:
        """What the data set knows of each sample: name -> (codes (N,), categories); those of numbers are ascending."""
        found = {name: (self._read(FIELD_PREFIX + key), names) for name, key, names in self.meta["fields"]}
        for name, (codes, names) in found.items():
            check(
                codes.dtype.kind in "iu" and codes.min() >= 0 and codes.max() < len(names),
                f"The field {name!r} of the snapshot does not fit its {len(names)} categories; {self._remedy}.",
            )
        return found

    @cached_property
    def numbers(self) -> dict[str, np.ndarray]:
        """Those fields that are of numbers: name -> (N,) float64, NaN where there is none."""
        listed = self.meta.get("numbers")
        names = [name for name in self.fields if name in (listed if isinstance(listed, list) else [])]
        return {name: _floats(self.fields[name][1])[self.fields[name][0]] for name in names}

    @cached_property
    def position_of(self) -> dict[int, int]:
        """id -> row."""
        return {int(identity): row for row, identity in enumerate(self.ids)}

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Rows of `ids`; those not here are left out."""
        rows = rows_of(self.ids, ids)
        return rows[rows >= 0]

    def embedding(self) -> EmbeddingSet:
        """The vectors as float32, normalised again after their stay in float16."""
        return EmbeddingSet.of(
            np.asarray(self.vectors), np.asarray(self.labels), ids=np.asarray(self.ids), class_names=self.class_names
        )

    @property
    def _remedy(self) -> str:
        """What to do when a file of it is damaged."""
        again = _remedy(self.path)
        if self.meta["origin"] == "trained":
            return f"make the snapshot anew with: {again}"
        return f"delete the run and bring its vectors again with: {again} --embeddings FILE"

    def _read(self, name: str) -> np.ndarray:
        path = self.path / f"{name}.npy"
        try:
            check_regular(path)
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except InputError as error:  # a pipe, a folder, a device
            what = str(error).partition(";")[0]
            raise InputError(f"{what}; {self._remedy}.") from error
        except Exception as error:  # a lying header makes numpy and ast raise half a dozen types
            raise InputError(f"The snapshot's file {path.name} is missing or cut short; {self._remedy}.") from error
        kind, rank = ARRAYS.get(name, (array.dtype, 1))
        per_sample = name not in ("hash_mean", "hash_projection", "centroids", "masks")
        fits = array.dtype == kind or (name == "vectors" and array.dtype == np.float32)
        check(
            fits and array.ndim == rank and (not per_sample or len(array) == self.meta["samples"]),
            f"The snapshot's file {path.name} holds {array.dtype} of shape {array.shape}, which does not fit"
            f" {self.meta['samples']} samples; {self._remedy}.",
        )
        return array

    def _check_references(self) -> None:
        """Raise InputError if a number that stands for a row, class, split, cluster or bucket stands for none."""
        bounds = {
            "labels": (0, len(self.class_names)),
            "split": (0, 3),
            "neighbours": (0, len(self)),
            "codes": (0, 2**self.bits),
            "stored_codes": (-1, 2**self.bits),
            "clusters": (-1, len(self.centroids)),
        }
        for name, (least, beyond) in bounds.items():
            array = self._read(name)
            check(
                array.size > 0 and least <= array.min() and array.max() < beyond,
                f"The snapshot's file {name}.npy does not hold numbers from {least} to {beyond - 1}, each for one"
                f" that is there; {self._remedy}.",
            )
        widths = {self.vectors.shape[1], *self.hash_mean.shape, len(self.hash_projection), self.centroids.shape[1]}
        check(
            len(widths | {self.masks.shape[1]}) == 1 and self.xy.shape[1] == 2 and bool(np.isfinite(self.xy).all()),
            f"The arrays of the snapshot {self.path} are of different widths, or its map is not of finite numbers;"
            f" {self._remedy}.",
        )


def _check_meta(path: Path, meta: Any) -> None:
    check(
        isinstance(meta, dict) and type(meta.get("version")) is int,
        f"{path} is not a snapshot; make it anew with: {_remedy(path)}.",
    )
    check(
        meta["version"] <= VERSION,
        f"Snapshot {path} is of version {meta['version']}, but this program reads up to {VERSION}; update it.",
    )
    wrong = [name for name, kind in META.items() if not isinstance(meta.get(name), kind)]
    check(not wrong, f"The meta.json of snapshot {path} has no right {wrong[:1]}; make it anew with: {_remedy(path)}.")
    names = [*meta["class_names"], *(text for field in meta["fields"] for text in _texts_of(field))]
    check(
        all(isinstance(name, str) for name in names)
        and all(isinstance(found, dict) for found in meta["metrics"].values()),
        f"The meta.json of snapshot {path} names classes, fields or metrics by what is no text; make it anew with:"
        f" {_remedy(path)}.",
    )


def _remedy(path: Path) -> str:
    """The command that makes a snapshot anew: it lies in RUN/snapshots/step-NUMBER."""
    run = path.parent.parent.name if path.parent.name == "snapshots" else ""
    return f"snapshot --run {run or 'NAME'}"


def _texts_of(field: Any) -> list[Any]:
    """The name and categories of a field [name, number, categories]; [None] if it is none. A number is no path."""
    if isinstance(field, list) and len(field) == 3 and str(field[1]).isdecimal() and isinstance(field[2], list):
        return [field[0], *field[2]]
    return [None]


def _categories(values: np.ndarray) -> list[str]:
    """Different values of a field as text."""
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    return [NO_VALUE if np.isnan(value) else str(value) for value in values]


def _floats(categories: list[str]) -> np.ndarray:
    """The numbers that categories stand for, (P,) float64; NaN for what is none."""
    try:
        return np.array([np.nan if name == NO_VALUE else float(name) for name in categories])
    except ValueError:
        return np.full(len(categories), np.nan)


def write(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    fields: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
) -> Snapshot:
    """Write a snapshot folder, whole or not at all.

    Parameters
    ----------
    arrays
        Every name in ARRAYS; converted to its dtype.
    fields
        name -> (N,) text or numbers, kept as codes and categories.
    meta
        JSON values; must hold step, epoch, class_names, learners, metrics and what the views ask for.
    """
    missing = set(ARRAYS) ^ set(arrays)
    assert not missing, f"snapshot arrays differ from the format: {missing}"
    path.parent.mkdir(exist_ok=True)
    with whole_folder(path) as temporary:
        listed = []
        for number, (name, values) in enumerate(fields.items()):
            found, codes = np.unique(np.asarray(values), return_inverse=True)
            np.save(temporary / f"{FIELD_PREFIX}{number}.npy", codes.astype(np.int32))
            listed.append((name, str(number), _categories(found)))
        for name, (kind, _) in ARRAYS.items():
            exact = name == "vectors" and spread(arrays[name]) < NARROW
            np.save(temporary / f"{name}.npy", np.asarray(arrays[name]).astype(np.float32 if exact else kind))
        numbers = [name for name, values in fields.items() if np.asarray(values).dtype.kind in "iuf"]
        whole_meta = {
            "version": VERSION,
            "samples": len(arrays["ids"]),
            "fields": listed,
            "numbers": numbers,
            **meta,
        }
        (temporary / "meta.json").write_text(json.dumps(whole_meta, ensure_ascii=False), encoding="utf-8")
    return Snapshot.open(path)
