"""Which index answers for how many vectors, how it is searched, and where a built one is kept.

exact    every query meets every vector: right, and fast enough for some ten thousand vectors
hnsw     a graph to walk on (Malkov & Yashunin, "Hierarchical Navigable Small World graphs", PAMI 2020)
ivf-pq   where a graph would outgrow the memory: lists of short codes (Jégou et al., "Product quantization", PAMI 2011);
         what they bring is ranked again by the vectors themselves

Legend: N vectors, D width, Q queries, k neighbours.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.base.files import whole_file
from bon_core.evaluation.distances import (
    around,
    centre_of,
    in_order,
    rounding,
    sharpened,
    squared_to,
    squared_to_all,
)

if TYPE_CHECKING:
    import faiss

Kind = Literal["exact", "hnsw", "ivf-pq"]

FLAT_LIMIT = 50_000  # vectors; up to here comparing all with all takes a few seconds, as building a graph would
GRAPH_LIMIT = 2 << 30  # bytes of a graph and its copy of the vectors
LINKS = 32  # of a vector in the graph; twice as many on its lowest layer. With 16, 6 % of hard neighbours were missed
BUILD_WIDTH = 40  # candidates while a vector is linked
SEARCH_WIDTH = 64  # candidates while the graph is walked, at least
PROBES = 32  # lists that a query looks into
RANKED_AGAIN = 8  # candidates by their codes, for each neighbour that is asked for
TRAINED_ON = 64  # vectors a list that the lists are placed by
SPARE = 4  # candidates beyond those asked for, so that few queries have to be searched again in float64
COMPARED = 2**24  # float64 distances held at once
KEPT = 4  # indexes in a folder, the newest


def kind_for(count: int, dim: int) -> Kind:
    """Which index suits N vectors of width D."""
    if count <= FLAT_LIMIT:
        return "exact"
    return "hnsw" if count * (4 * dim + 8 * LINKS) <= GRAPH_LIMIT else "ivf-pq"


@dataclass(frozen=True)
class Index:
    """An index over `vectors` (N, D), unit rows of any float type, which may be mapped from a file.

    `faiss` holds them around `centre` (D,) float32. Distances stay as they are, but float32 then has its digits for
    what differs: near-collapsed vectors all have inner products of 1.
    """

    kind: Kind
    vectors: np.ndarray
    centre: np.ndarray
    faiss: Any  # an index of the package

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest to each of the queries (Q, D), unit rows.

        Returns
        -------
        squared : (Q, k) float32, squared distances, ascending; equal ones by position
        positions : (Q, k) int64, -1, at a distance of infinity, where the index knows of no more
        """
        if self.kind == "exact":
            wanted = min(k + SPARE, len(self.vectors))
            asked = around(queries, self.centre)
            products, found = self.faiss.search(_beside(asked, 1), wanted)
            return _settled(products, found, asked, queries, self.vectors, k)
        if self.kind == "hnsw":
            self.faiss.hnsw.efSearch = max(SEARCH_WIDTH, 2 * k)
            asked = around(queries, self.centre)
            squared, found = self.faiss.search(asked, k)
            squared[found < 0] = np.inf
            return in_order(
                sharpened(squared, found, np.einsum("qd,qd->q", asked, asked), queries, self.vectors), found
            )
        _, found = self.faiss.search(around(queries, self.centre), min(RANKED_AGAIN * k, len(self.vectors)))  # (Q, c)
        squared, found = in_order(squared_to(queries, self.vectors, found), found)
        return squared[:, :k], found[:, :k]


def open_index(vectors: np.ndarray, *, kind: Kind | None = None, folder: Path | None = None) -> Index:
    """Build an index, or read it if the same vectors had one built before.

    Parameters
    ----------
    vectors : (N, D) float, unit rows; exact and hnsw hold a copy
    kind : None chooses by size. A graph is built by several threads and is not the very same each time
    folder : where built indexes are kept, the newest few. It must be this machine's own: faiss trusts the files that
        it reads, so one that came with a run is not to be read. An exact index is not kept, as it takes no building
    """
    kind, centre = kind or kind_for(*vectors.shape), centre_of(vectors)
    if kind == "exact" or folder is None:
        return Index(kind, vectors, centre, _built(kind, vectors, centre))
    path = folder / f"{_digest(vectors)}-{kind}.faiss"
    index = _read(path, kind, vectors)
    if index is None:
        index = _built(kind, vectors, centre)
        with suppress(OSError):  # a folder that cannot be written to: it is built anew next time
            _keep(index, path)
    return Index(kind, vectors, centre, index)


def exact_neighbours(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and positions as `Index.search`, by comparing with all vectors, a block at a time."""
    import faiss
    from faiss.contrib.exhaustive_search import knn_ground_truth

    centre, wanted = centre_of(vectors), min(k + SPARE, len(vectors))
    blocks = (_lifted(block) for block in _blocks(vectors, centre))
    asked = around(queries, centre)
    products, found = knn_ground_truth(_beside(asked, 1), blocks, wanted, faiss.METRIC_INNER_PRODUCT)
    return _settled(products, found, asked, queries, vectors, k)


# Exactness -----------------------------------------------------------------------------------------------------------


def _lifted(vectors: np.ndarray) -> np.ndarray:
    """(N, D + 1): x and -|x|^2 / 2, whose inner product with (q, 1) falls as the distance grows, and is found faster.

    After Bachrach et al., "Speeding Up the Xbox Recommender System Using a Euclidean Transformation", RecSys 2014.
    """
    return _beside(vectors, -np.einsum("nd,nd->n", vectors, vectors)[:, None] / 2)


def _beside(vectors: np.ndarray, column: np.ndarray | float) -> np.ndarray:
    """(N, D + 1) float32: one more column."""
    wider = np.empty((len(vectors), vectors.shape[1] + 1), dtype=np.float32)
    wider[:, :-1], wider[:, -1:] = vectors, column
    return wider


def _settled(
    products: np.ndarray, found: np.ndarray, asked: np.ndarray, queries: np.ndarray, vectors: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest out of the candidates `found` (Q, c), which float32 `products` with `_lifted` vectors chose.

    A vector that they left out can be nearer than the k-th only where the last candidate is no farther than that one by
    more than the rounding error. Those queries, hardly any of ordinary vectors, are searched again in float64.

    asked, queries : (Q, D) around the centre, and as they came
    """
    lengths = np.einsum("qd,qd->q", asked, asked)
    squared = lengths[:, None] - 2 * products
    last, complete = squared[:, -1].copy(), found.shape[1] == len(vectors)
    squared, found = in_order(sharpened(squared, found, lengths, queries, vectors), found)
    squared, found = squared[:, :k], found[:, :k]
    if not complete:
        error = rounding(np.sqrt(lengths), squared[:, -1], queries.shape[1])
        doubtful = np.flatnonzero(last <= squared[:, -1] + error)
        if len(doubtful):
            squared[doubtful], found[doubtful] = _in_float64(queries[doubtful], vectors, k)
    return squared, found


def _in_float64(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """As `exact_neighbours`, for queries (u, D) whose neighbours float32 cannot tell apart."""
    wanted, step = min(k + SPARE, len(vectors)), max(1, COMPARED // len(vectors))
    parts = []
    for rows in row_chunks(len(queries), step):
        asked = queries[rows]
        near = np.argpartition(squared_to_all(asked, vectors), wanted - 1, axis=1)[:, :wanted]
        parts.append(in_order(squared_to(asked, vectors, near), near))
    squared, found = (np.concatenate(part) for part in zip(*parts, strict=True))
    return squared[:, :k], found[:, :k]


# Building ------------------------------------------------------------------------------------------------------------


def _built(kind: Kind, vectors: np.ndarray, centre: np.ndarray) -> "faiss.Index":
    import faiss

    index: Any
    count, dim = vectors.shape
    if kind == "exact":
        index = faiss.IndexFlatIP(dim + 1)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, LINKS, faiss.METRIC_L2)
        index.hnsw.efConstruction = BUILD_WIDTH
    else:
        lists, wide = _lists(count), -(-dim // 4) * 4
        index = faiss.index_factory(dim, f"Pad{wide},IVF{lists},PQ{wide // 2}x4fs", faiss.METRIC_L2)
        rows = np.random.default_rng(0).choice(count, min(TRAINED_ON * lists, count), replace=False)
        index.train(around(vectors[np.sort(rows)], centre))
        faiss.extract_index_ivf(index).nprobe = min(PROBES, lists)
    for block in _blocks(vectors, centre):
        index.add(_lifted(block) if kind == "exact" else block)
    return index


def _lists(count: int) -> int:
    """A power of two near the square root of 4 N."""
    return 1 << max(0, round(np.log2(max(1, 4 * count)) / 2))


def _blocks(vectors: np.ndarray, centre: np.ndarray) -> Iterator[np.ndarray]:
    for rows in row_chunks(len(vectors)):
        yield around(vectors[rows], centre)


# Kept for the next time ----------------------------------------------------------------------------------------------


def _digest(vectors: np.ndarray) -> str:
    """The same for the same vectors, also after a stay in float16, as snapshots have it."""
    digest = blake2b(digest_size=16)
    for rows in row_chunks(len(vectors)):
        digest.update(np.ascontiguousarray(vectors[rows], dtype=np.float16).data)
    return digest.hexdigest()


def _read(path: Path, kind: Kind, vectors: np.ndarray) -> "faiss.Index | None":
    """The index at `path`; None if there is none, or it is damaged, or of another kind or size."""
    import faiss

    if not path.is_file():
        return None
    with suppress(RuntimeError):  # faiss says so of every kind of damage
        index = faiss.read_index(str(path))
        right = faiss.IndexHNSWFlat if kind == "hnsw" else faiss.IndexPreTransform
        measured = faiss.downcast_index(getattr(index, "index", index)).metric_type
        if isinstance(index, right) and (index.ntotal, index.d) == vectors.shape and measured == faiss.METRIC_L2:
            path.touch()
            return index
    return None


def _keep(index: "faiss.Index", path: Path) -> None:
    import faiss

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        faiss.write_index(index, str(temporary))
    by_age = sorted(path.parent.glob("*.faiss"), key=lambda file: file.stat().st_mtime)
    for file in by_age[:-KEPT]:
        file.unlink(missing_ok=True)
