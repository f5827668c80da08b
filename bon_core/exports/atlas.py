"""A Parquet file that Embedding Atlas opens as it is: the map, the true neighbours, the pictures, all known columns."""

from typing import Any

import numpy as np

from bon_core.datasets.sizes import png
from bon_core.exports.pictures import images_of, pictures
from bon_core.exports.tables import lists, points, writable, write_table
from bon_core.runs.run import Run

X, Y, NEIGHBOURS, IMAGE = "projection_x", "projection_y", "neighbors", "image"
PICTURE = 64  # px, at most
MAX_PICTURES = 200_000  # all rows go to the browser at once


def write(run: Run, out: str) -> dict[str, Any]:
    """Write the newest snapshot to the Parquet file `out`.

    Columns are those of `export --what points`, and
    - projection_x, projection_y: the map
    - neighbors: {"ids": rows of this file, nearest first, "distances": ...}, searched in the full space; Atlas's
      --sample would break them
    - image: {"bytes": PNG}, where the run has pictures and at most MAX_PICTURES samples

    Raises
    ------
    InputError
        If there is no snapshot, or `out` does not end in .parquet.
    """
    import pyarrow as pa

    path = writable(out, (".parquet",))
    shot = run.snapshot()
    known = points(shot)
    columns = {X: known.pop("x"), Y: known.pop("y"), **known}
    neighbours = lists(np.asarray(shot.neighbours)), lists(shot.neighbour_distances.astype(np.float32))
    ready = {NEIGHBOURS: pa.StructArray.from_arrays(neighbours, names=["ids", "distances"])}
    images = images_of(run, shot) if len(shot) <= MAX_PICTURES else None
    if images is not None:
        files = [png(cell) for cell in pictures(images, shot.ids, min(images.size, PICTURE))]
        ready[IMAGE] = pa.StructArray.from_arrays([pa.array(files, pa.binary())], names=["bytes"])
    write_table(path, columns, ready)
    shown = f" --image {IMAGE}" if images is not None else ""
    return {
        "run": run.name,
        "rows": len(shot),
        "pictures": "none" if images is None else f"{min(images.size, PICTURE)} px",
        "file": str(path),
        "open_with": f"embedding-atlas {path} --x {X} --y {Y} --neighbors {NEIGHBOURS}{shown}",
    }
