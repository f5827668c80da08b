"""Other maps of a split: by UMAP with other settings, or by the principal axes; and how far each can be trusted.

Legend: n samples of the split, D width, k neighbours.
"""

import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from bon_core import projection
from bon_core.retrieval.neighbours import NeighbourTable, build_neighbours

NEIGHBOURS, DISTANCES = (5, 15, 50), (0.0, 0.1, 0.5)  # UMAP's settings on offer, its defaults in the middle
EPOCHS, FEW = (300, 120), 10_000  # of UMAP, up to FEW samples and above
RANKED = 256  # samples whose similarities to all are held at once
NAME = re.compile(r"umap-(\d+)-(\d\.\d)")

Progress = Callable[[int, int], None]  # (done, of)


@dataclass(frozen=True)
class Recipe:
    """How a map is made: by UMAP with these settings, or by the two principal axes, which have none."""

    method: str  # "UMAP" or "PCA"
    neighbours: int = NEIGHBOURS[1]
    distance: float = DISTANCES[1]

    @property
    def name(self) -> str:
        """For file names."""
        return "pca" if self.method == "PCA" else f"umap-{self.neighbours}-{self.distance}"

    def __str__(self) -> str:
        return "PCA" if self.method == "PCA" else f"UMAP {self.neighbours} · {self.distance:g}"


USUAL = Recipe("UMAP")  # what snapshots hold
RECIPES = (*(Recipe("UMAP", k, apart) for k in NEIGHBOURS for apart in DISTANCES), Recipe("PCA"))


def draw(
    recipe: Recipe, vectors: np.ndarray, table: NeighbourTable, *, like: np.ndarray, progress: Progress | None = None
) -> np.ndarray:
    """Map by a recipe, turned to the map `like`; the same arguments give the same map.

    Parameters
    ----------
    vectors : (n, D) float32 unit rows
    table : their neighbours; more are searched if the recipe asks for more
    like : (n, 2)
    progress : called with (epochs done, epochs); what it raises ends the drawing

    Returns
    -------
    (n, 2) float32
    """
    k = min(recipe.neighbours, len(vectors) - 1)  # UMAP counts a sample as its own first neighbour
    if recipe.method == "PCA" or len(vectors) < projection.SMALLEST:
        return projection.pca(vectors, previous=like)
    if table.k < k - 1:
        table = build_neighbours(vectors, k - 1)
    xy = _umap(vectors, table, k, recipe.distance, progress)
    xy -= xy.mean(axis=0)
    return projection.align_map(xy / np.abs(xy).max(), like)


def trustworthiness(
    xy: np.ndarray, vectors: np.ndarray, rows: np.ndarray, *, k: int = 15, progress: Progress | None = None
) -> np.ndarray:
    """Of each sample, how seldom the map shows neighbours that are none (Venna & Kaski, 2001, before the mean).

    Parameters
    ----------
    xy : (n, 2) map
    vectors : (n, D) float32 unit rows
    rows : (m,) the samples to measure
    k : neighbours on the map; lowered to fewer than n / 2, as the measure demands
    progress : called with (samples done, m)

    Returns
    -------
    (m,) float32: 1 if all k nearest on the map are among the k nearest in truth; a stranger costs the more, the
    farther down it ranks. The mean over all samples is the map's trustworthiness.
    """
    from scipy.spatial import cKDTree

    count = len(xy)
    k = min(k, (count - 1) // 2)
    _, near = cKDTree(xy).query(xy[rows], k=k + 1)
    excess = np.zeros(len(rows))
    for start in range(0, len(rows), RANKED):
        block = slice(start, start + RANKED)
        own = np.arange(len(rows[block]))
        similarity = vectors[rows[block]] @ vectors.T  # (b, n)
        similarity[own, rows[block]] = -np.inf
        strangers = near[block] != rows[block][:, None]
        strangers[strangers.all(axis=1), -1] = False  # crowded out by samples at the very same place
        for other in near[block][strangers].reshape(-1, k).T:
            rank = 1 + np.sum(similarity > similarity[own, other][:, None], axis=1)
            excess[block] += np.maximum(rank - k, 0)
        if progress is not None:
            progress(min(start + RANKED, len(rows)), len(rows))
    return (1 - 2 * excess / (k * (2 * count - 3 * k - 1))).astype(np.float32)


def _umap(vectors: np.ndarray, table: NeighbourTable, k: int, distance: float, progress: Progress | None) -> np.ndarray:
    """UMAP's layout (n, 2) from the principal axes and known neighbours."""
    from umap import UMAP

    own = np.arange(len(table), dtype=np.int32)[:, None]
    indices = np.hstack([own, table.indices[:, : k - 1]])
    distances = np.hstack([np.zeros(own.shape, np.float32), table.distances[:, : k - 1]])
    epochs = EPOCHS[len(vectors) > FEW]
    umap = UMAP(
        n_neighbors=k,
        min_dist=distance,
        init=projection.pca(vectors),
        n_epochs=epochs,
        negative_sample_rate=projection.NEGATIVES,
        learning_rate=projection.RATE,
        random_state=0,
        precomputed_knn=(indices, distances),
        force_approximation_algorithm=True,
        tqdm_kwds=None if progress is None else {"file": Bar(progress, epochs), **BAR},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one thread and no search index: as asked for
        try:
            return umap.fit_transform(vectors)
        except BaseException:
            _unlock()
            raise


BAR = {"disable": False, "bar_format": "{n}", "mininterval": 0, "miniters": 1}  # settings that suit a Bar


class Bar:
    """The file that UMAP's progress bar is written to: it calls `progress` in place of printing."""

    def __init__(self, progress: Progress, epochs: int):
        self.progress, self.epochs, self.stopped = progress, epochs, False

    def write(self, text: str) -> None:
        if text.strip().isdigit() and not self.stopped:
            self.stopped = True  # if the call raises, the bar writes again as it is closed
            self.progress(int(text), self.epochs)
            self.stopped = False

    def flush(self) -> None:
        pass


def _unlock() -> None:
    """Have tqdm let go of the lock that it keeps when writing raises: in a server, the next bar would wait for ever."""
    from tqdm import tqdm

    with suppress(RuntimeError, AssertionError):  # it had not kept it
        tqdm.get_lock().release()
