"""Bucket sums and the study of bits, on points whose answer is known by hand."""

import numpy as np
import pytest

from app.analysis.buckets import bits_study, bucket_table

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
