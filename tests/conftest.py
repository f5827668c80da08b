"""What many tests share: a small set of images whose classes differ, and runs kept out of the project's folder."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from bon_core.datasets.image_set import TEST, TRAIN, ImageSet
from bon_core.datasets.vector_set import VectorSet

settings.register_profile("patient", deadline=None)  # a busy machine is no bug
settings.load_profile("patient")

SLOW_FOLDERS = ("e2e", "robustness")  # browsers, killed trainings, hostile files: `make test-fast` leaves them out


def pytest_collection_modifyitems(items):
    """Whole folders are slow; elsewhere a module or a test that takes over about two seconds says so itself."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def runs_folder(tmp_path, monkeypatch):
    """New runs go to a folder of their own."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("BON_RUNS", str(folder))
    return folder


@pytest.fixture(scope="session")
def small_images() -> ImageSet:
    """36 classes of 10 images of 16 px: a blob pattern a class, shifted and noisy; 24 classes to train, 12 to test."""
    rng = np.random.default_rng(0)
    patterns = rng.random((36, 4, 4)).repeat(4, axis=1).repeat(4, axis=2)
    labels = np.repeat(np.arange(36), 10)
    shifted = np.stack([np.roll(patterns[label], rng.integers(-1, 2, 2), axis=(0, 1)) for label in labels])
    images = (np.clip(shifted + 0.15 * rng.standard_normal(shifted.shape), 0, 1) * 255).astype(np.uint8)
    return ImageSet(
        name="small",
        images=images,
        labels=labels.astype(np.int64),
        class_names=tuple(f"class {number}" for number in range(36)),
        split=np.where(labels < 24, TRAIN, TEST).astype(np.uint8),
        ids=np.arange(1000, 1360, dtype=np.int64),
        fields={"parity": np.where(labels % 2, "odd", "even")},
    )


@pytest.fixture(scope="session")
def small_file(small_images, tmp_path_factory):
    """The same set as a file, for --data."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    small_images.save(path)
    return path


@pytest.fixture(scope="session")
def small_vectors() -> VectorSet:
    """36 classes of 10 vectors of 20 values: the class shows in 6 of them, noise fills the rest; 24 classes train."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(36), 10)
    vectors = np.concatenate(
        [
            rng.standard_normal((36, 6))[labels] + 0.3 * rng.standard_normal((360, 6)),
            1.5 * rng.standard_normal((360, 14)),
        ],
        axis=1,
    )
    return VectorSet(
        name="small",
        vectors=(vectors * rng.uniform(0.5, 20, (360, 1))).astype(np.float16),
        labels=labels.astype(np.int64),
        class_names=tuple(f"class {number}" for number in range(36)),
        split=np.where(labels < 24, TRAIN, TEST).astype(np.uint8),
        ids=rng.permutation(1000)[:360].astype(np.int64),
    )


@pytest.fixture(scope="session")
def vectors_file(small_vectors, tmp_path_factory):
    """The same vectors as an .npy file with its columns beside it, for --data; without a split."""
    folder = tmp_path_factory.mktemp("vectors")
    np.save(folder / "small.npy", small_vectors.vectors)
    np.save(folder / "small_labels.npy", np.array(small_vectors.class_names)[small_vectors.labels])
    return folder / "small.npy"
