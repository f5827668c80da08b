"""Processes that train together, as torchrun starts them, but in milliseconds: children of the tests' fork server."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.robustness.child import CONTEXT

PATIENCE = 300  # seconds, on a very busy machine


def together(count: int, work: Callable[..., None], folder: Path, *arguments: Any) -> None:
    """Call `work(*arguments)` in `count` processes, whose last words are in `folder`/words-RANK; all must end well."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    children = [CONTEXT.Process(target=_be, args=(rank, count, port, folder, work, arguments)) for rank in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join(PATIENCE)
    codes = [child.exitcode for child in children]
    for child in children:
        child.kill()
    assert codes == [0] * count, "\n".join(path.read_text() for path in sorted(folder.glob("words-*")))


def _be(rank: int, count: int, port: int, folder: Path, work: Callable[..., None], arguments: tuple) -> None:
    words = (folder / f"words-{rank}").open("w")
    os.dup2(words.fileno(), sys.stderr.fileno())
    os.environ |= {name: str(rank) for name in ("RANK", "LOCAL_RANK")}
    os.environ |= {name: str(count) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")}
    os.environ |= {"TORCHELASTIC_RUN_ID": "test"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    work(*arguments)
