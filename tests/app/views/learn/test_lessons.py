"""The figures of the guided scenes on points whose answer is known by hand, and against slow twins."""

import numpy as np
import pytest

from app.views.learn import lessons
from app.views.learn.lessons import Question
from app.views.learn.pool import Pool
from bon_core.config import MiningConfig

MARGIN = 0.2


def on_circle(degrees) -> np.ndarray:
    """Unit vectors (n, 2) at these angles: their distances are 2 sin(half the angle between)."""
    angles = np.radians(np.asarray(degrees, float))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def chord(degrees: float) -> float:
    return float(2 * np.sin(np.radians(degrees) / 2))


def pool_of(degrees, labels, codes) -> Pool:
    return Pool.of(on_circle(degrees), np.array(labels), np.array(codes))


@pytest.fixture
def crowd():
    """300 samples of 20 classes around the circle, random buckets."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(20), 15)
    return pool_of(18 * labels + rng.normal(0, 9, 300), labels, rng.integers(0, 4, 300)), rng.integers(0, 3, 300)


def test_an_answer_falls_into_the_range_that_holds_it():
    question = Question("How many?", ("few", "some", "many"), (0.2, 0.5))
    assert [question.right(value) for value in (0, 0.19, 0.2, 0.49, 0.5, 7, float("inf"))] == [0, 0, 1, 1, 2, 2, 2]


def test_two_classes_counted_by_hand():
    # the positive of the anchor at 0° is 10° away, and the margin reaches a little beyond 20° from there
    pool = pool_of([0, 10, 20, 90], [0, 0, 1, 1], [0, 0, 0, 3])
    found = lessons.study(pool, np.array([0, 0, 1, 0]), MARGIN)
    by_anchor = {int(anchor): place for place, anchor in enumerate(found.anchor)}
    first = by_anchor[0]
    assert chord(20) < chord(10) + MARGIN < chord(90)
    assert found.positive[first] == 1
    assert found.anywhere[first] == 0.5, "one of its two negatives is within reach"
    assert found.bucket[first] == 1, "and that one alone shares its bucket"
    assert found.cluster[first] == 0, "but its cluster holds the other one only"
    assert found.looked[first] == 3
    assert chord(80) < chord(70) + MARGIN < chord(90)
    assert found.anywhere[by_anchor[3]] == 0.5, "its positive is 70° away, its negatives 80° and 90°"


def test_a_bucket_without_a_negative_has_no_share():
    pool = pool_of([0, 10, 90, 100], [0, 0, 1, 1], [0, 0, 3, 3])
    found = lessons.study(pool, np.zeros(4, int), MARGIN)
    assert np.isnan(found.bucket).all()
    assert not np.isnan(found.anywhere).any()


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_without_a_positive_or_a_negative_there_is_no_study(labels):
    pool = pool_of([0, 40, 80], labels, [0, 0, 0])
    assert lessons.study(pool, np.zeros(3, int), MARGIN) is None


def test_single_images_of_a_class_are_never_anchors():
    pool = pool_of([0, 10, 50, 90], [0, 0, 1, 2], [0, 0, 0, 0])
    assert set(lessons.study(pool, np.zeros(4, int), MARGIN).anchor) == {0, 1}


def test_the_study_is_what_loops_count(crowd):
    pool, clusters = crowd
    found = lessons.study(pool, clusters, MARGIN)
    for place in range(0, len(found.anchor), 17):
        anchor, positive = int(found.anchor[place]), int(found.positive[place])
        reach = np.linalg.norm(pool.vectors[anchor] - pool.vectors[positive]) + MARGIN
        for among, share in (
            (np.ones(300, bool), found.anywhere),
            (pool.codes == pool.codes[anchor], found.bucket),
            (clusters == clusters[anchor], found.cluster),
        ):
            rows = [row for row in np.flatnonzero(among) if pool.label[row] != pool.label[anchor]]
            near = [np.linalg.norm(pool.vectors[anchor] - pool.vectors[row]) < reach for row in rows]
            assert share[place] == pytest.approx(np.mean(near))


def test_a_positive_is_another_sample_of_the_class(crowd):
    pool, _ = crowd
    anchors = np.arange(300)
    positive = lessons.positives(pool, anchors)
    assert (pool.label[positive] == pool.label).all()
    assert (positive != anchors).all()
    assert len(np.unique(positive[:15])) > 5, "not the same one for a whole class"


def test_a_random_batch_is_of_the_configs_size_and_stays_the_same(crowd):
    pool, _ = crowd
    mining = MiningConfig(classes=6, images=3, groups=2)
    batch = lessons.random_batch(pool, 40, mining, MARGIN)
    assert len(batch.row) == lessons.batch_negatives(pool, mining) == 15
    assert (pool.label[batch.row] != pool.label[40]).all()
    assert (batch.violates == (batch.distance < batch.d_ap + MARGIN)).all()
    np.testing.assert_array_equal(batch.row, lessons.random_batch(pool, 40, mining, MARGIN).row)
    assert (batch.row != lessons.random_batch(pool, 41, mining, MARGIN).row).any()


def test_a_random_batch_holds_distinct_classes_and_no_picture_twice(crowd):
    pool, _ = crowd
    for anchor in range(0, 300, 40):
        rows = lessons.random_batch(pool, anchor, MiningConfig(classes=6, images=3, groups=2), MARGIN).row
        assert len(np.unique(rows)) == 15
        assert np.unique(pool.label[rows], return_counts=True)[1].tolist() == [3] * 5


def test_classes_of_one_picture_come_last_into_a_random_batch():
    pool = pool_of(range(0, 90, 10), [0, 0, 1, 1, 2, 2, 3, 4, 5], [0] * 9)
    for anchor in (0, 1):
        few = lessons.random_batch(pool, anchor, MiningConfig(classes=3, images=2, groups=1), MARGIN)
        assert set(pool.label[few.row]) == {1, 2}
    more = lessons.random_batch(pool, 0, MiningConfig(classes=4, images=2, groups=1), MARGIN)
    assert len(more.row) == 6 and {1, 2} < set(pool.label[more.row])


def test_fewer_classes_than_a_batch_wants_give_fewer_negatives(crowd):
    pool, _ = crowd
    assert lessons.batch_negatives(pool, MiningConfig(classes=32, images=4)) == 19 * 4


def test_the_negatives_of_a_bucket_come_nearest_first(crowd):
    pool, _ = crowd
    found = lessons.bucket_of(pool, 7, 2, MARGIN)
    expected = np.flatnonzero((pool.codes == 2) & (pool.label != pool.label[7]))
    np.testing.assert_array_equal(np.sort(found.row), expected)
    assert (np.diff(found.distance) >= 0).all()
    true = np.linalg.norm(pool.vectors[found.row] - pool.vectors[7], axis=1)
    np.testing.assert_allclose(found.distance, true, atol=1e-3)


def test_the_typical_anchor_has_about_the_mean_in_its_batch(crowd):
    pool, clusters = crowd
    mining = MiningConfig(classes=8, images=4)
    found = lessons.study(pool, clusters, MARGIN)
    wanted = found.anywhere.mean() * lessons.batch_negatives(pool, mining)
    anchor = lessons.typical(found, pool, mining, MARGIN)
    assert abs(lessons.random_batch(pool, anchor, mining, MARGIN).violates.sum() - wanted) <= 1


def test_the_telling_triplet_has_just_ceased_to_violate_the_margin():
    d_ap = np.array([0.5, 0.5, 0.5, np.nan])
    assert lessons.telling_triplet(d_ap, np.array([0.4, 0.72, 0.9, 0.7]), MARGIN) == 1
    assert lessons.telling_triplet(d_ap, np.array([0.1, 0.4, 0.69, 0.7]), MARGIN) == 2, (
        "all violate it: the last to do so"
    )
    assert lessons.telling_triplet(np.full(2, np.nan), np.ones(2), MARGIN) == -1


def test_neighbours_on_a_line_are_kept_or_torn():
    xy = np.array([[0, 0], [1, 0], [2, 0], [10, 0], [11, 0]], np.float32)
    true = np.array([[1, 2], [3, 4]])
    points = np.array([0, 0])
    np.testing.assert_allclose(lessons.torn_apart(xy, true, points), [1.5, 10.5])
    np.testing.assert_array_equal(lessons.nearest_on(xy, np.array([3]), 3), [[4, 2, 1]])


def test_nearest_on_the_map_is_what_sorting_finds():
    rng = np.random.default_rng(0)
    xy, points = rng.standard_normal((200, 2)), np.arange(0, 200, 9)
    for point, near in zip(points, lessons.nearest_on(xy, points, 7), strict=True):
        order = np.argsort(np.linalg.norm(xy - xy[point], axis=1))
        np.testing.assert_array_equal(near, order[order != point][:7])


def test_a_larger_set_is_seen_from_fewer_anchors():
    assert lessons.sample_size(1_000) == 500
    assert 20 < lessons.sample_size(100_000) < 500
    assert lessons.sample_size(10_000_000) == 20


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "Nearly all random negatives are beyond"),
        (0.0499, "Nearly all random negatives are beyond"),
        (0.05, "a batch holds some"),
        (0.499, "a batch holds some"),
        (0.5, "no need to look for hard ones"),
        (1.0, "no need to look for hard ones"),
    ],
)
def test_what_is_said_of_random_negatives_follows_from_their_share(share, said):
    assert said in lessons.random_moral(share)


@pytest.mark.parametrize(
    ("inside", "anywhere", "said"),
    [
        (0.20, 0.10, "much more often"),
        (0.19, 0.10, "somewhat more often"),
        (0.12, 0.10, "somewhat more often"),
        (0.119, 0.10, "no better place"),
        (0.01, 0.10, "no better place"),
        (0.0, 0.0, "no better place"),
        (0.01, 0.0, "much more often"),
    ],
)
def test_what_is_said_of_a_bucket_follows_from_what_is_in_it(inside, anywhere, said):
    assert said in lessons.bucket_moral(inside, anywhere)


@pytest.mark.parametrize(
    ("times", "gain", "said"),
    [
        (2.2, 0.05, "make batches harder, and the slices add to each other"),
        (2.2, 0.001, "make batches harder, but all slices together are hardly better"),
        (2.2, -0.001, "make batches harder, but all slices together are no better"),
        (1.1, 0.05, "hardly make batches harder, and the slices add"),
        (1.1, 0.0, "hardly make batches harder, and all slices together are no better"),
        (0.0, None, "Here clusters hardly make batches harder."),
        (float("inf"), None, "Here clusters make batches harder."),
    ],
)
def test_what_is_said_of_clusters_follows_from_them_and_from_the_slices(times, gain, said):
    assert said in lessons.cluster_moral(times, gain)


@pytest.mark.parametrize(("kept", "said"), [(0.7, "most who stand"), (0.5, "every second"), (0.1, "no true")])
def test_what_is_said_of_a_map_follows_from_what_it_keeps(kept, said):
    assert said in lessons.map_moral(kept)


def test_a_number_that_is_just_the_bound_is_not_more():
    question = lessons.Question("", ("up to half", "more than half"), (lessons.above(0.5),))
    assert [question.right(value) for value in (0.5, 0.5000001)] == [0, 1]
