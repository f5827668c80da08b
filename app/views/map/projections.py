"""Other maps of a split: by UMAP with other settings, or by the principal axes; and how far each can be trusted.

Legend: n samples of the split, D width, k neighbours.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours
from bon_core.maps import projection
from bon_core.maps.projection import Progress

NEIGHBOURS, DISTANCES = (5, 15, 50), (0.0, 0.1, 0.5)  # UMAP's settings on offer, its defaults in the middle


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
    recipe: Recipe,
    vectors: np.ndarray,
    table: NeighbourTable,
    *,
    like: np.ndarray,
    indexes: Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Map by a recipe, turned to the map `like`; the same arguments give the same map.

    Parameters
    ----------
    vectors : (n, D) float, unit rows
    table : their neighbours; more are searched if the recipe asks for more
    like : (n, 2)
    indexes : folder of this machine's own where the index for that search is kept
    progress : called with (done, of), first of the search if there is one; what it raises ends the drawing

    Returns
    -------
    (n, 2) float32
    """
    if recipe.method == "PCA":
        return projection.pca(vectors, previous=like)
    wanted = min(recipe.neighbours, len(vectors)) - 1  # UMAP counts a sample as its own first neighbour
    if table.k < wanted:
        table = build_neighbours(vectors, wanted, folder=indexes, progress=progress)
    xy = projection.project(
        vectors, table, seed=0, neighbours=recipe.neighbours, min_dist=recipe.distance, progress=progress
    )
    return projection.align_map(xy, like)
