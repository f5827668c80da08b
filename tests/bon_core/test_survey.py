import numpy as np
import pytest

from bon_core import survey
from bon_core.config import InputError
from bon_core.embeddings import EmbeddingSet
from bon_core.slices import block_masks
from bon_core.survey import Division, Hashing, fitted_division, measure, take


def on_circle(degrees: list[float], labels: list[int]) -> EmbeddingSet:
    angles = np.deg2rad(degrees)
    return EmbeddingSet.of(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array(labels), class_names="abc")


def surveyed(path, embeddings, split, **changes):
    hashing = Hashing(mean=np.zeros(2), projection=np.eye(2), stored=np.full(len(embeddings), -1), origin="fitted")
    settings = {"hashing": hashing, "division": fitted_division(embeddings.vectors, 2, seed=0)}
    settings["masks"] = block_masks(2, 1)
    meta = {"step": 0, "epoch": 0.0, "origin": "embeddings", "data": "circle", "baseline": None}
    return take(path, embeddings, split, fields={}, meta=meta, **settings | changes)


def test_hardness_is_the_margin_that_retrieval_misses(tmp_path):
    """Classes a at 0 and 10, b at 14 and 100, c at 104 and 180 degrees; worked by hand."""
    embeddings = on_circle([0, 10, 14, 100, 104, 180], [0, 0, 1, 1, 2, 2])
    shot = surveyed(tmp_path / "s", embeddings, np.ones(6, np.uint8))

    def chord(degrees):
        return 2 * np.sin(np.deg2rad(degrees) / 2)

    own = chord(np.array([10, 10, 86, 86, 76, 76]))
    other = chord(np.array([14, 4, 4, 4, 4, 80]))
    assert np.allclose(shot.hardness, own - other, atol=2e-3)
    assert shot.correct.tolist() == [True, False, False, False, False, True]
    assert shot.metrics["test"]["recall@1"] == pytest.approx(2 / 6)
    assert measure(embeddings)["recall@1"] == pytest.approx(2 / 6)


def test_how_neighbours_were_searched_is_said(tmp_path, monkeypatch):
    embeddings = on_circle([0, 20, 40, 1, 21, 41], [0, 0, 0, 1, 1, 1])
    assert surveyed(tmp_path / "s", embeddings, np.ones(6, np.uint8)).meta["search"] == {"kind": "exact", "recall": 1}
    monkeypatch.setattr("bon_core.retrieval.index.FLAT_LIMIT", 5)
    shot = surveyed(tmp_path / "t", embeddings, np.ones(6, np.uint8), indexes=tmp_path / "indexes")
    assert shot.meta["search"] == {"kind": "hnsw", "recall": 1} and len(list((tmp_path / "indexes").iterdir())) == 1
    assert (measure(embeddings)["search"], measure(embeddings)["search_recall"]) == ("hnsw", 1)


def test_what_would_take_too_long_or_too_much_memory_is_left_out(tmp_path, monkeypatch):
    embeddings = on_circle(list(range(0, 60, 2)), [0, 1, 2] * 10)
    split = np.ones(30, np.uint8)
    found = surveyed(tmp_path / "s", embeddings, split).metrics["test"]
    assert None not in (found["nmi"], found["map@r"])
    monkeypatch.setattr("bon_core.survey.MOST_COMPARED", 89)
    monkeypatch.setattr("bon_core.survey.MOST_ENTRIES", 30 * 8)
    monkeypatch.setattr("bon_core.survey.NEIGHBOURS_KEPT", 8)
    scarce = surveyed(tmp_path / "t", embeddings, split).metrics["test"]
    assert scarce["nmi"] is scarce["map@r"] is scarce["r_precision"] is None
    assert scarce["recall@8"] == found["recall@8"]


def test_train_and_test_never_retrieve_each_other(tmp_path):
    embeddings = on_circle([0, 20, 40, 1, 21, 41], [0, 0, 0, 1, 1, 1])
    shot = surveyed(tmp_path / "s", embeddings, np.array([0, 0, 0, 1, 1, 1], np.uint8))
    assert set(shot.neighbours[:3].ravel().tolist()) <= {0, 1, 2}
    assert shot.metrics["train"]["recall@1"] == shot.metrics["test"]["recall@1"] == 1


def test_samples_without_a_cluster_get_the_nearest(tmp_path):
    embeddings = on_circle([0, 10, 90, 100, 12, 80, 5, 95], [0, 0, 1, 1, 2, 2, 2, 2])
    division = Division(clusters=np.array([1, 1, 0, 0, -1, -1, -1, -1]), count=2, origin="learners")
    shot = surveyed(tmp_path / "s", embeddings, np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8), division=division)
    assert shot.clusters.tolist() == [1, 1, 0, 0, 1, 0, 1, 0]


def test_a_split_too_small_to_measure_is_a_sentence(tmp_path):
    embeddings = on_circle([0, 10, 20, 90, 100], [0, 0, 0, 1, 1])
    with pytest.raises(InputError, match="smallest split has 2 samples"):
        surveyed(tmp_path / "s", embeddings, np.array([0, 0, 0, 1, 1], np.uint8))
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("most", [20_000, 4], ids=["all ask", "four ask"])
def test_slices_are_judged_one_by_one(tmp_path, monkeypatch, most):
    """The first slice separates the classes, the second is the same for all."""
    monkeypatch.setattr("bon_core.survey.MOST_SLICED", most)
    angles = np.deg2rad([0, 5, 90, 95, 180, 185])
    first = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vectors = np.concatenate([first, np.tile([1.0, 0.0], (6, 1))], axis=1)
    embeddings = EmbeddingSet.of(vectors, np.array([0, 0, 1, 1, 2, 2]), class_names="abc")
    hashing = Hashing(mean=np.zeros(4), projection=np.eye(4), stored=np.full(6, -1), origin="fitted")
    shot = surveyed(
        tmp_path / "s",
        embeddings,
        np.ones(6, np.uint8),
        hashing=hashing,
        masks=block_masks(embeddings.vectors.shape[1], 2),
    )
    report = shot.meta["division"]
    assert report["slice_recall"][0] == report["whole"] == 1
    assert report["slice_recall"][1] < 1
    assert report["correlation"][1][1] is None  # distances that do not vary correlate with nothing


def test_of_many_samples_some_say_where_the_clusters_lie(monkeypatch):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 500)
    vectors = np.eye(3, 8)[true] + 0.1 * rng.standard_normal((500, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    whole = survey.fitted_division(vectors, 3, seed=0)
    monkeypatch.setattr(survey, "MOST_CLUSTERED", 60)
    some = survey.fitted_division(vectors, 3, seed=0)
    for found in (whole.clusters, some.clusters):
        assert len(set(zip(true.tolist(), found.tolist(), strict=True))) == 3  # a name for each true cluster
