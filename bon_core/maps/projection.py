"""Projection: maps of an embedding in two dimensions, alike from one checkpoint to the next, and how far to trust them.

Legend: N data set, D width, k neighbours. A map is (N, 2) float32, centred, within [-1, 1].
"""

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.config import InputError, check
from bon_core.evaluation.distances import squared_to_all
from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours
from bon_core.maps import compiled

TRUST_AT = 15  # nearest neighbours that tell how far to trust a map
NEIGHBOURS, MIN_DIST = 15, 0.1  # UMAP's defaults; it counts a sample as its own first neighbour
SMALLEST = 16  # samples; below, neighbourhoods are the whole set and principal axes say as much
REHEARSED = 2000  # samples of the map that says how fast maps are drawn here
MIN_LANDMARKS = 10_000  # samples; of more, that many or a tenth are laid out first, as landmarks
RANKED = 2**24  # distances held at once by `trustworthiness`


class Descent(NamedTuple):
    """How a layout is reached. `start` is the width that its first places are stretched to."""

    epochs: int
    rate: float
    negatives: int  # a positive, of UMAP's 5
    start: float


class Shape(NamedTuple):
    """What a layout is to look like: its chance, and UMAP's n_neighbors and min_dist."""

    seed: int
    neighbours: int = NEIGHBOURS
    min_dist: float = MIN_DIST


FINE = Descent(300, 0.7, 2, 10.0)  # of up to MIN_LANDMARKS samples
COARSE = Descent(150, 1.0, 1, 40.0)  # of landmarks: a wide start leaves room, so that fewer negatives will do
CLOSE = Descent(60, 0.3, 2, 80.0)  # of all samples, from where landmarks place them
FILM = Descent(60, 0.05, 5, 10.0)  # of maps that follow one another: a third of the drift, and a truer map

Progress = Callable[[int, int], None]  # (done, of)


def project(
    vectors: np.ndarray,
    table: NeighbourTable,
    *,
    seed: int,
    neighbours: int = NEIGHBOURS,
    min_dist: float = MIN_DIST,
    progress: Progress | None = None,
) -> np.ndarray:
    """Map by UMAP (McInnes et al., 2018) from neighbours that are known already. The same arguments give the same map,
    up to half a million samples; of more, the search among the landmarks may differ a little.

    It starts from the principal axes and so needs fewer epochs than UMAP from its spectral start; see layout.py for how
    it goes on. Of more than `MIN_LANDMARKS` samples, some are laid out first; the others take their places among them,
    and all go on together from there.

    Parameters
    ----------
    vectors : (N, D) float, the start of the map; fewer than `SMALLEST` are mapped by `pca`
    table : their neighbours, possibly searched in parts
    neighbours, min_dist : as UMAP's n_neighbors, which counts the sample itself, and min_dist; a table with fewer
        neighbours gives what it has
    progress : called with (done, of); what it raises ends the projection

    Returns
    -------
    (N, 2) float32

    Raises
    ------
    InputError
        If the table is of another set.
    """
    _check_rows(len(vectors), table=table)
    if len(vectors) < SMALLEST:
        return pca(vectors)
    return _framed(_layout(vectors, table, FINE, Shape(seed, neighbours, min_dist), progress))


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
            xy = _umap(table, xy, FILM._replace(epochs=epochs), Shape(seed))
            xy = align_map(xy * (spread / max(np.sqrt(xy.var(axis=0).sum()), 1e-9)), maps[-1])
        maps.append(xy)
    return np.stack(maps[1:])


def layout_work(count: int, *, film: bool = False) -> float:
    """How much work a map of so many samples is, in moves of a sample; with `film`, one of `project_moments`."""
    if film:
        return count * FILM.epochs * (1 + FILM.negatives)
    if count <= MIN_LANDMARKS:
        return count * FINE.epochs * (1 + FINE.negatives)
    landmarks = max(count // 10, MIN_LANDMARKS)
    first = count if landmarks == count else landmarks
    return first * COARSE.epochs * (1 + COARSE.negatives) + count * CLOSE.epochs * (1 + CLOSE.negatives)


@cache
def rehearsed() -> float:
    """Seconds that a unit of `layout_work` takes here, from a small map. What has to be compiled is so before."""
    rows = np.random.default_rng(0).standard_normal((REHEARSED, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    table = build_neighbours(rows, NEIGHBOURS)
    project(rows[:SMALLEST], build_neighbours(rows[:SMALLEST], NEIGHBOURS), seed=0)
    began = time.perf_counter()
    project(rows, table, seed=0)
    return (time.perf_counter() - began) / layout_work(REHEARSED)


def usual_pace(comparing: float) -> float:
    """The same guessed, from the seconds that a comparison of two vectors takes a dimension."""
    return 3e4 * comparing


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
    for rows in row_chunks(len(vectors)):
        centred = vectors[rows] - mean
        scatter += centred.T @ centred
    _, axes = np.linalg.eigh(scatter)
    axes = axes[:, ::-1][:, :2]  # (D, 2), widest first
    axes = axes * np.where(
        axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1
    )  # else sign is chance
    xy = np.zeros((len(vectors), 2), dtype=np.float32)
    for rows in row_chunks(len(vectors)):
        xy[rows, : axes.shape[1]] = (vectors[rows] - mean) @ axes
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


def trust(xy: np.ndarray, table: NeighbourTable, *, k: int = TRUST_AT, groups: np.ndarray | None = None) -> np.ndarray:
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


def trustworthiness(
    xy: np.ndarray, vectors: np.ndarray, rows: np.ndarray, *, k: int = TRUST_AT, progress: Progress | None = None
) -> np.ndarray:
    """Of each sample, how seldom the map shows neighbours that are none (Venna & Kaski, 2001, before the mean).

    Parameters
    ----------
    xy : (N, 2) map
    vectors : (N, D) unit rows
    rows : (m,) the samples to measure; `some_rows` draws them where all would be too many
    k : neighbours on the map; lowered to fewer than N / 2, as the measure demands
    progress : called with (samples done, m)

    Returns
    -------
    (m,) float32: 1 if all k nearest on the map are among the k nearest in truth; a stranger costs the more, the
    farther down it ranks. The mean over all samples is the map's trustworthiness, about 0.5 by chance.
    """
    count = len(xy)
    check(count >= 4, f"Trustworthiness of {count} samples is not defined; give 4 or more.")
    k = min(k, (count - 1) // 2)
    near = _neighbours_on_map(xy, rows, k)
    excess = np.zeros(len(rows))
    for block in row_chunks(len(rows), max(1, RANKED // count)):
        own = np.arange(len(rows[block]))
        away = squared_to_all(vectors[rows[block]], vectors)  # (b, N)
        away[own, rows[block]] = np.inf
        for other in near[block].T:
            rank = 1 + np.sum(away < away[own, other][:, None], axis=1)
            excess[block] += np.maximum(rank - k, 0)
        if progress is not None:
            progress(block.stop, len(rows))
    return (1 - 2 * excess / (k * (2 * count - 3 * k - 1))).astype(np.float32)


def some_rows(count: int, *, seed: int, most: int = 2000) -> np.ndarray:
    """Positions to measure a map on, ascending: all, or `most` of them drawn by `seed`."""
    return np.sort(np.random.default_rng(seed).choice(count, min(most, count), replace=False))


def _layout(
    vectors: np.ndarray, table: NeighbourTable, descent: Descent, shape: Shape, progress: Progress | None
) -> np.ndarray:
    """UMAP's layout (N, 2), by `descent` of few samples; of many, of a random part of them first."""
    count = len(vectors)
    if count <= MIN_LANDMARKS:
        return _umap(table, pca(vectors), descent, shape, progress)
    landmarks = np.random.default_rng(shape.seed).choice(count, max(count // 10, MIN_LANDMARKS), replace=False)
    landmarks.sort()
    own = vectors[landmarks]
    near = build_neighbours(own, min(shape.neighbours, len(own)) - 1)
    places = _spread(_layout(own, near, COARSE, shape, _part(progress, 0, 30)), landmarks, table)
    return _umap(table, places, CLOSE, shape, _part(progress, 30, 100))


def _part(progress: Progress | None, begin: int, end: int) -> Progress | None:
    """Progress of a part of the work, as per cent of the whole."""
    return progress and (lambda done, of: progress(begin + round((end - begin) * done / of), 100))


def _umap(
    table: NeighbourTable, start: np.ndarray, descent: Descent, shape: Shape, progress: Progress | None = None
) -> np.ndarray:
    """UMAP's layout (N, 2) from `start`, from neighbours that are known."""
    compiled.prepare()
    from umap.umap_ import find_ab_params

    from bon_core.maps.layout import along_curve, descend

    order = along_curve(start)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    near = slice(0, shape.neighbours - 1)
    graph = _graph(rank[table.indices[order, near]], table.distances[order, near], weakest=1 / descent.epochs)
    noise = np.random.default_rng(shape.seed).normal(scale=1e-4, size=start.shape)
    places = start[order] + noise  # which parts duplicates, and gives a flat axis an extent
    places = (descent.start * (places - places.min(axis=0)) / np.ptp(places, axis=0)).astype(np.float32)
    descend(
        places,
        *graph,
        epochs=descent.epochs,
        rate=descent.rate,
        negatives=descent.negatives,
        curve=find_ab_params(1.0, shape.min_dist),
        seed=shape.seed,
        progress=progress,
    )
    return places[rank]


def _graph(indices: np.ndarray, distances: np.ndarray, weakest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """UMAP's fuzzy union of all neighbourhoods (N, k): edges from and to (E,) int32, and strengths (E,) float32.

    United a block of samples at a time, as UMAP's sums of whole matrices take gigabytes of a million samples. The
    strongest edges have strength 1, to the nearest neighbours; those below `weakest` are left out.
    """
    from umap.umap_ import compute_membership_strengths, fuzzy_simplicial_set, smooth_knn_dist

    for function in (smooth_knn_dist, compute_membership_strengths):
        function.enable_caching()  # umap compiles these two anew in each process, which takes seconds
    count = len(indices)
    own = np.arange(count, dtype=np.int32)[:, None]
    one_way, _, _ = fuzzy_simplicial_set(
        own,  # of which only the length counts
        indices.shape[1] + 1,
        None,
        "euclidean",
        knn_indices=np.hstack([own, indices]),
        knn_dists=np.hstack([np.zeros((count, 1), np.float32), distances]),
        apply_set_operations=False,
    )
    one_way = one_way.tocsr()
    back = one_way.T.tocsr()
    found: list[tuple[np.ndarray, ...]] = []
    for rows in row_chunks(count):
        there, again = one_way[rows], back[rows]
        both = (there + again - there.multiply(again)).tocoo()
        kept = both.data >= weakest
        found.append((both.row[kept] + np.int32(rows.start), both.col[kept], both.data[kept]))
    del one_way, back
    heads, tails, strengths = zip(*found, strict=True)
    return np.concatenate(heads), np.concatenate(tails), np.concatenate(strengths)


def _spread(layout: np.ndarray, landmarks: np.ndarray, table: NeighbourTable) -> np.ndarray:
    """Places (N, 2) of all: of samples with neighbours whose places are known, their mean, and so on from there.

    In a last round, each that is no landmark moves to the mean of all its neighbours, which parts those that had a
    single one to go by. Those from whom no way leads to a landmark share the middle; they are few.
    """
    xy = np.tile(layout.mean(axis=0, dtype=np.float64), (len(table), 1)).astype(np.float32)
    placed = np.zeros(len(table), dtype=bool)
    xy[landmarks], placed[landmarks] = layout, True
    waiting = others = np.flatnonzero(~placed)
    while len(waiting):
        reached, places = _means(xy, placed, waiting, table)
        if not len(reached):
            break
        xy[reached], placed[reached] = places, True
        waiting = waiting[~placed[waiting]]
    reached, places = _means(xy, placed, others, table)
    xy[reached] = places
    return xy


def _means(
    xy: np.ndarray, placed: np.ndarray, rows: np.ndarray, table: NeighbourTable
) -> tuple[np.ndarray, np.ndarray]:
    """Those of `rows` with a neighbour that is placed, (n,), and the mean of these, weighted by nearness, (n, 2)."""
    reached, places = [rows[:0]], [xy[:0]]
    for block in (rows[some] for some in row_chunks(len(rows))):
        weight = placed[table.indices[block]] / np.maximum(table.distances[block], 1e-6)  # (b, k)
        some = weight.any(axis=1)
        block, weight = block[some], weight[some]
        mean = np.einsum("bk,bkd->bd", weight, xy[table.indices[block]]) / weight.sum(axis=1)[:, None]
        reached.append(block)
        places.append(mean.astype(np.float32))
    return np.concatenate(reached), np.concatenate(places)


def _framed(xy: np.ndarray) -> np.ndarray:
    """Centred, the farthest coordinate at 1."""
    xy = xy - xy.mean(axis=0, dtype=np.float64)
    extent = np.abs(xy).max()
    return (xy / extent if extent > 0 else xy).astype(np.float32)


def _neighbours_on_map(xy: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Positions (n, k) of the nearest others of `rows` on the map."""
    from scipy.spatial import cKDTree

    _, found = cKDTree(xy).query(xy[rows], k=k + 1, workers=-1)
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
