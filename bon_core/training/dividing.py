"""One division of the data: cluster the present embedding, keep the learners' names, form a team for each cluster.

Divide and conquer (CVPR 2019, sections 3.1 and 3.2). Legend: N data set, D width, K clusters.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bon_core.base.files import whole_file
from bon_core.config import DivisionConfig
from bon_core.division.clustering import Clustering, cluster, match
from bon_core.division.diagnostics import kept
from bon_core.division.heads import MaskedHead, SplitHead
from bon_core.division.schedule import Phase
from bon_core.division.teams import Teams
from bon_core.training.distributed import Ranks


@dataclass(frozen=True)
class Partition:
    """raw: the clustering as k-means gave it; current: with the names that last; paired (N,) bool: kept in batches."""

    raw: Clustering
    current: Clustering
    paired: np.ndarray


def divide(
    vectors: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    *,
    phase: Phase,
    division: DivisionConfig,
    head: SplitHead | MaskedHead,
    teams: Teams,
    previous: Clustering | None,
    seed: int,
    ranks: Ranks | None = None,
) -> Partition:
    """Cluster `features` (N, F) into `phase.of` clusters and let `teams` work apart on them.

    vectors : (N, D) the whole embedding, shown to the teams' tables: as slices while `phase` splits it
    labels : (N,) classes; an image alone in its class inside a cluster stays out of batches until the next division
    previous : the division before, whose names live on unless `division.matching` is "none"
    """
    ranks = ranks or Ranks()
    before = previous if division.matching == "hungarian" else None
    warm = before is not None and len(before.centroids) == phase.of  # twice as many clusters need a start of their own
    if ranks.first:
        raw = cluster(features, phase.of, seed=seed, previous=before.labels if warm else None)
    else:  # as much room
        raw = Clustering(
            np.empty(len(features), np.int64), np.empty((phase.of, features.shape[1]), np.float32), math.nan
        )
    ranks.copy_first(raw.labels, raw.centroids)
    current = raw
    if before is not None:
        current = raw.renamed(match(before.labels, raw.labels, phase.of, len(before.centroids)))
    paired = kept(labels, current.labels)

    whole = torch.from_numpy(vectors).to(teams.device)
    seen = [whole] * phase.of
    if phase.name == "split":
        seen = [head.view(whole, learner, phase.of) for learner in range(phase.of)]
    members = torch.from_numpy(current.labels).to(teams.device, torch.int64)
    teams.divide(members, torch.from_numpy(paired).to(teams.device), seen)
    return Partition(raw, current, paired)


def summary(partition: Partition, before: Clustering | None) -> dict[str, Any]:
    """What is logged of a division that followed `before`."""
    raw, current, paired = partition.raw, partition.current, partition.paired
    return {
        "sizes": np.bincount(current.labels, minlength=len(current.centroids)).tolist(),
        "kept": int(paired.sum()),
        "dropped": int((~paired).sum()),
        "moved": None if before is None else int((current.labels != before.labels).sum()),
        "moved_raw": None if before is None else int((raw.labels != before.labels).sum()),
        "objective": current.objective,
    }


def save_partition(
    file: Path, partition: Partition, before: Clustering | None, *, ids: np.ndarray, step: int, seed: int
) -> None:
    """Write a division of the samples `ids` (N,) that followed `before`, as `Run.clusterings` reads it."""
    raw, current = partition.raw, partition.current
    confusion = np.zeros((len(current.centroids), 1 if before is None else len(before.centroids)), dtype=np.int64)
    if before is not None:
        np.add.at(confusion, (current.labels, before.labels), 1)
    file.parent.mkdir(exist_ok=True)
    with whole_file(file) as path:
        np.savez_compressed(
            path,
            step=step,
            seed=seed,
            ids=ids,
            raw=raw.labels.astype(np.int16),
            aligned=current.labels.astype(np.int16),
            kept=partition.paired,
            centroids=current.centroids.astype(np.float32),
            objective=current.objective,
            confusion=confusion,  # current x previous
        )
