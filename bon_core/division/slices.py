"""Where each of K learners finds its slice of a D-wide embedding. No torch, so that the explorer can ask too."""

from itertools import pairwise

import numpy as np

from bon_core.config import InputError


def slices(dim: int, learners: int) -> list[slice]:
    """K consecutive column ranges that cover `dim`; the first dim % K of them are one wider.

    >>> slices(10, 4)
    [slice(0, 3, None), slice(3, 6, None), slice(6, 8, None), slice(8, 10, None)]

    Raises
    ------
    InputError
        If there are fewer dimensions than learners.
    """
    if not 1 <= learners <= dim:
        raise InputError(
            f"{learners} learners cannot share {dim} dimensions; give 1 to {dim} learners or a wider embedding."
        )
    width, wider = divmod(dim, learners)
    starts = [k * width + min(k, wider) for k in range(learners + 1)]
    return [slice(start, stop) for start, stop in pairwise(starts)]


def block_masks(dim: int, learners: int) -> np.ndarray:
    """The slices as masks (K, D) float32: 1 where a dimension is the learner's, else 0."""
    masks = np.zeros((learners, dim), dtype=np.float32)
    for mask, part in zip(masks, slices(dim, learners), strict=True):
        mask[part] = 1
    return masks
