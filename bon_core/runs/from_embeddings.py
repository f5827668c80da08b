"""A run made of embeddings as they are: to explore, nothing is trained."""

import time
from pathlib import Path

import numpy as np

from bon_core.base import paths
from bon_core.config import RunConfig
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.datasets.image_set import ImageSet
from bon_core.division.slices import block_masks
from bon_core.runs import store
from bon_core.runs.build_snapshot import CLUSTERS_TO_LOOK_AT, Progress, build_snapshot, fitted_division, fitted_hashing
from bon_core.runs.run import IMAGES, Run, Status
from bon_core.runs.snapshot import Snapshot

KNOWN = {  # what the views and exports know of each sample
    *("id", "class", "split", "x", "y", "trust", "bucket", "bit", "cluster", "correct", "hardness", "nearest"),
    "nearest_distance",
}


def run_of_embeddings(
    path: Path,
    embeddings: EmbeddingSet,
    split: np.ndarray,
    *,
    data: str,
    images: ImageSet | None = None,
    digest: str | None = None,
    progress: Progress = lambda share, text: None,
) -> Snapshot:
    """Make the run directory `path` of embeddings as they are; it is there when all is done, or not at all.

    data : where they come from, for the views; images : with the same ids; digest : of the input, to know it again.
    A field named as something that the views know of every sample is called "given NAME".
    """
    vectors = embeddings.vectors
    fields = {f"given {name}" if name in KNOWN else name: column for name, column in embeddings.fields.items()}
    with store.made(path, RunConfig()) as run:
        if images is not None:
            images.save(run.path / IMAGES)
        build_snapshot(
            run.snapshot_path(0),
            embeddings,
            split,
            fields=fields,
            hashing=fitted_hashing(vectors),
            division=fitted_division(vectors, CLUSTERS_TO_LOOK_AT, seed=0),
            masks=block_masks(vectors.shape[1], 1),
            meta={
                "step": 0,
                "epoch": 0.0,
                "origin": "embeddings",
                "data": data,
                "baseline": None,
                "digest": digest,
                "intake": embeddings.intake.sentence() if embeddings.intake else "",
            },
            indexes=paths.indexes_folder(),
            progress=progress,
        )
        run.log("finished", data=data, samples=len(embeddings))
        run.write_status(Status(state="finished", created=time.time()))
    return Run(path).snapshot()
