"""The four files of the Embedding Projector: rows, columns and sprite cells belong together."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from bon_core.cli.main import main
from bon_core.config import InputError
from bon_core.exports import projector


@pytest.fixture
def folder(tiny, tmp_path):
    assert main(["export", "--run", "tiny", "--to", "projector", "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


def metadata(folder) -> list[dict[str, str]]:
    with (folder / "metadata.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_vectors_and_metadata_go_row_by_row(folder, tiny):
    shot = tiny.snapshot()
    vectors = np.loadtxt(folder / "tensors.tsv", delimiter="\t")
    assert np.abs(vectors - shot.vectors).max() < 1e-5
    rows = metadata(folder)
    assert [int(row["id"]) for row in rows] == shot.ids.tolist()
    assert [row["class"] for row in rows] == [shot.class_names[label] for label in shot.labels]


def test_the_sprite_has_each_picture_where_the_projector_looks_for_it(folder, tiny_images):
    sheet = np.asarray(Image.open(folder / "sprite.png"))
    assert sheet.shape == (160, 160)  # 96 pictures of 16 px in rows of ten
    assert (sheet[16:32, 112:128] == tiny_images.images[17]).all()
    config = (folder / "projector_config.pbtxt").read_text()
    assert re.findall(r'_path: "(.*?)"', config) == ["tensors.tsv", "metadata.tsv", "sprite.png"]
    assert re.findall(r"single_image_dim: (\d+)", config) == ["16", "16"]


def test_names_with_tabs_and_quotes_stay_in_their_column(tmp_path):
    projector._write_metadata(
        tmp_path / "metadata.tsv", {"class": np.array(['a\tb\n"c', "d"]), "bucket": np.array([3, 4])}
    )
    assert (tmp_path / "metadata.tsv").read_text() == 'class\tbucket\na b "c\t3\nd\t4\n'


def test_more_points_than_the_projector_reads_are_drawn_by_chance(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "MAX_POINTS", 30)
    found = projector.write(tiny, str(tmp_path / "out"))
    assert (found["points"], found["of"]) == (30, 96)
    shot, rows = tiny.snapshot(), metadata(tmp_path / "out")
    vectors = np.loadtxt(tmp_path / "out" / "tensors.tsv", delimiter="\t")
    places = shot.positions(np.array([int(row["id"]) for row in rows]))
    assert len(places) == 30 and len({row["class"] for row in rows}) > 4
    assert np.abs(vectors - shot.vectors[places]).max() < 1e-5


def test_pictures_shrink_to_the_largest_sheet_and_vanish_below_it(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "SPRITE_SIDE", 90)
    assert projector.write(tiny, str(tmp_path / "out"))["pictures"] == "9 px"
    monkeypatch.setattr(projector, "SPRITE_SIDE", 70)
    assert projector.write(tiny, str(tmp_path / "out"))["pictures"] == "none"
    assert not (tmp_path / "out" / "sprite.png").exists()
    assert "sprite" not in (tmp_path / "out" / "projector_config.pbtxt").read_text()


def test_a_folder_of_something_else_is_left_alone(tiny, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds \['thesis.tex'\], which is no earlier export"):
        projector.write(tiny, str(tmp_path / "out"))
    with pytest.raises(InputError, match="is a file"):
        projector.write(tiny, str(tmp_path / "out" / "thesis.tex"))
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"
