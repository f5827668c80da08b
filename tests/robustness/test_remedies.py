"""Every remedy works: what a refusal tells a person to do is done, and the product accepts.

Settings: the numbers and words that the sentence offers are read out of it and tried, all of them. Files and calls: a
table of inputs that fail, the words of the remedy, and the remedy applied by hand as a person would.
"""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from bon_core.cli.main import main
from bon_core.config import DataConfig, InputError, RunConfig
from bon_core.datasets import load_data, load_images, load_vectors
from bon_core.division.clustering import cluster
from bon_core.division.slices import slices
from bon_core.mining import BagOfNegatives, MinedBatchSampler
from bon_core.runs import store
from bon_core.training.experiment import settled

# Settings -----------------------------------------------------------------------------------------------------------

SETTINGS = [  # section, field, a value that is refused
    *(("data", "image_size", value) for value in (0, 7, 513)),
    *(("data", "holdout", value) for value in (-0.1, 0.6)),
    *(("data", "class_level", value) for value in (0, -1)),
    *(("network", "dim", value) for value in (1, 5000)),
    *(("network", "dropout", value) for value in (-0.1, 1.5)),
    ("network", "backbone", "resnet"),
    *(("mining", "classes", value) for value in (1, 5000)),
    *(("mining", "images", value) for value in (1, 65)),
    *(("mining", "groups", value) for value in (0, 33)),
    *(("mining", "bits", value) for value in (0, 31)),
    ("mining", "capacity", 0),
    *(("mining", "mate_share", value) for value in (-0.5, 1.5)),
    *(("mining", "active_goal", value) for value in (0.0, 1.0)),
    *(("mining", "mate_ramp", value) for value in (-0.5, 1.5)),
    *(("mining", field, "xyz") for field in ("miner", "in_batch", "mate_schedule")),
    *(("division", "learners", value) for value in (0, 33)),
    *(("division", field, 1.5) for field in ("warmup", "split", "conquer", "random_share")),
    ("division", "recluster_every", 0),
    *(("division", field, "xyz") for field in ("feature", "matching", "masks", "test_norm")),
    *(("training", "epochs", value) for value in (0.0, 1e6)),
    *(("training", "learning_rate", value) for value in (0.0, 10.0)),
    *(("training", "weight_decay", value) for value in (-1.0, 1.0)),
    *(("training", "margin", value) for value in (0.0, 2.5)),
    *(("training", "seed", value) for value in (-1, 2**31)),
    *(("training", field, 0.0) for field in ("evaluate_every", "checkpoint_every")),
    ("training", "audit_every", 0),
    *(("training", field, "xyz") for field in ("loss", "device", "precision")),
]
NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.]*\d)")


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def offered(sentence: str, wrong: Any) -> list[Any]:
    """The values that a sentence offers: its choices, or the numbers of its remedy, or those of its rule."""
    if choices := re.search(r"must be one of ([^;]+);", sentence):
        return choices[1].split(", ")
    rule, _, remedy = sentence.rpartition(";")
    numbers = NUMBER.findall(remedy.replace("than 0", "than 0, such as 0.5")) or NUMBER.findall(rule)
    found = [type(wrong)(float(number)) for number in numbers]
    return [value for value in found if value != wrong and not ("more than 0" in remedy and value == 0)]


@pytest.mark.parametrize("section, field, wrong", SETTINGS, ids=lambda value: str(value))
def test_what_a_refused_setting_offers_is_accepted(section, field, wrong):
    """A value may meet another rule (a batch of two classes has no room for eight groups); its remedy helps as well."""
    tree = asdict(RunConfig())
    tree[section][field] = wrong
    sentence = refusal(lambda: RunConfig.from_json(json.dumps(tree)))
    values = offered(sentence, wrong)
    assert values, f"nothing to try in: {sentence}"
    for value in values:
        accept({**tree, section: {**tree[section], field: value}}, complaint=sentence.partition(",")[0])


def accept(tree: dict[str, Any], *, complaint: str, rounds: int = 3) -> None:
    """Build a config, following the remedies of what else does not fit now."""
    for _ in range(rounds):
        try:
            RunConfig.from_json(json.dumps(tree))
            return
        except InputError as error:
            sentence = str(error)
            assert not sentence.startswith(complaint), sentence
        if "groups do not fit" in sentence:
            tree["mining"]["groups"] = offered(sentence, 0)[-1]
        elif "cannot share" in sentence:  # "give fewer learners or a wider embedding"
            tree["division"]["learners"] = 1
        elif "add up to" in sentence:  # "lower one"
            shares = ("warmup", "split", "conquer")
            tree["division"][max(shares, key=tree["division"].get)] = 0.0
        else:
            raise AssertionError(f"no remedy was followed for: {sentence}")
    raise AssertionError(f"still refused: {sentence}")


def test_settings_that_do_not_go_together_name_a_way_out():
    tree = asdict(RunConfig())
    tree["mining"] |= {"miner": "xbm", "memory": 5}
    sentence = refusal(lambda: RunConfig.from_json(json.dumps(tree)))
    tree["mining"]["memory"] = offered(sentence, 5)[-1]
    RunConfig.from_json(json.dumps(tree))
    tree["division"]["doubling"] = True
    assert "leave out one of the two" in refusal(lambda: RunConfig.from_json(json.dumps(tree)))
    RunConfig.from_json(json.dumps({**tree, "division": {**tree["division"], "doubling": False}}))
    RunConfig.from_json(json.dumps({**tree, "mining": {**tree["mining"], "miner": "bon"}}))


def test_the_command_line_takes_the_option_that_it_names(small_file, runs_folder, capsys):
    """24 classes cannot fill a batch of 64: the sentence names `--classes N`, and that trains."""
    command = ["train", "--data", str(small_file), "--epochs", "0.1", "--images", "2", "--learners", "1"]
    assert main([*command, "--run", "first", "--classes", "64"]) == 2
    option = re.search(r"(--[a-z-]+) (\d+)", capsys.readouterr().err)
    assert option and not (runs_folder / "first").exists()
    assert main([*command, "--run", "first", option[1], option[2]]) == 0
    assert main([*command, "--run", "first", option[1], option[2]]) == 2  # taken
    assert "choose another name" in capsys.readouterr().err
    assert main([*command, "--run", "second", option[1], option[2]]) == 0


# Files --------------------------------------------------------------------------------------------------------------

VECTORS = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
LABELS = np.repeat([0, 1, 2], 4)


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "e.npz", **({"vectors": VECTORS, "labels": LABELS} | arrays))
    return path / "e.npz"


def parquet(path: Path, **columns: Any) -> Path:
    whole = {"vectors": VECTORS.tolist(), "labels": LABELS.tolist()} | columns
    pq.write_table(pa.table({name: column for name, column in whole.items() if column is not None}), path / "e.parquet")
    return path / "e.parquet"


def pictures(path: Path, *names: str, size: int = 12) -> Path:
    for number, name in enumerate(names):
        file = path / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (number * 20 % 255, 40, 80)).save(file, format="PNG")
    return path / "set"


def several(*folders: str, count: int = 3) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(count)]


def rows_of(path: Path) -> np.ndarray:
    embeddings, *_ = load_vectors(path)
    return embeddings.vectors


def images_of(path: Path, **options: Any) -> Any:
    return load_images(DataConfig(name=str(path), image_size=8, **options))


def objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def with_one(value: float) -> np.ndarray:
    changed = VECTORS.copy()
    changed[3, 1] = value
    return changed


FILES = [  # name, words of the remedy, what fails, the remedy applied; both get an empty folder
    (
        "pickled labels",
        "dtype=str",
        lambda to: npz(to, labels=objects(["a"] * 12)),
        lambda to: npz(to, labels=["a"] * 6 + ["b"] * 6),
    ),
    (
        "NaN",
        "",
        lambda to: npz(to, vectors=with_one(np.nan)),
        lambda to: npz(to, vectors=np.delete(VECTORS, 3, 0), labels=np.delete(LABELS, 3)),
    ),
    ("infinity", "", lambda to: npz(to, vectors=with_one(np.inf)), lambda to: npz(to, vectors=with_one(0))),
    ("too few labels", "", lambda to: npz(to, labels=LABELS[:-1]), npz),
    (
        "one dimension",
        "",
        lambda to: npz(to, vectors=VECTORS[:, 0]),
        lambda to: npz(to, vectors=VECTORS[:, :1].repeat(2, 1)),
    ),
    ("complex numbers", "", lambda to: npz(to, vectors=VECTORS * 1j), lambda to: npz(to, vectors=np.abs(VECTORS * 1j))),
    (
        "text as vectors",
        "",
        lambda to: npz(to, vectors=VECTORS.astype(str)),
        lambda to: npz(to, vectors=VECTORS.astype(str).astype(np.float32)),
    ),
    (
        "dates as vectors",
        "",
        lambda to: npz(to, vectors=(9 * VECTORS + 100).astype("M8[s]")),
        lambda to: npz(to, vectors=(9 * VECTORS + 100).astype("M8[s]").astype(np.float64)),
    ),
    ("no vectors in it", "", lambda to: parquet(to, vectors=None), parquet),
    ("ragged lists", "", lambda to: parquet(to, vectors=[[1.0] * (3 + row % 2) for row in range(12)]), parquet),
    (
        "a split of other words",
        "train, test, validation",
        lambda to: npz(to, split=["a"] * 12),
        lambda to: npz(to, split=["train"] * 4 + ["test"] * 4 + ["validation"] * 4),
    ),
    ("repeated ids", "", lambda to: npz(to, ids=np.zeros(12, int)), lambda to: npz(to, ids=np.arange(12))),
]


@pytest.mark.parametrize("words, wrong, right", [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_vectors_mended_as_they_say_are_read(tmp_path, words, wrong, right):
    (tmp_path / "wrong").mkdir(), (tmp_path / "right").mkdir()
    assert words in refusal(lambda: rows_of(wrong(tmp_path / "wrong")))
    assert len(rows_of(right(tmp_path / "right"))) >= 11


FOLDERS = [  # name, words of the remedy, files that fail, files after the remedy, options of the remedy
    ("no folders", "sub-folder", ["1.png", "2.png"], several("cat", "dog"), {}),
    ("one class", "", several("cat"), several("cat", "dog"), {}),
    (
        "parts but none to train on",
        "train",
        several("test/cat", "test/dog", "val/owl", "val/ape"),
        several("train/cat", "train/dog", "val/owl", "val/ape"),
        {},
    ),
    (
        "parts beside a class",
        "move the others away",
        several("train/cat", "test/dog", "more/owl"),
        several("train/cat", "test/dog"),
        {},
    ),
    (
        "parts beside a class, by level",
        "--class-level",
        several("train/cat", "test/dog", "more/owl"),
        None,
        {"class_level": 2},
    ),
    (
        "the same classes in two folders",
        "name them train and test",
        several("one/cat", "one/dog", "two/cat", "two/dog"),
        several("train/cat", "train/dog", "test/cat", "test/dog"),
        {},
    ),
    (
        "the same classes, by level",
        "--class-level",
        several("one/cat", "one/dog", "two/cat", "two/dog"),
        None,
        {"class_level": 2},
    ),
    (
        "the same classes, by the first level",
        "--class-level",
        several("one/cat", "one/dog", "two/cat", "two/dog"),
        None,
        {"class_level": 1},
    ),
]


@pytest.mark.parametrize(
    "words, wrong, right, options", [case[1:] for case in FOLDERS], ids=[case[0] for case in FOLDERS]
)
def test_folders_mended_as_they_say_are_read(tmp_path, words, wrong, right, options):
    (tmp_path / "wrong").mkdir(), (tmp_path / "right").mkdir()
    path = pictures(tmp_path / "wrong", *wrong)
    assert words in refusal(lambda: images_of(path))
    if right is not None:
        path = pictures(tmp_path / "right", *right)
    images = images_of(path, **options)
    assert len(images.part("train")) and len(images.part("test"))


def test_a_zip_that_climbs_out_is_read_once_made_from_its_folder(tmp_path):
    folder = pictures(tmp_path, *several("cat", "dog"))
    for name, prefix in (("wrong", "../"), ("right", "")):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for file in folder.rglob("*.png"):
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    assert "make the zip again" in refusal(lambda: images_of(tmp_path / "wrong.zip"))
    assert len(images_of(tmp_path / "right.zip")) == 6


def test_what_is_damaged_is_read_when_it_is_whole_again(tmp_path):
    path = npz(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "write or copy it again" in refusal(lambda: rows_of(path))
    path.write_bytes(whole)
    assert len(rows_of(path)) == 12


def test_options_that_do_not_fit_the_data_are_left_out(tmp_path):
    path = npz(tmp_path)
    for option in ({"image_size": 32}, {"class_level": 2}):
        assert "leave --" in refusal(lambda option=option: load_data(DataConfig(name=str(path), **option)))
    assert len(load_data(DataConfig(name=str(path)))) == 12


# Runs ---------------------------------------------------------------------------------------------------------------


def test_names_of_runs(runs_folder):
    for wrong in ("", "a/b", "..", ".hidden", "x" * 65, "a b"):
        sentence = refusal(lambda wrong=wrong: store.create(wrong, RunConfig()))
        assert re.search("; [a-z]", sentence)
    store.create("a-b.c_9", RunConfig())
    assert "choose another name" in refusal(lambda: store.create("a-b.c_9", RunConfig()))
    store.create("another", RunConfig())
    there = refusal(lambda: store.open_run("nothing")).rpartition(": ")[2].rstrip(".").split(", ")
    assert {store.open_run(name).name for name in there} >= {"another", "a-b.c_9"}


# The library --------------------------------------------------------------------------------------------------------

OF_TEN = torch.arange(10).repeat_interleave(4)


def bag(**options: Any) -> BagOfNegatives:
    return BagOfNegatives(**({"labels": OF_TEN, "dim": 8} | options))


CALLS = [  # name, words of the remedy, what fails, the remedy applied
    (
        "too many classes",
        "",
        lambda: bag().compose(classes=11, images=2),
        lambda: bag().compose(classes=10, images=2, groups=2),
    ),
    (
        "more groups than classes",
        "no more groups than classes",
        lambda: bag().compose(4, 2, 5),
        lambda: bag().compose(4, 2, 4),
    ),
    ("a share above 1", "between 0 and 1", lambda: bag().compose(4, 2, 2, 1.5), lambda: bag().compose(4, 2, 2, 1.0)),
    ("classes of one image", "", lambda: bag(labels=torch.arange(10)), lambda: bag(labels=torch.arange(10) // 2)),
    (
        "negatives without end",
        "lower k",
        lambda: bag().negatives(torch.tensor([0]), k=37),
        lambda: bag().negatives(torch.tensor([0]), k=36),
    ),
    ("a code beyond the last", "0 to 15", lambda: bag(bits=4).bucket(16), lambda: bag(bits=4).bucket(15)),
    ("31 bits", "", lambda: bag(bits=31), lambda: bag(bits=5)),
    (
        "embeddings of another width",
        "",
        lambda: bag().update([0], torch.ones(1, 9)),
        lambda: bag(dim=9).update([0], torch.ones(1, 9)),
    ),
    (
        "an id beyond the last",
        "",
        lambda: bag().update([40], torch.ones(1, 8)),
        lambda: bag().update([39], torch.ones(1, 8)),
    ),
    (
        "no number",
        "",
        lambda: bag().update([0], torch.full((1, 8), torch.nan)),
        lambda: bag().update([0], torch.ones(1, 8)),
    ),
    (
        "an empty epoch",
        "1 batch or more",
        lambda: MinedBatchSampler(bag(), classes=4, images=2, groups=2, batches=0),
        lambda: MinedBatchSampler(bag(), classes=4, images=2, groups=2, batches=1),
    ),
    (
        "more clusters than samples",
        "1 to 12",
        lambda: cluster(VECTORS, 13, seed=0),
        lambda: cluster(VECTORS, 12, seed=0),
    ),
    ("more learners than dimensions", "1 to 4 learners", lambda: slices(4, 5), lambda: slices(4, 4)),
]


@pytest.mark.parametrize("words, wrong, right", [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_calls_mended_as_they_say_are_accepted(words, wrong, right):
    assert words in refusal(wrong)
    right()


def test_a_state_of_another_bag_fits_one_made_as_they_say():
    saved = bag(bits=5).state_dict()
    assert "the same labels, width, bits" in refusal(lambda: bag(bits=6).load_state_dict(saved))
    bag(bits=5).load_state_dict(saved)


@pytest.mark.parametrize("kind, wrong", [("small_vectors", "conv4"), ("small_images", "mlp")])
def test_a_backbone_for_other_samples_names_one_that_fits(kind, wrong, request):
    data = request.getfixturevalue(kind)

    def config_with(backbone: str) -> RunConfig:
        return replace(RunConfig(), network=replace(RunConfig().network, backbone=backbone))

    sentence = refusal(lambda: settled(config_with(wrong), data))
    for name in re.search("; take ([^.]+)", sentence)[1].split(" or "):
        assert settled(config_with(name), data).network.backbone == name
