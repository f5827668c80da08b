"""What a bag is given: what has one obvious meaning is taken, all else is refused by value, rule and remedy."""

import threading

import numpy as np
import pandas as pd
import pytest
import torch

from bon_core.config import InputError
from bon_core.mining import BagOfNegatives, ClassNeighbours, Exact, Uniform
from tests.bon_core.mining.bags import clusters

PLAIN = [3, 0, 0, 3, 7, 7, 0, 3]
CLASSES = [1, 0, 0, 1, 2, 2, 0, 1]  # who is alike


@pytest.mark.parametrize(
    "labels",
    [
        PLAIN,
        tuple(PLAIN),
        np.array(PLAIN),
        np.array(PLAIN, ">i4"),
        np.array(PLAIN, np.uint64),
        np.array(PLAIN, np.uint64) + np.uint64(2**63),
        np.array(PLAIN, np.int8)[::-1][::-1],
        np.array(PLAIN[::-1])[::-1],
        np.repeat(PLAIN, 2)[::2],
        np.array(PLAIN, object),
        torch.tensor(PLAIN),
        torch.tensor(PLAIN, dtype=torch.uint8),
        pd.Series(PLAIN, index=range(100, 108)),
        pd.Series(["bee", "ant", "ant", "bee", "cat", "cat", "ant", "bee"]),
        pd.Series(["bee", "ant", "ant", "bee", "cat", "cat", "ant", "bee"], dtype="category", index=list("stuvwxyz")),
        np.array(["bee", "ant", "ant", "bee", "cat", "cat", "ant", "bee"]),
        ["bee", "ant", "ant", "bee", "cat", "cat", "ant", "bee"],
        pd.Index(PLAIN),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
@pytest.mark.parametrize("kind", [BagOfNegatives, Uniform, ClassNeighbours, Exact])
def test_labels_of_any_honest_kind_make_the_same_classes(labels, kind):
    index = kind(labels, dim=4).index
    assert index.label[:-1].tolist() == CLASSES and index.eligible == 3


def test_a_filtered_column_counts_by_position():
    frame = pd.DataFrame({"label": [9, 5, 6, 5, 6, 7, 7, 1]})
    kept = frame.label[frame.label > 4]
    bag = BagOfNegatives(kept[kept < 9], dim=4)
    assert bag.index.label[:-1].tolist() == [0, 1, 0, 1, 2, 2]


def test_booleans_are_two_classes():
    assert BagOfNegatives(np.array([True, False] * 3), dim=4).index.eligible == 2


@pytest.mark.parametrize(
    ("ids", "rows"),
    [
        (np.array([5, 6, 7]), lambda rows: rows.numpy()),
        (np.array([5, 6, 7], ">i8"), lambda rows: rows.numpy().astype(">f4")),
        (np.array([7, 6, 5])[::-1], lambda rows: rows.numpy()[::-1][::-1]),
        (np.array([5, 6, 7], np.uint64), lambda rows: rows.numpy().astype(np.float64)),
        ([5, 6, 7], lambda rows: rows.tolist()),
        (pd.Series([5, 6, 7], index=[1, 0, 9]), lambda rows: pd.DataFrame(rows.numpy())),
        (range(5, 8), lambda rows: rows.double()),
    ],
    ids=["arrays", "big-endian", "negative strides", "uint64", "lists", "pandas", "a range"],
)
def test_rows_of_any_honest_kind_update_alike(ids, rows):
    labels, vectors = clusters()
    one, other = BagOfNegatives(labels, dim=32), BagOfNegatives(labels, dim=32)
    one.update(torch.tensor([5, 6, 7]), vectors[5:8])
    other.update(ids, rows(vectors[5:8]))
    assert torch.equal(one.codes, other.codes)
    other.rehash(ids, rows(vectors[5:8]))
    other.update(ids, rows(vectors[5:8]), seeds=np.array([True, False, True]))
    assert other.negatives(ids, 2)[0].shape == (3, 2)


LABELS = {
    "dates": (np.array(["2020-01-01"] * 4, "datetime64[D]"), "datetime64"),
    "floats": ([0.0, 0.0, 1.0, 1.0], "float64"),
    "complex": (np.zeros(4, complex), "complex128"),
    "ragged": ([[0, 1], [2]], "cannot be read as one array"),
    "two dimensions": ([[0, 1], [0, 1]], r"\(2, 2\)"),
    "a single number": (5, r"\(\)"),
    "none": ([], r"\(0,\)"),
    "a missing one": (["a", None, "a", "b"], "label of sample 1 is None"),
    "text and numbers": (np.array(["a", 1, "a", 1], object), "all must be integers or all texts"),
    "NaN in a column": (pd.Series(["a", np.nan, "a"]), "label of sample 1 is nan"),
    "nothing": (None, "but must be"),
    "negative": ([-1, -1, 0, 0], "labels count from 0"),
    "records": (np.zeros(4, [("a", int)]), "one integer a sample, or one text"),
    "sparse": (torch.eye(4)[0].to_sparse().to(torch.int64), "one integer"),
}


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("kind", [BagOfNegatives, Uniform])
def test_other_labels_are_refused(name, kind):
    labels, words = LABELS[name]
    refused(lambda: kind(labels, dim=4), words)


SETTINGS = {
    "dim 0": ({"dim": 0}, "width dim is 0"),
    "dim as text": ({"dim": "8"}, "width dim is '8'"),
    "dim 8.0": ({"dim": 8.0}, "width dim is 8.0"),
    "dim true": ({"dim": True}, "width dim is True"),
    "bits 2.5": ({"bits": 2.5}, "number of bits is 2.5"),
    "bits 0": ({"bits": 0}, "number of bits is 0"),
    "bits as text": ({"bits": "4"}, "number of bits is '4'"),
    "capacity 1.5": ({"capacity": 1.5}, "capacity is 1.5"),
    "capacity 0": ({"capacity": 0}, "capacity is 0"),
    "no seed": ({"seed": None}, "seed is None"),
    "seed 1.5": ({"seed": 1.5}, "seed is 1.5"),
    "a negative seed": ({"seed": -1}, "seed is -1"),
    "no such device": ({"device": "gpu"}, "device 'gpu' cannot be used"),
    "no device": ({"device": 1.5}, "device 1.5 cannot be used"),
    "no such hasher": ({"hasher": ["lsh"]}, r"hasher is \['lsh'\]"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_other_settings_are_refused(name):
    settings, words = SETTINGS[name]
    refused(lambda: BagOfNegatives(PLAIN, **settings), words)
    if set(settings) <= {"dim", "seed", "device"}:
        refused(lambda: Exact(PLAIN, **settings), words)


def test_numpy_numbers_are_numbers():
    bag = BagOfNegatives(PLAIN, dim=np.int64(4), bits=np.uint8(3), capacity=np.int32(5), seed=np.int64(2))
    assert (bag.dim, bag.table.bits, bag.table.capacity) == (4, 3, 5)
    assert len(bag.compose(np.int64(3), np.int32(2), np.uint8(1), np.float32(0.5))) == 6


CALLS = {
    "k 2.5": (lambda bag: bag.negatives([0], 2.5), "negatives k is 2.5"),
    "k as text": (lambda bag: bag.negatives([0], "2"), "negatives k is '2'"),
    "ids of text": (lambda bag: bag.update(["a", "b"], torch.zeros(2, 4)), "one integer a row"),
    "ids of booleans": (lambda bag: bag.update([True, False], torch.zeros(2, 4)), "one integer a row"),
    "ragged ids": (lambda bag: bag.update([[1], [2, 3]], torch.zeros(2, 4)), "cannot be read as one array"),
    "an id too large": (lambda bag: bag.update(np.array([2**64 - 1], np.uint64), torch.zeros(1, 4)), "Ids "),
    "embeddings of text": (lambda bag: bag.update([0], [["a"] * 4]), "must be real numbers"),
    "embeddings of dates": (lambda bag: bag.update([0], np.zeros((1, 4), "M8[s]")), "must be real numbers"),
    "complex embeddings": (lambda bag: bag.update([0], np.zeros((1, 4), complex)), "must be real numbers"),
    "complex tensors": (lambda bag: bag.update([0], torch.zeros(1, 4, dtype=torch.complex64)), "dense real numbers"),
    "sparse embeddings": (lambda bag: bag.update([0], torch.zeros(1, 4).to_sparse()), "dense real numbers"),
    "ragged embeddings": (lambda bag: bag.update([0], [[1, 2], [3]]), "cannot be read as one array"),
    "no embeddings": (lambda bag: bag.update([0], None), "must be real numbers"),
    "seeds too few": (lambda bag: bag.update([0, 1], torch.ones(2, 4), seeds=torch.ones(1) > 0), "for each of the 2"),
    "seeds of numbers": (lambda bag: bag.update([0, 1], torch.ones(2, 4), seeds=[0, 1]), "one boolean"),
    "seeds of text": (lambda bag: bag.update([0], torch.ones(1, 4), seeds=["yes"]), "one boolean"),
    "no triplets": (lambda bag: bag.triplets(0), "number of triplets is 0"),
    "triplets 1.5": (lambda bag: bag.triplets(1.5), "number of triplets is 1.5"),
    "a code of text": (lambda bag: bag.bucket("1"), "is '1'"),
    "classes 2.5": (lambda bag: bag.compose(2.5, 2, 1), "number of classes is 2.5"),
    "classes of a list": (lambda bag: bag.compose([2], 2, 1), "three whole numbers"),
    "groups of text": (lambda bag: bag.compose(2, 2, "1"), "number of groups is '1'"),
    "a share of text": (lambda bag: bag.compose(2, 2, 1, "1"), "share of bucket mates is '1'"),
    "a share of NaN": (lambda bag: bag.compose(2, 2, 1, float("nan")), "share of bucket mates is nan"),
}


@pytest.mark.parametrize("name", CALLS)
def test_other_calls_are_refused_and_change_nothing(name):
    call, words = CALLS[name]
    bag = BagOfNegatives(PLAIN, dim=4, bits=3)
    before = bag.state_dict()
    refused(lambda: call(bag), words)
    assert all(torch.equal(before[key], value) for key, value in bag.state_dict().items())


@pytest.mark.parametrize("ids", [[], np.zeros(0, int), torch.zeros(0, dtype=torch.int64)], ids=["list", "array", "ids"])
def test_an_empty_batch_changes_nothing_and_gets_nothing(ids):
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    bag.update(range(100), vectors[:100])
    before = bag.state_dict()
    bag.update(ids, vectors[:0])
    bag.rehash(ids, vectors[:0])
    assert [part.shape for part in bag.negatives(ids, 3)] == [(0, 3), (0, 3)]
    for name in ("table.slots", "table.position", "hasher.weight", "hasher.mean"):
        assert torch.equal(before[name], bag.state_dict()[name]), name


TORN = {
    "generator cut": lambda state: state | {"generator": state["generator"][:-7]},
    "generator of zeros": lambda state: state | {"generator": torch.zeros_like(state["generator"])},
    "another type": lambda state: state | {"served": None, "bag.served": state["generator"].double()},
    "no tensor": lambda state: state | dict.fromkeys(state, None),
    "a name missing": lambda state: {name: tensor for name, tensor in state.items() if "served" not in name},
    "no state": lambda state: list(state),
}


@pytest.mark.parametrize("tear", TORN)
@pytest.mark.parametrize("kind", [BagOfNegatives, ClassNeighbours])
def test_a_torn_state_is_refused_and_changes_nothing(kind, tear):
    labels, vectors = clusters()
    one, other = kind(labels, dim=32), kind(labels, dim=32, seed=1)
    for miner in (one, other):
        for _ in range(3):
            ids = miner.compose()
            miner.update(ids, vectors[ids])
    before = other.state_dict()
    refused(lambda: other.load_state_dict(TORN[tear](one.state_dict())), "The saved ")
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_threads_that_update_take_turns():
    """Whoever is in a bucket is there once, and where its code says."""
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32, bits=4)
    failed = []

    def work(seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        try:
            for _ in range(60):
                ids = torch.randperm(len(labels), generator=rng)[:128]
                bag.update(ids, vectors[ids])
                bag.compose(8, 2, 2)
        except Exception as error:  # a thread would swallow it
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    entries = [int(sample) for code in range(16) for sample in bag.bucket(code)]
    assert len(entries) == len(set(entries))
    assert all(int(bag.codes[sample]) == code for code in range(16) for sample in bag.bucket(code))


def refused(call, words: str) -> None:
    """In one sentence with a remedy after a semicolon."""
    with pytest.raises(InputError, match=words) as told:
        call()
    text = str(told.value)
    assert "\n" not in text and text.endswith(".") and ("; " in text), text
