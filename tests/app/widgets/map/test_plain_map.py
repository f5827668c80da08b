"""The plain map's thinning, histogram and box."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.widgets.map.plain_map import CELLS, _density, thin, within
from app.widgets.map.webgl_map.plane import bulk, whole


@given(st.integers(0, 10_000), st.integers(50, 4000))
def test_few_points_are_all_kept_and_many_come_down_to_about_the_limit(count, most):
    xy = np.random.default_rng(count).standard_normal((count, 2))
    kept = thin(xy, most, bulk(xy))
    assert len(np.unique(kept)) == len(kept)
    assert len(kept) == count if count <= most else len(kept) <= most + (CELLS + 2) ** 2


def test_a_lonely_point_survives_and_a_crowd_stays_the_larger():
    rng = np.random.default_rng(0)
    crowd, few = rng.normal(0, 0.1, (9000, 2)), rng.normal(5, 0.1, (900, 2))
    xy = np.concatenate([crowd, few, [[-40.0, 30.0]]])
    kept = thin(xy, 1000, bulk(xy))
    assert 9900 in kept
    assert 6 < (kept < 9000).sum() / ((kept >= 9000) & (kept < 9900)).sum() < 14


def test_only_the_marked_points_are_thinned_among_themselves():
    xy = np.random.default_rng(1).random((500, 2))
    marked = np.arange(100, 200)
    assert thin(xy, 1000, bulk(xy), among=marked).tolist() == marked.tolist()
    assert set(thin(xy, 20, bulk(xy), among=marked)) <= set(marked)


def test_a_box_holds_its_edges_and_may_be_drawn_backwards():
    xy = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    assert within(xy, {"x": [2.0, 0.0], "y": [0.0, 1.0]}).tolist() == [True, False, True, False]
    assert within(xy, {"x": [1.0, 3.0]}).tolist() == [False, True, True, True]


def test_the_histogram_counts_every_point_in_its_cell():
    xy = np.random.default_rng(2).standard_normal((5000, 2))
    table = _density(xy, whole(xy))
    assert table["points"].sum() == 5000 and (table["points"] > 0).all()
    first = table.iloc[0]
    inside = within(xy, {"x": [first["x"], first["x2"]], "y": [first["y"], first["y2"]]})
    assert inside.sum() == first["points"]


def test_an_island_far_off_costs_the_bulk_no_cells_and_keeps_its_points():
    xy = np.random.default_rng(3).random((5000, 2))
    xy[:20] += 4000
    home = bulk(xy)
    assert len(_density(xy, home)) > 1000
    kept = thin(xy, 3000, home)
    assert (kept < 20).any()
    cells = (xy[kept[kept >= 20]] * 8).astype(int)
    assert np.bincount(cells @ (1, 8), minlength=64).min() > 20, "spread over the whole bulk"
