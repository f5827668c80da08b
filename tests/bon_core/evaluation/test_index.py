"""Which index answers: chosen by size, as good as it says, kept and read again for the same vectors."""

import faiss
import numpy as np
import pytest

from bon_core.evaluation import index
from bon_core.evaluation.index import exact_neighbours, kind_for, open_index
from bon_core.evaluation.neighbours import build_neighbours


def crowds(count: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = np.repeat(rng.standard_normal((count // 20, dim)), 20, axis=0) + 0.5 * rng.standard_normal((count, dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return crowds(4000)


def share_found(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(one, other, strict=True)]))


def test_the_kind_is_chosen_by_size():
    assert kind_for(10_000, 128) == kind_for(index.FLAT_LIMIT, 2048) == "exact"
    assert kind_for(index.FLAT_LIMIT + 1, 128) == kind_for(1_000_000, 128) == "hnsw"
    assert kind_for(10_000_000, 128) == "ivf-pq"


@pytest.mark.parametrize(("kind", "least"), [("exact", 1.0), ("hnsw", 0.98), ("ivf-pq", 0.9)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_every_kind_gives_squared_distances_in_order_and_finds_what_it_should(vectors, kind, least, dtype):
    stored = vectors.astype(dtype)
    squared, found = open_index(stored, kind=kind).search(vectors[:200], 10)
    assert found.shape == (200, 10) and (np.diff(squared, axis=1) >= 0).all()
    by_hand = ((vectors[:200, None] - stored[found].astype(np.float64)) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared, by_hand, atol=1e-5)
    true = np.argsort(-(vectors[:200] @ vectors.T), axis=1)[:, :10]
    assert share_found(true, found) >= least - (dtype is np.float16) * 0.02


@pytest.mark.parametrize("dim", [3, 16, 17])
def test_codes_suit_any_width(dim):
    vectors = crowds(800, dim)
    squared, found = open_index(vectors, kind="ivf-pq").search(vectors[:50], 5)
    assert (squared[:, 0] < 0.002).mean() > 0.8 and found.min() >= 0


def test_the_recall_that_a_table_states_is_the_recall_that_it_has(vectors, monkeypatch):
    monkeypatch.setattr("bon_core.evaluation.neighbours.ASKED_AGAIN", 4000)
    monkeypatch.setattr(index, "RANKED_AGAIN", 1)
    exact, coded = (build_neighbours(vectors, 10, kind=kind) for kind in ("exact", "ivf-pq"))
    assert (exact.kind, exact.recall) == ("exact", 1.0) and coded.kind == "ivf-pq"
    assert coded.recall == pytest.approx(share_found(exact.indices, coded.indices), abs=1e-3)
    assert 0.3 < coded.recall < 0.99


def test_duplicates_that_stand_in_for_one_another_are_no_loss():
    vectors = np.repeat(crowds(40), 25, axis=0)
    assert build_neighbours(vectors, 5, kind="hnsw").recall == 1


def test_exact_search_in_blocks_is_the_whole_search(vectors, monkeypatch):
    monkeypatch.setattr("bon_core.base.chunks.CHUNK_ROWS", 999)
    squared, found = exact_neighbours(vectors[:30], vectors.astype(np.float16), 7)
    true = ((vectors[:30, None].astype(np.float64) - vectors.astype(np.float16)) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found, np.argsort(true, axis=1, kind="stable")[:, :7])
    np.testing.assert_allclose(squared, np.sort(true, axis=1)[:, :7], atol=1e-5)


def test_an_index_is_kept_and_read_again_for_the_same_vectors_only(vectors, tmp_path, monkeypatch):
    folder = tmp_path / "kept" / "indexes"
    first = open_index(vectors, kind="hnsw", folder=folder)
    (file,) = folder.iterdir()
    build = index._built
    monkeypatch.setattr(index, "_built", lambda *arguments: pytest.fail("built again"))
    again = open_index(vectors.astype(np.float16), kind="hnsw", folder=folder)  # as a snapshot has them
    np.testing.assert_array_equal(again.search(vectors[:50], 9)[1], first.search(vectors[:50], 9)[1])

    monkeypatch.setattr(index, "_built", build)
    open_index(vectors[::-1].copy(), kind="hnsw", folder=folder)
    assert len(list(folder.iterdir())) == 2 and file.exists()


@pytest.mark.parametrize("content", [b"", b"IHNf", b"no index"], ids=["empty", "cut", "strange"])
def test_a_damaged_index_is_built_anew(vectors, tmp_path, content):
    open_index(vectors, kind="hnsw", folder=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(content)
    assert open_index(vectors, kind="hnsw", folder=tmp_path).faiss.ntotal == 4000
    assert len(file.read_bytes()) == len(whole)
    file.write_bytes(whole[: len(whole) // 2])
    assert open_index(vectors, kind="hnsw", folder=tmp_path).faiss.ntotal == 4000


def test_an_index_of_another_kind_under_the_right_name_is_not_taken(vectors, tmp_path):
    open_index(vectors, kind="hnsw", folder=tmp_path)
    (file,) = tmp_path.iterdir()
    other = faiss.IndexFlatIP(16)
    other.add(vectors)
    faiss.write_index(other, str(file))
    assert isinstance(open_index(vectors, kind="hnsw", folder=tmp_path).faiss, faiss.IndexHNSWFlat)


def test_only_the_newest_are_kept_and_exact_ones_never(vectors, tmp_path):
    for seed in range(index.KEPT + 2):
        open_index(crowds(200, seed=seed), kind="hnsw", folder=tmp_path)
        open_index(crowds(200, seed=seed), kind="exact", folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == index.KEPT


def test_a_folder_that_cannot_be_written_to_costs_only_time(vectors, tmp_path):
    (tmp_path / "file").touch()
    assert open_index(vectors, kind="hnsw", folder=tmp_path / "file" / "below").faiss.ntotal == 4000


def test_vectors_mapped_from_a_file_are_searched_as_they_are(vectors, tmp_path):
    np.save(tmp_path / "v.npy", vectors.astype(np.float16))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    table = build_neighbours(mapped, 5, kind="ivf-pq")
    assert table.recall > 0.9
    np.testing.assert_array_equal(table.indices, build_neighbours(np.asarray(mapped), 5, kind="ivf-pq").indices)
