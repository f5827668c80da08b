"""The database that LanceDB itself opens and answers from: rows, columns, neighbours, the index and its recall."""

import builtins

import lancedb
import numpy as np
import pytest

from bon_core.cli.main import main
from bon_core.exports import lancedb as export


@pytest.fixture
def folder(tiny, tmp_path):
    assert main(["export", "--run", "tiny", "--to", "lancedb", "--out", str(tmp_path / "database")]) == 0
    return tmp_path / "database"


def test_the_engine_finds_the_neighbours_that_the_snapshot_has(folder, tiny):
    shot = tiny.snapshot()
    table = lancedb.connect(folder).open_table("samples")
    vectors = np.asarray(shot.vectors, np.float32)
    for row in (0, 17, 95):
        found = table.search(vectors[row]).distance_type("cosine").limit(6).to_arrow().to_pydict()
        true = np.argsort(-vectors @ vectors[row] / np.linalg.norm(vectors, axis=1), kind="stable")[:6]
        assert found["id"] == shot.ids[true].tolist() and found["id"][0] == shot.ids[row]
        assert found["class"] == [shot.class_names[label] for label in shot.labels[true]]


def test_every_sample_is_a_row_with_a_unit_vector_and_can_be_filtered_by_what_is_known(folder, tiny):
    shot = tiny.snapshot()
    table = lancedb.connect(folder).open_table("samples")
    rows = table.to_arrow().to_pydict()
    assert rows["id"] == shot.ids.tolist() and set(rows["split"]) == {"train", "test"}
    assert np.linalg.norm(rows["vector"], axis=1) == pytest.approx(1, abs=1e-6)
    query = table.search(rows["vector"][0]).where("split = 'test'").limit(3).to_arrow()
    assert set(query["split"].to_pylist()) == {"test"}


def test_blocks_make_one_table_and_another_export_takes_its_place(folder, tiny, monkeypatch):
    monkeypatch.setattr("bon_core.base.chunks.CHUNK_ROWS", 7)
    assert export.write(tiny, str(folder))["rows"] == 96
    assert lancedb.connect(folder).open_table("samples").count_rows() == 96


def test_many_rows_get_an_index_and_its_recall_is_said(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "INDEXED_FROM", 96)
    monkeypatch.setattr(export, "ASKED", 20)
    found = export.write(tiny, str(tmp_path / "indexed"))
    assert 0.8 < found["recall@10"] <= 1
    (index,) = lancedb.connect(tmp_path / "indexed").open_table("samples").list_indices()
    assert index.columns == ["vector"]


def test_a_folder_of_somebody_else_is_left_alone(tiny, tmp_path, capsys):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").touch()
    assert main(["export", "--run", "tiny", "--to", "lancedb", "--out", str(tmp_path / "own")]) == 2
    assert "thesis.txt" in capsys.readouterr().err


def test_without_lancedb_a_sentence_says_how_to_get_it(tiny, tmp_path, capsys, monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments, **settings):
        if name.startswith("lancedb"):
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert main(["export", "--run", "tiny", "--to", "lancedb", "--out", str(tmp_path / "d")]) == 2
    assert "pip install lancedb" in capsys.readouterr().err and not (tmp_path / "d").exists()
