"""Settings of a run."""

import json
import pickle
from typing import Any

from tests.robustness.hostile import Case, Evil, Maker, made_folder, written


def config(**changes: Any) -> Maker:
    return written("config.json", json.dumps(changes).encode())


CONFIGS: list[Case] = [
    ("nothing", written("config.json", b""), "not JSON"),
    ("half", written("config.json", b'{"data": {"na'), "not JSON"),
    ("a list", written("config.json", b"[]"), "must be an object"),
    ("null", written("config.json", b"null"), "must be an object"),
    ("a number", written("config.json", b"7"), "is 7"),
    ("a text", written("config.json", b'"config"'), "must be an object"),
    ("brackets", written("config.json", b"[" * 100_000), "not JSON"),
    ("no text", written("config.json", b"\xff\xfe\x00"), "it is no text"),
    ("a pickle", written("config.json", pickle.dumps(Evil())), "it is no text|not JSON"),
    ("missing", lambda folder: folder / "config.json", "No such file"),
    ("a folder", lambda folder: made_folder(folder / "config.json"), "Is a directory|directory"),
    (
        "a number of a million digits",
        written("config.json", b'{"training": {"epochs": ' + b"9" * 1_000_000 + b"}}"),
        "not JSON",
    ),
    ("a number of 400 digits", written("config.json", b'{"training": {"epochs": ' + b"9" * 400 + b"}}"), "end at 2"),
    (
        "a whole number of 400 digits",
        written("config.json", b'{"training": {"seed": ' + b"9" * 400 + b"}}"),
        "end at 2",
    ),
    ("an unknown section", config(tranining={}), "unknown field .*tranining"),
    ("an unknown field", config(training={"epoch": 3}), r"unknown field \['epoch'\]"),
    ("a field of a newer version", config(version=99), r"unknown field \['version'\]"),
    ("a field to step out", config(__class__="os"), "unknown field"),
    *(
        (f"a section that is {value!r}", config(mining=value), "must be an object")
        for value in (None, 3, "bon", [], True)
    ),
    *(
        (f"a miner that is {value!r}", config(mining={"miner": value}), "must be one of")
        for value in (None, 3, "BON", ["bon"], {}, "")
    ),
    *(
        (f"classes that are {value!r}", config(mining={"classes": value}), "must be of type int")
        for value in (None, "8", 8.0, True, [8])
    ),
    *(
        (f"epochs that are {value!r}", config(training={"epochs": value}), "must be of type float")
        for value in (None, "8", True, [8])
    ),
    *(
        (
            f"epochs of {text}",
            written("config.json", b'{"training": {"epochs": ' + text.encode() + b"}}"),
            "cannot be trained",
        )
        for text in ("NaN", "Infinity", "-Infinity", "1e400", "-1", "0")
    ),
    *(
        (
            f"a rate of {text}",
            written("config.json", b'{"training": {"learning_rate": ' + text.encode() + b"}}"),
            "cannot train",
        )
        for text in ("NaN", "Infinity", "0", "-1", "10")
    ),
    ("a width of 1", config(network={"dim": 1}), "width is 1"),
    ("a width of a billion", config(network={"dim": 10**9}), "width is 1000000000"),
    ("a backbone that is a path", config(network={"backbone": "../../evil.pt"}), "must be one of"),
    ("a loss that is code", config(training={"loss": "__import__('os')"}), "must be one of"),
    ("a device that is a path", config(training={"device": "/dev/mem"}), "must be one of"),
    ("no name", config(data={"name": ""}), "name is empty"),
    ("a name that is a number", config(data={"name": 3}), "must be of type str"),
    ("a path that is a list", config(data={"path": ["/etc"]}), "must be of type str or null"),
    ("images of 0 px", config(data={"image_size": 0}), "Image size is 0"),
    ("images of a million px", config(data={"image_size": 10**6}), "Image size is 1000000"),
    ("everything held out", config(data={"holdout": 1.0}), "Hold-out is 1.0"),
    ("more learners than dimensions", config(network={"dim": 4}, division={"learners": 8}), "8 learners"),
    ("1,000 learners", config(division={"learners": 1000}), "1000 learners"),
    ("shares above 1", config(division={"warmup": 0.9, "split": 0.9}), "add up to"),
    ("a batch of a million classes", config(mining={"classes": 10**6}), "1000000 classes"),
    ("99 bits", config(mining={"bits": 99}), "99 bits"),
    ("a seed below 0", config(training={"seed": -1}), "seed is -1"),
    ("a memory that is too small", config(mining={"miner": "xbm", "memory": 1}), "memory of 1"),
]
