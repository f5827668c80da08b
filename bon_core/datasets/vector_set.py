"""VectorSet: labelled vectors that some model gave, to train a projection head on. Legend: N vectors, D width."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bon_core.datasets.embeddings import check_vectors
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
    FIELD_KINDS: ClassVar[str] = "UTiuf"

    vectors: np.ndarray | Rows

    def __post_init__(self) -> None:
        check_vectors(self.vectors)
        super().__post_init__()

    @property
    def channels(self) -> int:
        """D, how many values a network takes of each sample."""
        return self.vectors.shape[1]
