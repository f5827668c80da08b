"""Checkpoints: a tree of dicts, lists, tensors and plain values in one safetensors file.

Reading one never runs code: tensors are numbers, the rest is JSON in the file's metadata.
"""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bon_core.base.files import check_regular, reason_of, whole_file
from bon_core.config import InputError, check
from bon_core.training.optimizer import set_step

if TYPE_CHECKING:
    from bon_core.training.callbacks.callback import Callback
    from bon_core.training.loop import Trainer

VERSION = 2
PARTS = ("network", "loss", "optimizer", "sampler")  # of a trainer, with a state each
TENSOR, ITEMS = "__tensor__", "__items__"  # marks in the JSON: a tensor's name; a dict whose keys are not strings


def save_tree(path: Path, tree: Any) -> None:
    """Write `tree` to `path`, whole or not at all. Tensors come back on the CPU, bit for bit."""
    tensors: dict[str, torch.Tensor] = {}
    plain = _flatten(tree, tensors)
    metadata = {"version": str(VERSION), "tree": json.dumps(plain)}
    with whole_file(path) as temporary:
        save_tensors(tensors, temporary, metadata)


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; a full disk is an OSError, as it is elsewhere."""
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(*(int(number[1]), os.strerror(int(number[1]))) if number else (str(error),)) from error


def load_tree(path: Path) -> Any:
    """Read what `save_tree` wrote.

    Raises
    ------
    InputError
        If the file is missing, cut short, not a checkpoint, or of a newer version.
    """
    try:
        check_regular(path)
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, MemoryError) as error:
        raise InputError(f"{path} is not a readable checkpoint ({reason_of(error)}); use another one.") from error
    version = metadata.get("version", "")
    check(
        "tree" in metadata and version.isdecimal() and len(version) < 10,
        f"{path} holds tensors but is not one of our checkpoints; use one of a run.",
    )
    check(
        int(version) <= VERSION, f"{path} is of version {version}, but this program reads up to {VERSION}; update it."
    )
    check(
        int(version) == VERSION,
        f"{path} is of version {version}, from before BoN Explorer 0.2, and cannot be continued; its snapshots and"
        " weights are good as they are: train a new run, or go on with version 0.1.",
    )
    try:
        return _restore(json.loads(metadata["tree"]), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} names tensors that it does not hold ({reason_of(error)}); use another checkpoint."
        ) from error


def state_of(trainer: "Trainer") -> dict[str, Any]:
    """All from which `restore` continues a training bit for bit (on the CPU)."""
    state = {name: getattr(trainer, name).state_dict() for name in PARTS}
    callbacks = {name: callback.state_dict() for name, callback in _named(trainer)}
    return {"step": trainer.step, "seconds": trainer.seconds, **state, "callbacks": callbacks}


def restore(trainer: "Trainer", state: dict[str, Any]) -> None:
    """Go on where `state_of` was taken; raises what PyTorch or a part does if it is of another training."""
    for name, callback in _named(trainer):  # first: a plan that moves says how many steps there are
        callback.load_state_dict(state["callbacks"].get(name, {}))
    for name in PARTS:
        getattr(trainer, name).load_state_dict(state[name])
    trainer.step, trainer.seconds = int(state["step"]), float(state["seconds"])
    check(0 <= trainer.step <= trainer.steps, f"it is of step {trainer.step} of {trainer.steps}")
    set_step(trainer.scheduler, trainer.step)


def _named(trainer: "Trainer") -> list[tuple[str, "Callback"]]:
    """Callbacks by their class, and by number where there are several of one."""
    kinds = [type(callback).__name__ for callback in trainer.callbacks]
    return [(f"{kind} {kinds[:at].count(kind) + 1}", trainer.callbacks[at]) for at, kind in enumerate(kinds)]


def _flatten(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {TENSOR: name}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _flatten(item, tensors) for key, item in value.items()}
        return {ITEMS: [[key, _flatten(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_flatten(item, tensors) for item in value]
    assert value is None or isinstance(value, (bool, int, float, str)), f"a checkpoint cannot hold {type(value)}"
    return value


def _restore(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_restore(item, tensors) for item in value]
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        if ITEMS in value:
            return {key: _restore(item, tensors) for key, item in value[ITEMS]}
        return {key: _restore(item, tensors) for key, item in value.items()}
    return value
