"""Bucket sums, the study of bits and the judgement of a training, on points whose answer is known by hand."""

import numpy as np
import pytest

from app.views.buckets.bucket_table import bits_study, bucket_table, verdict

CODES = np.array([5, 5, 5, 5, 2, 2, 9])
LABELS = np.array([0, 0, 1, 2, 1, 1, 0])


def table(chosen=()):
    flags = np.isin(np.arange(7), chosen)
    return bucket_table(CODES, LABELS, np.arange(7, dtype=np.float32), flags)


def test_sizes_classes_and_purity():
    found = table()
    assert found.code.tolist() == [2, 5, 9]
    assert found.size.tolist() == [2, 4, 1]
    assert found.classes.tolist() == [1, 3, 1]
    assert found.purity[:2] == pytest.approx([1, 2 / 12])  # of 4 * 3 ordered pairs in bucket 5, two share class 0
    assert np.isnan(found.purity[2])
    assert found.hardness == pytest.approx([4.5, 1.5, 6])


def test_order_puts_buckets_of_the_selection_first():
    found = table(chosen=[6, 4])
    assert found.code[found.order("selection")].tolist() == [2, 9, 5]  # one each in 2 and 9; 2 is the fuller
    assert found.code[found.order("fullest")].tolist() == [5, 2, 9]
    assert found.code[found.order("most mixed")].tolist() == [5, 2, 9]


def test_more_bits_make_mates_harder_when_codes_follow_the_circle():
    angle = np.linspace(0, np.pi, 64, endpoint=False)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    # bit 0 halves the arc, bit 1 quarters it, bit 2 cuts it into eighths
    number = np.arange(64)
    codes = (number // 32) | (number // 16 % 2) << 1 | (number // 8 % 2) << 2
    study = bits_study(vectors, number // 2, codes, 3, anchors=64)
    assert np.all(np.diff(study.hardness) > 0)
    assert study.purity == pytest.approx([1 / 31, 1 / 15, 1 / 7])
    assert study.served.tolist() == [1, 1, 1]


def test_a_bucket_of_one_class_serves_nobody():
    vectors = np.eye(4, dtype=np.float32)
    study = bits_study(vectors, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 1)
    assert study.served.tolist() == [0]
    assert study.purity.tolist() == [1]
    assert np.isnan(study.hardness).all()


def test_one_class_only_has_no_hardness():
    study = bits_study(np.eye(3, dtype=np.float32), np.zeros(3, int), np.array([0, 0, 1]), 2)
    assert np.isnan(study.hardness).all()


def logged(*shares: float, epochs: float = 1.0, clusters: tuple = ()) -> list[dict]:
    """Steps of those entropies, `epochs` apart; the first one is at the start."""
    clusters = clusters or (None,) * len(shares)
    return [
        {"step": 10 * n, "epoch": epochs * n, "entropy_share": share, "cluster": cluster}
        for n, (share, cluster) in enumerate(zip(shares, clusters, strict=True))
    ]


@pytest.mark.parametrize(
    ("shares", "kind"),
    [
        ((0.5, 0.95, 0.9, 0.93), "steady"),  # the table was still filling at the start
        ((0.5, 0.95, 0.7, 0.93), "dipped"),
        ((0.5, 0.97, 0.9, 0.86), "fell"),
        ((0.5, 0.97, 0.9, 0.79), "low"),
        ((0.5, 0.79, 0.79, 0.8), "dipped"),  # 80 % itself is not below it
    ],
)
def test_entropy_is_judged_by_its_end_its_best_and_its_worst(shares, kind):
    assert verdict(logged(*shares)).kind == kind


def test_a_judgement_names_the_steps_it_rests_on():
    found = verdict(logged(0.5, 0.97, 0.7, 0.81))
    assert [found.high["step"], found.low["step"], found.last["step"]] == [10, 20, 30]
    assert found.fallen


def test_before_the_first_epoch_is_over_nothing_is_judged():
    assert verdict(logged(0.3, 0.4, epochs=0.4)).kind == "filling"


def test_learners_are_not_measured_by_the_table_of_all():
    shares, apart = (0.5, 0.98, 0.87, 0.86), (None, None, 0, 0)
    assert verdict(logged(*shares, clusters=apart)).kind == "steady"
    assert verdict(logged(*shares)).kind == "fell"
