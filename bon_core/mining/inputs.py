"""What miners accept from outside: what has one obvious meaning is converted, all else is refused in a sentence.

Legend: N samples, B batch, D embedding width.
"""

import math
import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bon_core.config import InputError, check

MOST_WIDE = 1 << 20  # embedding width


# Numbers and devices -------------------------------------------------------------------------------------------------


def whole(value: Any, what: str, low: int, high: int) -> int:
    """`value` as a whole number from `low` to `high`.

    Raises
    ------
    InputError
        If it is none, as 2.5, "8" or True are not.
    """
    try:
        number = low - 1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        number = low - 1
    check(
        low <= number <= high,
        f"The {what} is {_shown(value)}, but must be a whole number from {low} to {high}; give one.",
    )
    return number


def usable_device(device: Any) -> torch.device:
    """The device of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
        raise InputError(
            f"The device {_shown(device)} cannot be used ({reason}); give cpu, or cuda where there is such a GPU."
        ) from error
    return found


# Labels, ids and embeddings ------------------------------------------------------------------------------------------


def accept_labels(labels: Any) -> Tensor:
    """The class of each sample (N,), int64, on the device that it comes from.

    Whole numbers from 0 on stay what they are, in any NumPy or torch type; texts are numbered in their order; of pandas
    columns the position counts, never the index.

    Raises
    ------
    InputError
        If they are not one whole number from 0 on, or one text, for each of one or more samples.
    """
    values = _plain(labels, "labels")
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "OUST":
        values = _numbered(values)
    kind = str(values.dtype).removeprefix("torch.")
    if values.ndim != 1 or not len(values) or not _integer(values, boolean=True):
        raise InputError(
            f"Labels are {kind} of shape {tuple(values.shape)}, but must be one integer a sample, or one text;"
            " pass the class numbers or names of all samples."
        )
    if isinstance(values, np.ndarray):
        if values.dtype == np.uint64:  # which torch cannot sort: only who is alike counts
            values = np.unique(values, return_inverse=True)[1]
        values = _tensor(values)
    values = values.to(torch.int64)
    if values.min() < 0:
        raise InputError(f"The smallest label is {int(values.min())}, but labels count from 0; renumber the classes.")
    return values


def accept_ids(ids: Any, count: int, device: torch.device) -> Tensor:
    """`ids` (B,) as int64 on the device.

    Raises
    ------
    InputError
        If they are not a row of integers or, where they come from the host, one is outside 0..count-1.
    """
    if not isinstance(ids, Tensor):
        ids = _plain(ids, "ids")
        if ids.shape == (0,):  # NumPy takes an empty list for floats
            ids = ids.astype(np.int64)
    if ids.ndim != 1 or not _integer(ids, boolean=False):
        kind = str(ids.dtype).removeprefix("torch.")
        raise InputError(
            f"Ids are {kind} of shape {tuple(ids.shape)}, but must be one integer a row; pass the positions of the"
            " batch's samples in the labels."
        )
    if isinstance(ids, np.ndarray):
        ids = _tensor(np.minimum(ids, np.iinfo(np.int64).max).astype(np.int64) if ids.dtype == np.uint64 else ids)
    ids = ids.to(torch.int64)
    if ids.device.type == "cpu" and len(ids):
        low, high = (int(end) for end in ids.aminmax())
        if low < 0 or high >= count:
            raise InputError(
                f"Ids run from {low} to {high}, but must be positions 0 to {count - 1} in the labels;"
                " map your ids to positions first."
            )
    return ids.to(device)


def accept_rows(ids: Any, embeddings: Any, count: int, dim: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """`ids` (B,) int64 and unit vectors (B, D) float32, off the graph and on the device.

    Raising for what a CUDA device holds would mean waiting for it. So a bad row there becomes nobody's zeros: its id N.

    Raises
    ------
    InputError
        If shapes disagree, or a row is bad: an id out of range, or a length that is not finite.
    """
    ids = accept_ids(ids, count, device)
    if not isinstance(embeddings, Tensor):
        embeddings = _plain(embeddings, "embeddings")
        check(
            embeddings.dtype.kind in "fiu",
            f"Embeddings are {embeddings.dtype}, but must be real numbers; pass the network's output.",
        )
        embeddings = _tensor(embeddings.astype(np.float32))
    if embeddings.is_complex() or embeddings.layout != torch.strided:
        raise InputError(
            f"Embeddings are {embeddings.dtype} and {embeddings.layout}, but must be dense real numbers; convert them."
        )
    if embeddings.shape != (len(ids), dim):
        raise InputError(
            f"There are {len(ids)} ids and embeddings of shape {tuple(embeddings.shape)}, but they must be"
            f" ({len(ids)}, {dim}); pass one row an id, of the width the miner was made with."
        )
    vectors = embeddings.detach().to(device, torch.float32)
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)  # (B, 1), finite if all values are
    vectors = vectors / length.clamp_min(1e-12)
    if device.type == "cpu":
        if not math.isfinite(length.sum().item()):
            row = int((~length.isfinite()).to(torch.uint8).argmax())
            raise InputError(
                f"The embedding of id {int(ids[row])} holds NaN or infinity, or is too long, but its length must be"
                " finite; lower the learning rate or skip the step."
            )
        return ids, vectors
    usable = length[:, 0].isfinite() & (ids >= 0) & (ids < count)
    return torch.where(usable, ids, count), torch.where(usable[:, None], vectors, 0)


def accept_seeds(seeds: Any, rows: int, device: torch.device) -> Tensor:
    """Which of the B = `rows` rows were drawn uniformly, (B,) bool on the device.

    Raises
    ------
    InputError
        If they are no row of B booleans.
    """
    if not isinstance(seeds, Tensor):
        seeds = _plain(seeds, "seeds")
        seeds = _tensor(seeds) if seeds.dtype.kind in "biuf" else torch.empty(0)
    if seeds.dtype != torch.bool or seeds.shape != (rows,):
        raise InputError(
            f"Seeds are {seeds.dtype} of shape {tuple(seeds.shape)}, but must be one boolean for each of the {rows}"
            " rows; say for each whether it was drawn uniformly, or leave them out."
        )
    return seeds.to(device)


# Saved states --------------------------------------------------------------------------------------------------------


def check_state(state: Any, own: dict[str, Tensor], generator: torch.Generator, what: str, remedy: str) -> None:
    """Whether `state` can be loaded in the place of `own`, as far as names, shapes, types and the generator go.

    Raises
    ------
    InputError
        If not; nothing has changed.
    """
    check(isinstance(state, dict), f"The saved {what} is {_shown(state)}, but must be what state_dict gave; {remedy}.")
    for name in own | state:
        mine, theirs = own.get(name), state.get(name)
        if not isinstance(theirs, Tensor) or mine is None or (mine.shape, mine.dtype) != (theirs.shape, theirs.dtype):
            raise InputError(
                f"The saved {what} has {name} {_described(theirs)}, but this one {_described(mine)}; {remedy}."
            )
    try:
        torch.Generator(generator.device).set_state(state["generator"].cpu())
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"The saved {what} holds a generator that is no state of one ({str(error).partition(chr(10))[0]}); save it"
            " anew with state_dict, or start a new one."
        ) from error


def _described(tensor: Any) -> str:
    if not isinstance(tensor, Tensor):
        return "missing" if tensor is None else f"as {type(tensor).__name__}"
    return f"of shape {tuple(tensor.shape)} and type {str(tensor.dtype).removeprefix('torch.')}"


# Conversion ----------------------------------------------------------------------------------------------------------


def _plain(values: Any, what: str) -> Any:
    """A tensor as it is, anything else as a NumPy array: pandas columns by position."""
    if isinstance(values, Tensor):
        return values
    try:
        return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"The {what} cannot be read as one array ({str(error).partition(chr(10))[0].rstrip('.')}); pass a list, an"
            " array or a tensor of one value a row."
        ) from error


def _tensor(values: np.ndarray) -> Tensor:
    """A tensor of numbers in whatever order of bytes and strides; a copy where torch cannot share them."""
    return torch.from_numpy(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="))))


def _numbered(values: np.ndarray) -> np.ndarray:
    """Texts (N,) as numbers in the order of the texts; objects that are whole numbers as these; else as they are."""
    kinds = {type(value) for value in values.tolist()}
    if kinds and kinds <= {str, np.str_}:
        return np.unique(values.astype(str), return_inverse=True)[1]
    if kinds and kinds <= {int}:
        with_names = np.unique(values, return_inverse=True)[1]
        return with_names if max(values) >= 2**63 else values.astype(np.int64)
    strange = next((row for row, value in enumerate(values.tolist()) if not isinstance(value, (str, int))), 0)
    raise InputError(
        f"The label of sample {strange} is {_shown(values[strange])}, but all must be integers or all texts; name the"
        " class of each sample, or leave out the sample."
    )


def _integer(values: Any, *, boolean: bool) -> bool:
    """Whether an array or tensor holds whole numbers."""
    if isinstance(values, Tensor):
        fitting = not values.is_floating_point() and not values.is_complex() and values.layout == torch.strided
        return fitting and (boolean or values.dtype != torch.bool)
    return values.dtype.kind in ("iub" if boolean else "iu")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
