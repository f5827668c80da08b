"""What a composer accepts from outside: ids and embeddings, checked with sentences where that costs no waiting.

Legend: N samples, B batch, D embedding width.
"""

import math

import torch
from torch import Tensor

from bon_core.config import InputError


def accept_ids(ids: Tensor, count: int, device: torch.device) -> Tensor:
    """`ids` (B,) as int64 on the device.

    Raises
    ------
    InputError
        If they are not a row of integers or, where they come from the host, one is outside 0..count-1.
    """
    ids = torch.as_tensor(ids)
    if ids.ndim != 1 or ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise InputError(f"Ids are {ids.dtype} of shape {tuple(ids.shape)}, but must be one integer a row.")
    if ids.device.type == "cpu" and len(ids):
        low, high = (int(end) for end in ids.aminmax())
        if low < 0 or high >= count:
            raise InputError(
                f"Ids run from {low} to {high}, but must be positions 0 to {count - 1} in the labels;"
                " map your ids to positions first."
            )
    return ids.to(device, torch.int64)


def accept_rows(ids: Tensor, embeddings: Tensor, count: int, dim: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """`ids` (B,) int64 and unit vectors (B, D) float32, off the graph and on the device.

    Raising for what a CUDA device holds would mean waiting for it. So a bad row there becomes nobody's zeros: its id N.

    Raises
    ------
    InputError
        If shapes disagree, or a row is bad: an id out of range, or a length that is not finite.
    """
    ids = accept_ids(ids, count, device)
    if embeddings.shape != (len(ids), dim):
        raise InputError(
            f"There are {len(ids)} ids and embeddings of shape {tuple(embeddings.shape)}, but they must be"
            f" ({len(ids)}, {dim}); pass one row an id, of the width the composer was made with."
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
