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

from bon_core.config import InputError, check
from bon_core.embeddings import EmbeddingSet
from bon_core.files import whole_folder

VERSION = 1
NEIGHBOURS_KEPT = 20
ARRAYS = {  # name: (dtype, rank)
    "ids": (np.int64, 1),
    "labels": (np.int32, 1),
    "split": (np.uint8, 1),
    "vectors": (np.float16, 2),  # (N, D) unit
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
            meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise InputError(
                f"{path} is not a snapshot (its meta.json: {error}); make it anew with: snapshot."
            ) from error
        check(
            meta["version"] <= VERSION,
            f"Snapshot {path} is of version {meta['version']}, but this program reads up to {VERSION}; update it.",
        )
        snapshot = cls(path, meta)
        for name in ARRAYS:
            snapshot._read(name)
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

    @cached_property
    def fields(self) -> dict[str, tuple[np.ndarray, list[str]]]:
        """What the data set knows of each sample: name -> (codes (N,), categories)."""
        return {name: (self._read(FIELD_PREFIX + key), names) for name, key, names in self.meta["fields"]}

    @cached_property
    def position_of(self) -> dict[int, int]:
        """id -> row."""
        return {int(identity): row for row, identity in enumerate(self.ids)}

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Rows of `ids`; those not here are left out."""
        order = np.argsort(self.ids, kind="stable")
        found = np.searchsorted(self.ids, ids, sorter=order).clip(max=len(self) - 1)
        rows = order[found]
        return rows[self.ids[rows] == ids]

    def embedding(self) -> EmbeddingSet:
        """The vectors as float32, normalised again after their stay in float16."""
        return EmbeddingSet.of(
            np.asarray(self.vectors), np.asarray(self.labels), ids=np.asarray(self.ids), class_names=self.class_names
        )

    def _read(self, name: str) -> np.ndarray:
        path = self.path / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"The snapshot's file {path.name} is missing or cut short; make the snapshot anew with: snapshot."
            ) from error
        kind, rank = ARRAYS.get(name, (array.dtype, 1))
        per_sample = name not in ("hash_mean", "hash_projection", "centroids", "masks")
        check(
            array.dtype == kind and array.ndim == rank and (not per_sample or len(array) == self.meta["samples"]),
            f"The snapshot's file {path.name} holds {array.dtype} of shape {array.shape}, which does not fit"
            f" {self.meta['samples']} samples; make the snapshot anew with: snapshot.",
        )
        return array


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
        name -> (N,) str, kept as codes and categories.
    meta
        JSON values; must hold step, epoch, class_names, learners, metrics and what the views ask for.
    """
    missing = set(ARRAYS) ^ set(arrays)
    assert not missing, f"snapshot arrays differ from the format: {missing}"
    with whole_folder(path) as temporary:
        listed = []
        for number, (name, values) in enumerate(fields.items()):
            names, codes = np.unique(np.asarray(values).astype(str), return_inverse=True)
            np.save(temporary / f"{FIELD_PREFIX}{number}.npy", codes.astype(np.int32))
            listed.append((name, str(number), names.tolist()))
        for name, (kind, _) in ARRAYS.items():
            np.save(temporary / f"{name}.npy", np.asarray(arrays[name]).astype(kind))
        whole_meta = {"version": VERSION, "samples": len(arrays["ids"]), "fields": listed, **meta}
        (temporary / "meta.json").write_text(json.dumps(whole_meta, ensure_ascii=False), encoding="utf-8")
    return Snapshot.open(path)
