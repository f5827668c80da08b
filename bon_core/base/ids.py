"""Ids name samples for good; rows count them in one array. This is the way from the one to the other."""

import numpy as np


def rows_of(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The row in `ids` of each of `wanted`.

    Parameters
    ----------
    ids : (n,) int64 without repeats, in any order
    wanted : ids in any shape

    Returns
    -------
    int64 of the shape of `wanted`, -1 for those that are not there.
    """
    ids, wanted = np.asarray(ids), np.asarray(wanted)
    if not len(ids):
        return np.full(wanted.shape, -1, np.int64)
    order = np.argsort(ids, kind="stable")
    found = order[np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)]
    return np.where(ids[found] == wanted, found, -1)
