"""The loader gives the same batches from memory and from disk, and reads ahead only what it was told to."""

import time

import numpy as np
import pytest
import torch

from bon_core.config import InputError
from bon_core.datasets.rows import Rows
from bon_core.networks.embedding import batch_of
from bon_core.training.batch_loader import BatchLoader

CPU = torch.device("cpu")
POSITIONS = torch.tensor([5, 0, 5, 3])


class Slow:
    """Rows that take a while, and remember what was read."""

    def __init__(self, array: np.ndarray, seconds: float = 0.0):
        self.array, self.seconds, self.read = array, seconds, []

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        self.read.append(rows.tolist())
        return self.array[rows]


@pytest.mark.parametrize("shape", [(8, 4, 4), (8, 4, 4, 3), (8, 6)], ids=["grey", "colour", "vectors"])
def test_memory_and_disk_give_the_same_batch(shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8 if len(shape) > 2 else np.float16)
    held, mapped = BatchLoader(array, CPU), BatchLoader(Rows(array), CPU)
    assert not held.on_disk and mapped.on_disk
    found = held.load(POSITIONS)
    assert torch.equal(found, batch_of(array[POSITIONS.numpy()], CPU)) and found.dtype == torch.float32
    assert torch.equal(mapped.load(POSITIONS), found)
    mapped.prefetch(POSITIONS)
    assert torch.equal(mapped.load(POSITIONS.clone()), found)


def test_a_batch_that_was_begun_is_read_once_and_another_one_anew():
    source = Slow(np.eye(8, dtype=np.float32))
    loader = BatchLoader(source, CPU)
    loader.prefetch(POSITIONS)
    loader.load(POSITIONS)
    assert source.read == [[5, 0, 5, 3]]
    loader.prefetch(POSITIONS)
    other = loader.load(torch.tensor([1, 2]))
    assert torch.equal(other, torch.eye(8)[[1, 2]]) and source.read[-1] == [1, 2]


def test_waiting_is_counted_and_what_was_read_meanwhile_is_not():
    loader = BatchLoader(Slow(np.eye(8, dtype=np.float32), seconds=0.1), CPU)
    loader.load(POSITIONS)
    assert loader.data_time >= 0.1
    assert loader.data_time_share(0.5) == pytest.approx(loader.data_time / 0.5)
    loader.prefetch(POSITIONS)
    time.sleep(0.15)
    loader.load(POSITIONS)
    assert loader.data_time_share(1.5) < 0.05


def test_what_cannot_be_read_is_said_where_it_is_taken():
    class Broken(Slow):
        def __getitem__(self, rows):
            raise InputError("a/2.png cannot be read as an image; replace it.")

    loader = BatchLoader(Broken(np.eye(2)), CPU)
    loader.prefetch(POSITIONS)
    with pytest.raises(InputError, match="cannot be read as an image"):
        loader.load(POSITIONS)
