"""bon_core.datasets: one way to every data set."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bon_core.config import DataConfig, InputError
from bon_core.datasets import lasting_name, load_images
from bon_core.datasets.image_set import VALIDATION

SHARED = Path(__file__).parents[4] / "shared" / "data" / "omniglot"


@pytest.fixture
def pets(tmp_path) -> Path:
    for name in ("cat", "dog", "owl", "yak"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (20, 20), (80 * number, 0, 0)).save(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path / "pets"


def test_a_name_holds_in_any_folder(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    (pets.parent / "glyphs").mkdir()
    assert lasting_name("pets") == str(pets)
    assert lasting_name("hf:pets,split=train") == f"hf:{pets},split=train"
    for name in ("glyphs", "hf:owner/pets,label=kind", "nowhere", str(pets)):
        assert lasting_name(name) == name


def test_glyphs_at_their_own_and_another_size():
    assert load_images(DataConfig()).size == 32
    assert load_images(DataConfig(name="glyphs", image_size=20)).images.shape[1:] == (20, 20)


def test_hold_out_takes_training_classes_only():
    plain, held = load_images(DataConfig()), load_images(DataConfig(holdout=0.25))
    assert (plain.part("test").ids == held.part("test").ids).all()
    train, validation = np.unique(held.part("train").labels), np.unique(held.part("validation").labels)
    assert len(validation) == round(0.25 * (len(train) + len(validation)))
    assert not (plain.split == VALIDATION).any()


def test_folder_zip_and_npz_of_the_same_pictures(pets):
    import shutil

    archive = shutil.make_archive(str(pets), "zip", pets)
    from_folder = load_images(DataConfig(name=str(pets), image_size=16))
    from_folder.save(pets.with_suffix(".npz"))
    from_zip = load_images(DataConfig(name=archive, image_size=16))
    from_npz = load_images(DataConfig(name=str(pets.with_suffix(".npz"))))
    for other in (from_zip, from_npz):
        assert (other.images == from_folder.images).all() and (other.split == from_folder.split).all()
    assert load_images(DataConfig(name=str(pets.with_suffix(".npz")), image_size=8)).size == 8


def test_what_is_not_there_or_of_no_known_kind(tmp_path):
    with pytest.raises(InputError, match="no data set 'glyhps': it is neither one of glyphs, omniglot nor a path"):
        load_images(DataConfig(name="glyhps"))
    (tmp_path / "data.tar").write_bytes(b"x")
    with pytest.raises(InputError, match=r"neither a folder nor a .zip nor an .npz"):
        load_images(DataConfig(name=str(tmp_path / "data.tar")))


def test_a_named_set_where_its_path_says(tmp_path):
    with pytest.raises(InputError, match="glyphs are not at"):
        load_images(DataConfig(name="glyphs", path=str(tmp_path / "glyphs.npz")))


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data/omniglot is not there")
def test_omniglot_from_its_folder():
    images = load_images(DataConfig(name="omniglot", path=str(SHARED), holdout=0.1))
    assert len(np.unique(images.part("validation").labels)) == 96
    assert len(np.unique(images.part("test").labels)) == 659


def test_importing_it_brings_in_nothing_heavy():
    heavy = "{'torch', 'faiss', 'umap', 'sklearn', 'scipy', 'PIL', 'pyarrow'}"
    code = f"import sys, bon_core.datasets; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
