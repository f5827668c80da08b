"""What an evaluation looks at, and what it records for the timeline."""

from types import SimpleNamespace

import numpy as np
import pytest

from bon_core.config import RunConfig
from bon_core.datasets.image_set import TEST, TRAIN, ImageSet
from bon_core.networks import embedding as networks
from bon_core.runs import store
from bon_core.training import evaluator
from bon_core.training.evaluator import Evaluator, drawn_rows

HELD_OUT = 40


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """record(vectors, step): an evaluation at which the held-out samples have these vectors; and the run."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.repeat(np.arange(4), 10), np.repeat(np.arange(4, 8), 10)])
    images = ImageSet(
        name="small",
        images=rng.integers(0, 255, (80, 8, 8)).astype(np.uint8),
        labels=labels,
        class_names=tuple("ABCDEFGH"),
        split=np.where(labels < 4, TRAIN, TEST).astype(np.uint8),
        ids=rng.permutation(500)[:80].astype(np.int64),
    )
    run = store.create("first", RunConfig(), folder=tmp_path)
    evaluator = Evaluator(run, run.config, images, device="cpu")
    shown = {}
    monkeypatch.setattr(networks, "embed", lambda network, images, device: shown["vectors"])

    def record(vectors: np.ndarray, step: int) -> None:
        shown["vectors"] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        evaluator.preview(SimpleNamespace(), step)

    return record, run, images.part("test")


def test_a_preview_says_who_is_right_among_all_held_out_samples(recorded):
    record, run, held_out = recorded
    vectors = np.random.default_rng(1).standard_normal((HELD_OUT, 6))
    record(vectors, 3)
    preview = run.preview(3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.linalg.norm(unit[:, None] - unit[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    expected = held_out.labels[distance.argmin(axis=1)] == held_out.labels
    order = [held_out.ids.tolist().index(identity) for identity in preview["ids"]]
    assert preview["correct"].tolist() == expected[order].tolist()
    near = [held_out.ids.tolist().index(preview["ids"][column]) for column in preview["neighbours"][:, 0]]
    assert near == distance.argmin(axis=1)[order].tolist()


def test_a_long_training_keeps_a_bounded_number_of_moments(recorded, monkeypatch):
    record, run, _ = recorded
    monkeypatch.setattr(evaluator, "MAX_PREVIEWS", 6)
    vectors = np.random.default_rng(1).standard_normal((HELD_OUT, 6))
    for step in range(0, 300, 10):
        record(vectors, step)
        kept = run.previews()
        assert len(kept) <= 6 and kept[0] == 0 and kept[-1] == step
    assert np.diff(kept).max() <= 120  # evenly spread they were 58 apart


def test_a_run_of_an_older_version_shows_its_live_maps(recorded):
    record, run, _ = recorded
    assert run.timeline() is None
    for step in (0, 10):
        record(np.random.default_rng(step).standard_normal((HELD_OUT, 6)), step)
    new = run.timeline()
    assert str(new["projection"]) == "pca" and new["correct"].shape == (2, HELD_OUT)
    old = {name: run.preview(10)[name] for name in ("step", "ids", "labels", "xy")}
    np.savez(run.preview_path(10), **old)
    found = run.timeline()
    assert "correct" not in found
    assert found["steps"].tolist() == [0, 10] and np.array_equal(found["xy"], new["xy"])


def test_of_many_samples_whole_classes_are_drawn():
    labels = np.random.default_rng(0).permutation(np.arange(1000).repeat(5))
    rows = drawn_rows(labels, 2003)
    assert len(rows) == 2000 and (np.diff(rows) > 0).all()
    assert (np.bincount(labels[rows])[np.unique(labels[rows])] == 5).all()
    assert np.array_equal(rows, drawn_rows(labels, 2003))
    assert np.array_equal(drawn_rows(labels, 5000), np.arange(5000))


def test_of_few_large_classes_rows_are_drawn():
    labels = np.arange(10).repeat(500)
    rows = drawn_rows(labels, 1000)
    assert len(rows) == 1000 and (np.diff(rows) > 0).all() and np.bincount(labels[rows]).min() > 50
