"""Which faiss index answers for how many vectors: exact as long as that is fast enough, then a graph (HNSW)."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import faiss

FLAT_LIMIT = 200_000  # vectors; up to here the exact search wins, counting the time to build the graph
HNSW_LINKS = 32
HNSW_SEARCH = 64  # candidates kept while walking the graph, at least


def build_index(vectors: np.ndarray, *, k: int, exact: bool | None = None) -> "faiss.Index":
    """A faiss index whose `search(queries, k)` gives inner products, largest first, and positions.

    Parameters
    ----------
    vectors : (N, D) float32 unit rows; the index holds a copy
    k : neighbours that will be asked for; the graph is searched wide enough for them
    exact : None chooses by N; False takes the graph, which finds nearly all neighbours and, built by several threads,
        not the very same ones each time
    """
    import faiss

    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if exact if exact is not None else len(vectors) <= FLAT_LIMIT:
        index = faiss.IndexFlatIP(vectors.shape[1])
    else:
        index = faiss.IndexHNSWFlat(vectors.shape[1], HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = max(HNSW_SEARCH, 2 * k)
    index.add(vectors)
    return index
