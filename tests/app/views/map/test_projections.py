"""Other maps of a split: settings that show, and stops that stop."""

from threading import Thread

import numpy as np
import pytest

from app.views.map.projections import RECIPES, USUAL, Recipe, draw
from bon_core.evaluation.neighbours import build_neighbours
from bon_core.maps import projection

COUNT, CROWDS = 120, 4


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Four crowds of unit vectors."""
    rng = np.random.default_rng(0)
    found = np.repeat(rng.standard_normal((CROWDS, 12)), COUNT // CROWDS, axis=0) + 0.5 * rng.standard_normal(
        (COUNT, 12)
    )
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def table(vectors):
    return build_neighbours(vectors, 20)


def test_every_recipe_has_a_name_of_its_own_and_the_usual_one_is_among_them():
    assert len({recipe.name for recipe in RECIPES}) == len({str(recipe) for recipe in RECIPES}) == len(RECIPES) == 10
    assert USUAL in RECIPES


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [Recipe("UMAP", 5, 0.5), Recipe("UMAP", 50, 0.0), Recipe("PCA")], ids=str)
def test_a_map_keeps_crowds_together_is_turned_to_the_other_and_the_same_again(vectors, table, recipe):
    like = np.random.default_rng(1).standard_normal((COUNT, 2)).astype(np.float32)
    xy = draw(recipe, vectors, table, like=like)
    assert xy.shape == (COUNT, 2) and xy.dtype == np.float32 and np.isfinite(xy).all()
    assert projection.trust(xy, table).mean() > 0.4
    assert np.allclose(xy, projection.align_map(xy, like), atol=1e-4)
    assert np.array_equal(xy, draw(recipe, vectors, table, like=like))


@pytest.mark.slow
def test_a_smaller_distance_packs_closer(vectors, table):
    def nearest(distance: float) -> float:
        xy = draw(Recipe("UMAP", 15, distance), vectors, table, like=np.zeros((COUNT, 2), np.float32))
        gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 9 * np.eye(COUNT)
        return float(np.median(gaps.min(axis=1)) / np.ptp(xy))

    assert nearest(0.0) < 0.7 * nearest(0.5)


def test_progress_is_told_and_what_it_raises_ends_the_drawing(vectors, table):
    seen = []
    draw(USUAL, vectors, table, like=vectors[:, :2], progress=lambda done, of: seen.append(done / of))
    assert seen == sorted(seen) and len(seen) > 20 and seen[-1] == 1

    def stop(done: int, of: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        draw(USUAL, vectors, table, like=vectors[:, :2], progress=stop)
    later = Thread(
        target=draw, args=(USUAL, vectors, table), kwargs={"like": vectors[:, :2], "progress": print}, daemon=True
    )
    later.start()  # in a server, the next visitor's thread
    later.join(30)
    assert not later.is_alive()


@pytest.mark.parametrize("count", [3, 10])
def test_few_samples_are_mapped_by_their_axes(vectors, count):
    few = vectors[:count]
    xy = draw(Recipe("UMAP", 50, 0.1), few, build_neighbours(few, 2), like=few[:, :2])
    assert np.allclose(xy, projection.pca(few, previous=few[:, :2]))
