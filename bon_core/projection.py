"""Projection: maps of an embedding in two dimensions, alike from one checkpoint to the next, and how far to trust them.

Legend: N data set, D width, k neighbours. A map is (N, 2) float32, centred, within [-1, 1].
"""

from collections.abc import Callable, Sequence

import numpy as np

from bon_core.config import InputError, check
from bon_core.retrieval.neighbours import NeighbourTable

NEIGHBOURS = 14  # with the sample itself the 15 of UMAP's default
MIN_DIST = 0.1  # UMAP's default
NEGATIVES = 2  # a positive, against UMAP's 5: the time is better spent on more epochs
RATE = 0.7  # first learning rate, against UMAP's 1: the start is near the end already
SLOW_RATE, FILM_NEGATIVES = 0.05, 5  # of maps that follow one another: a third of the drift, and a truer map
SMALLEST = 16  # samples; below, neighbourhoods are the whole set and principal axes say as much
BLOCK = 65536
RANKED = 256  # samples of `trustworthiness` whose similarities to all are held at once


def project(
    vectors: np.ndarray,
    table: NeighbourTable,
    *,
    seed: int,
    epochs: int | None = None,
    previous: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Map by UMAP (McInnes et al., 2018) from neighbours that are known already. The same arguments give the same map.

    It starts from the principal axes and so needs fewer epochs than UMAP from its spectral start.

    Parameters
    ----------
    vectors : (N, D) float, the start of the map; fewer than `SMALLEST` are mapped by `pca`
    table : their neighbours, possibly searched in groups
    epochs : None for 300, or 120 above 10,000 samples
    previous : (N, 2) map of the same samples to start from and stay close to
    progress : called with (epochs done, epochs); what it raises ends the projection

    Returns
    -------
    (N, 2) float32

    Raises
    ------
    InputError
        If the table or the previous map is of another set.
    """
    count = len(vectors)
    _check_rows(count, table=table, previous=previous)
    if count < SMALLEST:
        return pca(vectors, previous=previous)
    if epochs is None:
        epochs = 300 if count <= 10_000 else 120
    start = pca(vectors) if previous is None else previous
    xy = _framed(_umap(table, start, seed=seed, epochs=epochs, progress=progress))
    return xy if previous is None else align_map(xy, previous)


def project_moments(tables: Sequence[NeighbourTable], start: np.ndarray, *, seed: int, epochs: int = 60) -> np.ndarray:
    """Maps by UMAP of the same samples at one moment after another, to be played as a film.

    Each map starts from the one before it, learns slowly, is turned to it, and has the spread of `start`: a point then
    moves because its neighbours change, and seldom because the whole drifts.

    Parameters
    ----------
    tables : F, the samples' neighbours at each moment
    start : (N, 2) map that the first one starts from; fewer than `SMALLEST` samples stay there
    epochs : of each map

    Returns
    -------
    (F, N, 2) float32

    Raises
    ------
    InputError
        If a table is of another set.
    """
    maps, spread = [start], np.sqrt(start.var(axis=0).sum())
    for table in tables:
        _check_rows(len(start), table=table)
        xy = maps[-1]
        if len(start) >= SMALLEST:
            xy = _umap(table, xy, seed=seed, epochs=epochs, rate=SLOW_RATE, negatives=FILM_NEGATIVES)
            xy = align_map(xy * (spread / max(np.sqrt(xy.var(axis=0).sum()), 1e-9)), maps[-1])
        maps.append(xy)
    return np.stack(maps[1:])


def pca(vectors: np.ndarray, *, previous: np.ndarray | None = None) -> np.ndarray:
    """Map by the two principal axes: instant, for live previews.

    Parameters
    ----------
    vectors : (N, D) float
    previous : (N, 2) map of the same samples, to which this one is turned

    Returns
    -------
    (N, 2) float32; the second column is zero if D = 1
    """
    _check_rows(len(vectors), previous=previous)
    mean = vectors.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK):
        centred = vectors[start : start + BLOCK] - mean
        scatter += centred.T @ centred
    _, axes = np.linalg.eigh(scatter)
    axes = axes[:, ::-1][:, :2]  # (D, 2), widest first
    axes = axes * np.where(
        axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1
    )  # else sign is chance
    xy = np.zeros((len(vectors), 2), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        xy[start : start + BLOCK, : axes.shape[1]] = (vectors[start : start + BLOCK] - mean) @ axes
    xy = _framed(xy)
    return xy if previous is None else align_map(xy, previous)


def align_map(xy: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Turn, mirror and shift the map `xy` (N, 2) as close to `reference` (N, 2) as that goes (Procrustes).

    Shape and size stay, so distances on the map do too.
    """
    _check_rows(len(xy), previous=reference)
    centre, target = xy.mean(axis=0), reference.mean(axis=0)
    left, _, right = np.linalg.svd((xy - centre).T.astype(np.float64) @ (reference - target))
    return ((xy - centre) @ (left @ right) + target).astype(np.float32)


def trust(xy: np.ndarray, table: NeighbourTable, *, k: int = 15, groups: np.ndarray | None = None) -> np.ndarray:
    """How much of each sample's neighbourhood the map keeps.

    Parameters
    ----------
    xy : (N, 2) map
    table : true neighbours; the first k of them count, or all if there are fewer
    groups : (N,), those the table was searched in; neighbours on the map are then sought in the same

    Returns
    -------
    (N,) float32, share of the k true neighbours among the k nearest on the map
    """
    _check_rows(len(xy), table=table)
    k = min(k, table.k)
    kept = np.empty(len(xy), dtype=np.float32)
    members = [np.arange(len(xy))] if groups is None else [np.flatnonzero(groups == name) for name in np.unique(groups)]
    for positions in members:
        near = positions[_neighbours_on_map(xy[positions], np.arange(len(positions)), k)]  # (n, k)
        true = table.indices[positions, :k]
        kept[positions] = sum(np.any(near == true[:, [column]], axis=1) for column in range(k)) / k
    return kept


def trustworthiness(xy: np.ndarray, vectors: np.ndarray, *, seed: int, k: int = 15, sample: int = 2000) -> float:
    """How seldom the map shows neighbours that are none (Venna & Kaski, 2001): 1 if never, about 0.5 if by chance.

    Parameters
    ----------
    xy : (N, 2) map
    vectors : (N, D) unit rows
    k : neighbours on the map; lowered to fewer than N / 2 as the measure demands
    sample : samples it is measured on, drawn by `seed`
    """
    count = len(xy)
    check(count >= 4, f"Trustworthiness of {count} samples is not defined; give 4 or more.")
    k = min(k, (count - 1) // 2)
    vectors = vectors.astype(np.float32, copy=False)
    chosen = np.sort(np.random.default_rng(seed).choice(count, min(sample, count), replace=False))
    near = _neighbours_on_map(xy, chosen, k)
    excess = 0
    for start in range(0, len(chosen), RANKED):
        rows = chosen[start : start + RANKED]
        similarity = vectors[rows] @ vectors.T  # (b, N)
        similarity[np.arange(len(rows)), rows] = -np.inf
        for column in near[start : start + RANKED].T:
            rank = 1 + np.sum(similarity > similarity[np.arange(len(rows)), column][:, None], axis=1)
            excess += int(np.maximum(rank - k, 0).sum())
    return 1 - 2 * excess / (len(chosen) * k * (2 * count - 3 * k - 1))


def _umap(
    table: NeighbourTable,
    start: np.ndarray,
    *,
    seed: int,
    epochs: int,
    rate: float = RATE,
    negatives: int = NEGATIVES,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """UMAP's layout (N, 2), by the two halves of the library's own `fit`, which would search neighbours again."""
    from sklearn.utils import check_random_state
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    state = check_random_state(seed)
    own = np.arange(len(table), dtype=np.int32)[:, None]
    indices = np.hstack([own, table.indices[:, :NEIGHBOURS]])  # UMAP counts a sample as its own first neighbour
    distances = np.hstack([np.zeros_like(own, dtype=np.float32), table.distances[:, :NEIGHBOURS]])
    graph, _, _ = fuzzy_simplicial_set(
        start, indices.shape[1], state, "euclidean", knn_indices=indices, knn_dists=distances
    )
    a, b = find_ab_params(1.0, MIN_DIST)
    noise = state.normal(scale=1e-4, size=start.shape)  # parts duplicates, and gives a flat axis an extent
    layout, _ = simplicial_set_embedding(
        start,
        graph,
        n_components=2,
        initial_alpha=rate,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=negatives,
        n_epochs=epochs,
        init=(start + noise).astype(np.float32),
        random_state=state,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,  # in parallel the layout would depend on chance
        tqdm_kwds={"disable": True} if progress is None else _reporting(progress, epochs),
    )
    return layout


def _reporting(progress: Callable[[int, int], None], epochs: int) -> dict:
    """Settings of UMAP's progress bar that make it call `progress` in place of printing."""

    class Bar:
        def write(self, text: str) -> None:
            if text.strip().isdigit():
                progress(int(text), epochs)

        def flush(self) -> None:
            pass

    return {"disable": False, "file": Bar(), "bar_format": "{n}", "mininterval": 0, "miniters": 1}


def _framed(xy: np.ndarray) -> np.ndarray:
    """Centred, the farthest coordinate at 1."""
    xy = xy - xy.mean(axis=0, dtype=np.float64)
    extent = np.abs(xy).max()
    return (xy / extent if extent > 0 else xy).astype(np.float32)


def _neighbours_on_map(xy: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Positions (n, k) of the nearest others of `rows` on the map."""
    from scipy.spatial import cKDTree

    _, found = cKDTree(xy).query(xy[rows], k=k + 1)
    drop = found == rows[:, None]
    drop[~drop.any(axis=1), -1] = True  # crowded out by samples at the very same place
    return found[~drop].reshape(len(rows), k)


def _check_rows(count: int, *, table: NeighbourTable | None = None, previous: np.ndarray | None = None) -> None:
    if table is not None and len(table) != count:
        raise InputError(
            f"There are {count} samples but neighbours of {len(table)}; search the neighbours of the same samples."
        )
    if previous is not None and previous.shape != (count, 2):
        raise InputError(
            f"There are {count} samples but the map to follow has shape {previous.shape}; give one of the same samples."
        )
