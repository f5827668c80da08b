"""The Parquet file as Embedding Atlas reads it: --x, --y, --neighbors, --image name its columns."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bon_core.cli.main import main
from bon_core.exports import atlas


@pytest.fixture
def table(tiny, tmp_path):
    assert main(["export", "--run", "tiny", "--to", "atlas", "--out", str(tmp_path / "tiny.parquet")]) == 0
    return pq.read_table(tmp_path / "tiny.parquet").to_pydict()


def test_rows_are_those_of_the_snapshot(table, tiny):
    shot = tiny.snapshot()
    assert table["id"] == shot.ids.tolist()
    assert np.allclose(np.column_stack([table["projection_x"], table["projection_y"]]), shot.xy)
    assert table["class"] == [shot.class_names[label] for label in shot.labels]
    assert set(table["style"]) == {"upright", "italic"}
    assert "x" not in table and "y" not in table


def test_neighbours_are_rows_of_the_file_nearest_first(table, tiny):
    shot = tiny.snapshot()
    for row in (0, 17, 95):
        found = table["neighbors"][row]
        assert found["ids"] == shot.neighbours[row].tolist()
        assert found["distances"] == pytest.approx(shot.neighbour_distances[row].astype(float))
        assert found["distances"] == sorted(found["distances"])
        assert table["id"][found["ids"][0]] == table["nearest"][row]


def test_each_row_has_its_own_picture(table, tiny_images):
    for row in (0, 40):
        shown = np.asarray(Image.open(io.BytesIO(table["image"][row]["bytes"])))
        assert (shown == tiny_images.images[row]).all()


def test_too_many_pictures_and_pictures_that_are_gone_are_left_out(tiny, tmp_path, monkeypatch):
    out = str(tmp_path / "tiny.parquet")
    assert atlas.write(tiny, out)["pictures"] == "16 px"
    monkeypatch.setattr(atlas, "MAX_PICTURES", 95)
    assert atlas.write(tiny, out)["pictures"] == "none"
    monkeypatch.undo()
    (tmp_path / "tiny.npz").unlink()
    found = atlas.write(tiny, out)
    assert found["pictures"] == "none" and "--image" not in found["open_with"]
    assert "image" not in pq.read_schema(out).names


def test_another_ending_is_refused(tiny, capsys, tmp_path):
    assert main(["export", "--run", "tiny", "--to", "atlas", "--out", str(tmp_path / "a.csv")]) == 2
    assert "must end in .parquet" in capsys.readouterr().err


def test_the_file_read_back_as_embeddings_is_refused_with_what_to_do(tiny, tmp_path):
    from bon_core.config import InputError
    from bon_core.datasets import load_vectors

    for what, out in ((["--to", "atlas"], "atlas.parquet"), (["--what", "points"], "points.parquet")):
        assert main(["export", "--run", "tiny", *what, "--out", str(tmp_path / out)]) == 0
        with pytest.raises(InputError, match="this program exported, which has no vectors; write these with: embed"):
            load_vectors(tmp_path / out)


@pytest.mark.slow
def test_lists_do_not_overflow_however_many_numbers_there_are():
    import pyarrow as pa

    from bon_core.exports.tables import lists

    found = lists(np.arange(12, dtype=np.float32).reshape(4, 3))
    assert found.type == pa.list_(pa.float32(), 3) and found.to_pylist()[3] == [9, 10, 11]
    many = np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), (2**31 // 1024 + 1, 1024), (0, 0))
    whole = lists(many)  # 2^31 + 1,024 numbers: 32-bit offsets would have overflowed
    assert len(whole) == len(many) and len(whole[len(many) - 1]) == 1024
