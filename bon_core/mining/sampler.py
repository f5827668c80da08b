"""A batch sampler over a composer, for anybody's DataLoader.

The data set has to return each sample's position with it, for the update:

    sampler = MinedBatchSampler(bag, classes=32, images=4, groups=8, batches=len(labels) // 128)
    for ids, images, labels in DataLoader(dataset, batch_sampler=sampler, num_workers=1):
        embeddings = network(images)
        ...loss and step...
        bag.update(ids, embeddings)
"""

from collections.abc import Iterator

from torch.utils.data import Sampler

from bon_core.config import InputError
from bon_core.mining.composers import Composer


class MinedBatchSampler(Sampler[list[int]]):
    """Yields `batches` batches of positions, each composed when the DataLoader asks for it.

    A DataLoader with workers asks ahead (by `num_workers * prefetch_factor` batches), so these are composed before the
    updates of the batches still under way. That is harmless: an update needs no order, and codes are late anyway.
    Composing and updating both happen in the main process. On a GPU each batch waits once for its ids, since a
    DataLoader wants them on the host.

    Attributes
    ----------
    mate_share : share of bucket mates, to be changed between batches by a schedule
    """

    def __init__(
        self,
        composer: Composer,
        *,
        classes: int = 32,
        images: int = 4,
        groups: int = 8,
        batches: int,
        mate_share: float = 1.0,
    ):
        if batches < 1:
            raise InputError(f"An epoch of {batches} batches is empty; give 1 batch or more.")
        self.composer, self.batches, self.mate_share = composer, batches, mate_share
        self.classes, self.images, self.groups = classes, images, groups

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.batches):
            yield self.composer.compose(self.classes, self.images, self.groups, self.mate_share).tolist()

    def __len__(self) -> int:
        return self.batches
