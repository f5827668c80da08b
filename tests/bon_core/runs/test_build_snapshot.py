import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.division.slices import block_masks
from bon_core.runs.build_snapshot import Division, Hashing, build_snapshot, fitted_division, fitted_hashing, measure


def on_circle(degrees: list[float], labels: list[int]) -> EmbeddingSet:
    angles = np.deg2rad(degrees)
    return EmbeddingSet.of(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array(labels), class_names="abc")


def built(path, embeddings, split, **changes):
    hashing = Hashing(mean=np.zeros(2), projection=np.eye(2), stored=np.full(len(embeddings), -1), origin="fitted")
    settings = {"hashing": hashing, "division": fitted_division(embeddings.vectors, 2, seed=0)}
    settings["masks"] = block_masks(2, 1)
    meta = {"step": 0, "epoch": 0.0, "origin": "embeddings", "data": "circle", "baseline": None}
    return build_snapshot(path, embeddings, split, fields={}, meta=meta, **settings | changes)


def test_hardness_is_the_margin_that_retrieval_misses(tmp_path):
    """Classes a at 0 and 10, b at 14 and 100, c at 104 and 180 degrees; worked by hand."""
    embeddings = on_circle([0, 10, 14, 100, 104, 180], [0, 0, 1, 1, 2, 2])
    shot = built(tmp_path / "s", embeddings, np.ones(6, np.uint8))

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
    assert built(tmp_path / "s", embeddings, np.ones(6, np.uint8)).meta["search"] == {"kind": "exact", "recall": 1}
    monkeypatch.setattr("bon_core.evaluation.index.FLAT_LIMIT", 5)
    shot = built(tmp_path / "t", embeddings, np.ones(6, np.uint8), indexes=tmp_path / "indexes")
    assert shot.meta["search"] == {"kind": "hnsw", "recall": 1} and len(list((tmp_path / "indexes").iterdir())) == 1
    assert (measure(embeddings)["search"], measure(embeddings)["search_recall"]) == ("hnsw", 1)


def test_what_would_take_too_long_or_too_much_memory_is_left_out(tmp_path, monkeypatch):
    embeddings = on_circle(list(range(0, 60, 2)), [0, 1, 2] * 10)
    split = np.ones(30, np.uint8)
    found = built(tmp_path / "s", embeddings, split).metrics["test"]
    assert None not in (found["nmi"], found["map@r"])
    monkeypatch.setattr("bon_core.runs.build_snapshot.MAX_COMPARED", 89)
    monkeypatch.setattr("bon_core.runs.build_snapshot.MAX_ENTRIES", 30 * 8)
    monkeypatch.setattr("bon_core.runs.build_snapshot.NEIGHBOURS_KEPT", 8)
    scarce = built(tmp_path / "t", embeddings, split).metrics["test"]
    assert scarce["nmi"] is scarce["map@r"] is scarce["r_precision"] is None
    assert scarce["recall@8"] == found["recall@8"]


def test_a_small_part_takes_no_figure_from_a_large_one(tmp_path):
    """Each split is measured as it would be alone, also where a class of one is larger than all of the other."""
    rng = np.random.default_rng(4)
    many = np.repeat(np.arange(20), 50)
    few = 20 + np.repeat(np.arange(4), 8)
    labels = np.concatenate([many, few, [24]])  # the last one has nothing to find
    vectors = rng.standard_normal((25, 8))[labels] + 0.5 * rng.standard_normal((len(labels), 8))
    embeddings = EmbeddingSet.of(vectors, labels, class_names=[f"c{number}" for number in range(25)])
    split = np.array([1] * 1000 + [2] * 33, np.uint8)
    hashing = Hashing(mean=np.zeros(8), projection=np.eye(8), stored=np.full(len(labels), -1), origin="fitted")
    shot = built(tmp_path / "s", embeddings, split, hashing=hashing, masks=block_masks(8, 1))
    for name, rows in (("test", split == 1), ("validation", split == 2)):
        alone = measure(EmbeddingSet.of(vectors[rows], labels[rows] - labels[rows].min()))
        assert None not in alone.values()
        assert {key: shot.metrics[name][key] for key in alone if not key.startswith("search")} == {
            key: value for key, value in alone.items() if not key.startswith("search")
        }
    assert shot.metrics["validation"]["queries"] == 32
    assert len(set(shot.split[shot.neighbours[-1]].tolist())) == 1


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.ones((60, 8)), "All 60 vectors are one and the same point"),
        (np.repeat(np.eye(8)[:3], 20, axis=0), "only 3 distinct points"),
        (1 + 1e-3 * np.random.default_rng(0).standard_normal((60, 8)), "nearly one point"),
        (np.random.default_rng(0).standard_normal((60, 8)), None),
        (np.repeat(np.random.default_rng(0).standard_normal((30, 8)), 2, axis=0), None),
    ],
    ids=["one point", "three points", "nearly one", "ordinary", "each twice"],
)
def test_an_embedding_that_has_collapsed_is_called_so(tmp_path, vectors, words):
    embeddings = EmbeddingSet.of(vectors, np.arange(60) % 3, class_names="abc")
    hashing = Hashing(mean=np.zeros(8), projection=np.eye(8), stored=np.full(60, -1), origin="fitted")
    shot = built(tmp_path / "s", embeddings, np.ones(60, np.uint8), hashing=hashing, masks=block_masks(8, 1))
    said = shot.meta["collapse"]
    assert said is None if words is None else words in said


def test_a_hasher_that_is_only_looked_at_warns_nobody(recwarn):
    fitted_hashing(np.tile(np.array([[0.6, 0.8]], np.float32), (3000, 1)))
    assert not recwarn.list


def test_what_differs_only_beyond_half_precision_is_kept_in_full(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    vectors = 1 + 1e-5 * (rng.standard_normal((3, 8))[labels] + 0.05 * rng.standard_normal((60, 8)))
    embeddings = EmbeddingSet.of(vectors, labels, class_names="abc")
    hashing = Hashing(mean=np.zeros(8), projection=np.eye(8), stored=np.full(60, -1), origin="fitted")
    shot = built(tmp_path / "s", embeddings, np.ones(60, np.uint8), hashing=hashing, masks=block_masks(8, 1))
    assert shot.vectors.dtype == np.float32 and shot.metrics["test"]["map@r"] == 1
    assert measure(shot.embedding())["map@r"] == 1


def test_train_and_test_never_retrieve_each_other(tmp_path):
    embeddings = on_circle([0, 20, 40, 1, 21, 41], [0, 0, 0, 1, 1, 1])
    shot = built(tmp_path / "s", embeddings, np.array([0, 0, 0, 1, 1, 1], np.uint8))
    assert set(shot.neighbours[:3].ravel().tolist()) <= {0, 1, 2}
    assert shot.metrics["train"]["recall@1"] == shot.metrics["test"]["recall@1"] == 1


def test_samples_without_a_cluster_get_the_nearest(tmp_path):
    embeddings = on_circle([0, 10, 90, 100, 12, 80, 5, 95], [0, 0, 1, 1, 2, 2, 2, 2])
    division = Division(clusters=np.array([1, 1, 0, 0, -1, -1, -1, -1]), count=2, origin="learners")
    shot = built(tmp_path / "s", embeddings, np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8), division=division)
    assert shot.clusters.tolist() == [1, 1, 0, 0, 1, 0, 1, 0]


def test_a_split_without_a_pair_is_a_sentence(tmp_path):
    embeddings = on_circle([0, 10, 20, 90, 100], [0, 0, 0, 1, 2])
    with pytest.raises(InputError, match="No class of the test part has two samples"):
        built(tmp_path / "s", embeddings, np.array([0, 0, 0, 1, 1], np.uint8))
    assert not (tmp_path / "s").exists()


def test_a_split_of_a_single_pair_is_measured(tmp_path):
    """By hand: each of the two finds the other first; of the others two of three find their class first."""
    embeddings = on_circle([0, 10, 60, 50, 180, 190], [0, 0, 0, 1, 2, 2])
    shot = built(tmp_path / "s", embeddings, np.array([0, 0, 0, 0, 1, 1], np.uint8))
    assert shot.metrics["test"]["recall@1"] == shot.metrics["test"]["recall@8"] == shot.metrics["test"]["map@r"] == 1
    assert shot.metrics["train"]["recall@1"] == pytest.approx(2 / 3) and shot.metrics["train"]["queries"] == 3
    assert shot.neighbours.shape == (6, 1)


@pytest.mark.parametrize("most", [20_000, 4], ids=["all ask", "four ask"])
def test_slices_are_judged_one_by_one(tmp_path, monkeypatch, most):
    """The first slice separates the classes, the second is the same for all."""
    monkeypatch.setattr("bon_core.runs.build_snapshot.MAX_SLICED", most)
    angles = np.deg2rad([0, 5, 90, 95, 180, 185])
    first = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vectors = np.concatenate([first, np.tile([1.0, 0.0], (6, 1))], axis=1)
    embeddings = EmbeddingSet.of(vectors, np.array([0, 0, 1, 1, 2, 2]), class_names="abc")
    hashing = Hashing(mean=np.zeros(4), projection=np.eye(4), stored=np.full(6, -1), origin="fitted")
    shot = built(
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


def test_slices_are_measured_as_the_metrics_are_and_who_is_alone_asks_nothing(tmp_path):
    """Four pairs that find each other, and two samples alone in their class, which cannot be right."""
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 5])
    vectors = 5 * rng.standard_normal((6, 4))[labels] + 0.1 * rng.standard_normal((10, 4))
    embeddings = EmbeddingSet.of(vectors, labels, class_names="abcdef")
    hashing = Hashing(mean=np.zeros(4), projection=np.eye(4), stored=np.full(10, -1), origin="fitted")
    shot = built(tmp_path / "s", embeddings, np.ones(10, np.uint8), hashing=hashing, masks=block_masks(4, 2))
    assert shot.metrics["test"]["recall@1"] == shot.meta["division"]["whole"] == 1


def test_of_many_samples_some_say_where_the_clusters_lie(monkeypatch):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 500)
    vectors = np.eye(3, 8)[true] + 0.1 * rng.standard_normal((500, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    whole = fitted_division(vectors, 3, seed=0)
    monkeypatch.setattr("bon_core.runs.build_snapshot.MAX_CLUSTERED", 60)
    some = fitted_division(vectors, 3, seed=0)
    for found in (whole.clusters, some.clusters):
        assert len(set(zip(true.tolist(), found.tolist(), strict=True))) == 3  # a name for each true cluster
