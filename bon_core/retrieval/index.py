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
from typing import TYPE_CHECKING, Literal

import numpy as np

from bon_core.files import whole_file

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
GATHERED = 2**24  # numbers of candidates' vectors held at once
TRAINED_ON = 64  # vectors a list that the lists are placed by
BLOCK = 65536  # vectors added at once
KEPT = 4  # indexes in a folder, the newest


def kind_for(count: int, dim: int) -> Kind:
    """Which index suits N vectors of width D."""
    if count <= FLAT_LIMIT:
        return "exact"
    return "hnsw" if count * (4 * dim + 8 * LINKS) <= GRAPH_LIMIT else "ivf-pq"


@dataclass(frozen=True)
class Index:
    """An index over `vectors` (N, D), unit rows of any float type, which may be mapped from a file."""

    kind: Kind
    vectors: np.ndarray
    faiss: "faiss.Index"

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest to each of the queries (Q, D), float32 unit rows.

        Returns
        -------
        similarity : (Q, k) float32, inner products, largest first
        positions : (Q, k) int64, -1 where the index knows of no more
        """
        if self.kind == "hnsw":
            self.faiss.hnsw.efSearch = max(SEARCH_WIDTH, 2 * k)
        if self.kind != "ivf-pq":
            return self.faiss.search(queries, k)
        _, found = self.faiss.search(queries, min(RANKED_AGAIN * k, len(self.vectors)))  # (Q, c)
        similarity = np.empty(found.shape, dtype=np.float32)
        step = max(1, GATHERED // (found.shape[1] * queries.shape[1]))
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            near = self.vectors[found[block]].astype(np.float32, copy=False)  # (q, c, D)
            similarity[block] = np.einsum("qd,qcd->qc", queries[block], near)
        similarity[found < 0] = -np.inf
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(similarity, order, axis=1), np.take_along_axis(found, order, axis=1)


def open_index(vectors: np.ndarray, *, kind: Kind | None = None, folder: Path | None = None) -> Index:
    """Build an index, or read it if the same vectors had one built before.

    Parameters
    ----------
    vectors : (N, D) float, unit rows; exact and hnsw hold a copy
    kind : None chooses by size. A graph is built by several threads and is not the very same each time
    folder : where built indexes are kept, the newest few. It must be this machine's own: faiss trusts the files that
        it reads, so one that came with a run is not to be read. An exact index is not kept, as it takes no building
    """
    kind = kind or kind_for(*vectors.shape)
    if kind == "exact" or folder is None:
        return Index(kind, vectors, _built(kind, vectors))
    path = folder / f"{_digest(vectors)}-{kind}.faiss"
    index = _read(path, kind, vectors)
    if index is None:
        index = _built(kind, vectors)
        with suppress(OSError):  # a folder that cannot be written to: it is built anew next time
            _keep(index, path)
    return Index(kind, vectors, index)


def exact_neighbours(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Similarity and positions as `Index.search`, by comparing with all vectors, a block at a time."""
    import faiss
    from faiss.contrib.exhaustive_search import knn_ground_truth

    return knn_ground_truth(queries, _blocks(vectors), k, faiss.METRIC_INNER_PRODUCT)


def _built(kind: Kind, vectors: np.ndarray) -> "faiss.Index":
    import faiss

    count, dim = vectors.shape
    metric = faiss.METRIC_INNER_PRODUCT
    if kind == "exact":
        index = faiss.IndexFlat(dim, metric)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, LINKS, metric)
        index.hnsw.efConstruction = BUILD_WIDTH
    else:
        lists, wide = _lists(count), -(-dim // 4) * 4
        index = faiss.index_factory(dim, f"Pad{wide},IVF{lists},PQ{wide // 2}x4fs", metric)
        rows = np.random.default_rng(0).choice(count, min(TRAINED_ON * lists, count), replace=False)
        index.train(_float32(vectors[np.sort(rows)]))
        faiss.extract_index_ivf(index).nprobe = min(PROBES, lists)
    for block in _blocks(vectors):
        index.add(block)
    return index


def _lists(count: int) -> int:
    """A power of two near the square root of 4 N."""
    return 1 << max(0, round(np.log2(max(1, 4 * count)) / 2))


def _blocks(vectors: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(vectors), BLOCK):
        yield _float32(vectors[start : start + BLOCK])


def _float32(vectors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vectors, dtype=np.float32)


# Kept for the next time ----------------------------------------------------------------------------------------------


def _digest(vectors: np.ndarray) -> str:
    """The same for the same vectors, also after a stay in float16, as snapshots have it."""
    digest = blake2b(digest_size=16)
    for start in range(0, len(vectors), BLOCK):
        digest.update(np.ascontiguousarray(vectors[start : start + BLOCK], dtype=np.float16))
    return digest.hexdigest()


def _read(path: Path, kind: Kind, vectors: np.ndarray) -> "faiss.Index | None":
    """The index at `path`; None if there is none, or it is damaged, or of another kind or size."""
    import faiss

    if not path.is_file():
        return None
    with suppress(RuntimeError):  # faiss says so of every kind of damage
        index = faiss.read_index(str(path))
        right = faiss.IndexHNSWFlat if kind == "hnsw" else faiss.IndexPreTransform
        if isinstance(index, right) and (index.ntotal, index.d) == vectors.shape:
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
