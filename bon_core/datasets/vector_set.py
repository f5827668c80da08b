"""VectorSet: labelled vectors that some model gave, to train a projection head on. Legend: N vectors, D width."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bon_core.config import check
from bon_core.datasets.labelled import LabelledSet
from bon_core.datasets.rows import Rows


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorSet(LabelledSet):
    """N labelled vectors as a file has them; a network brings each batch to unit length.

    Parameters
    ----------
    vectors : (N, D) float, of any length; Rows if they stay in a mapped file

    Raises
    ------
    InputError
        If shapes or types disagree, a label has no class name, ids repeat, or a class is in two parts.
    """

    UNIT: ClassVar[str] = "embeddings"
    SAMPLES: ClassVar[str] = "vectors"

    vectors: np.ndarray | Rows

    def __post_init__(self) -> None:
        shape, dtype = self.vectors.shape, self.vectors.dtype
        check(
            len(shape) == 2 and 0 not in shape and dtype.kind in "fiu",
            f"Embeddings are {dtype} of shape {shape}, but must be numbers, (samples, width), with at least one of"
            " each; save them as float32, one row a sample.",
        )
        super().__post_init__()

    @property
    def channels(self) -> int:
        """D, how many values a network takes of each sample."""
        return self.vectors.shape[1]
