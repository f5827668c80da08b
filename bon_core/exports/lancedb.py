"""Vectors, and all that is known of each sample, as a LanceDB database: for what outgrows one memory, or goes to serve.

LanceDB is a library over files, on disk or in an object store, with no server to run: what is written and tested here
is the engine that will answer. It takes Arrow batches, so that vectors stream out of the memory-mapped snapshot.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.base.files import whole_folder
from bon_core.config import InputError
from bon_core.exports.folders import folder_for
from bon_core.exports.tables import points
from bon_core.runs.run import Run
from bon_core.runs.snapshot import Snapshot

if TYPE_CHECKING:
    import lancedb
    import pyarrow as pa

TABLE, VECTOR = "samples", "vector"
INDEXED_FROM = 100_000  # rows; below, its scan of all is fast and right
ASKED, FOUND = 200, 10  # queries by which the index is measured, and neighbours of each


def write(run: Run, out: str) -> dict[str, Any]:
    """Write the newest snapshot into the folder `out`, as the table `samples`.

    Columns are those of `export --what points`, and `vector`, (D,) float32 of unit length. Many rows get an index, and
    the recall that it leaves is measured.

    Raises
    ------
    InputError
        If LanceDB is not installed, there is no snapshot, or the folder holds something else.
    """
    try:
        import lancedb.index
    except ImportError as error:
        raise InputError("LanceDB is not installed; run: pip install lancedb.") from error
    shot = run.snapshot()
    folder = folder_for(out, f"{TABLE}.lance")
    recall = None
    with whole_folder(folder) as temporary:
        table = lancedb.connect(temporary).create_table(TABLE, _batches(shot))
        if len(shot) >= INDEXED_FROM:
            table.create_index(VECTOR, config=lancedb.index.HnswSq(distance_type="cosine"))
            recall = _recall(table, shot)
    return {
        "run": run.name,
        "rows": len(shot),
        "width": shot.vectors.shape[1],
        "index": "none: it compares with all" if recall is None else "IVF_HNSW_SQ",
        **({} if recall is None else {f"recall@{FOUND}": recall}),
        "folder": str(folder),
        "open_with": f'lancedb.connect("{folder}").open_table("{TABLE}").search(v).distance_type("cosine").to_pandas()',
    }


def _batches(shot: Snapshot) -> "pa.RecordBatchReader":
    import pyarrow as pa

    columns = points(shot)
    width = shot.vectors.shape[1]

    def batch(rows: slice) -> pa.RecordBatch:
        vectors = np.asarray(shot.vectors[rows], np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return pa.record_batch(
            {
                VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width),
                **{name: pa.array(values[rows]) for name, values in columns.items()},
            }
        )

    return pa.RecordBatchReader.from_batches(batch(slice(1)).schema, map(batch, row_chunks(len(shot))))


def _recall(table: "lancedb.Table", shot: Snapshot) -> float:
    """Share of the nearest that the index finds, of those that comparing with all finds."""
    rows = np.sort(np.random.default_rng(0).choice(len(shot), ASKED, replace=False))
    shares = []
    for vector in np.asarray(shot.vectors[rows], np.float32):
        search: Any = table.search(vector)  # of vectors, but its type says of anything
        search = search.distance_type("cosine").select(["id"]).limit(FOUND)
        found = search.to_arrow()["id"].to_numpy()
        shares.append(np.isin(search.bypass_vector_index().to_arrow()["id"].to_numpy(), found).mean())
    return float(np.mean(shares))
