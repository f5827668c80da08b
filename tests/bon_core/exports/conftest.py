import pytest

from bon_core.runs.run import Run
from tests.app.tiny import make_images, make_run


@pytest.fixture
def tiny_images(tmp_path):
    return make_images(tmp_path)


@pytest.fixture
def tiny(tiny_images, runs_folder, tmp_path) -> Run:
    """A trained run of 96 samples with images, ids neither sorted nor dense, and events up to step 40."""
    return make_run(runs_folder, tiny_images, tmp_path / "tiny.npz")
