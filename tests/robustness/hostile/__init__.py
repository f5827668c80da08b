"""Files that are broken, or made to harm, by table. All are generated here; none is larger than a few megabytes.

Each table lists (name, maker, what the sentence must say). A maker gets an empty folder and returns the path to read.
Here is what the makers share.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Maker = Callable[[Path], Path]

Case = tuple[str, Maker, str]

EXECUTED = "executed"  # the file that an evil pickle makes where it is loaded

VECTORS = np.random.default_rng(0).standard_normal((6, 4))

LABELS = np.array([0, 0, 1, 1, 2, 2])


class Evil:
    """Whoever unpickles this makes a file in the working directory."""

    def __reduce__(self):
        return open, (EXECUTED, "w")


def objects(*values: Any) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def damaged(make: Maker, change: Callable[[bytes], bytes]) -> Maker:
    """The file of another maker, its bytes changed."""

    def made(folder: Path) -> Path:
        path = make(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return made


def encrypted(content: bytes) -> bytes:
    """A zip that says of its entries that they are encrypted."""
    changed = bytearray(content)
    for signature, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = changed.find(signature)
        while start >= 0:
            changed[start + flag] |= 1
            start = changed.find(signature, start + 1)
    return bytes(changed)


def method(number: int) -> Callable[[bytes], bytes]:
    """A zip that says that its entries are compressed in some other way."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            start = changed.find(signature)
            while start >= 0:
                changed[start + at : start + at + 2] = struct.pack("<H", number)
                start = changed.find(signature, start + 1)
        return bytes(changed)

    return change


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(share * len(content))]


def zeros(start: float, length: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        at = int(start * len(content))
        return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]

    return change


def written(name: str, content: bytes) -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def made_folder(path: Path) -> Path:
    path.mkdir()
    return path
