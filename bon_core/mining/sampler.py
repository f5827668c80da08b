"""A batch sampler over a miner, for anybody's DataLoader.

The update needs each sample's position, so the data set has to return it. `StackDataset` adds it to any:

    sampler = MinedBatchSampler(bag, classes=32, images=4, groups=8, batches=len(labels) // 128)
    positioned = StackDataset(range(len(dataset)), dataset)
    for ids, (images, labels) in DataLoader(positioned, batch_sampler=sampler, num_workers=1, prefetch_factor=1):
        embeddings = network(images)
        ...loss and step...
        bag.update(ids, embeddings)
"""

from collections.abc import Iterator

from torch.utils.data import BatchSampler

from bon_core.config import InputError
from bon_core.mining.batch_miners import BatchMiner
from bon_core.mining.inputs import whole
from bon_core.mining.layout import BatchShape


class MinedBatchSampler(BatchSampler):
    """Yields `batches` batches of positions, each composed when the DataLoader asks for it.

    A DataLoader with workers asks ahead: a batch is composed before the updates of up to `num_workers *
    prefetch_factor` batches in front of it in its epoch. That is harmless: an update needs no order, and codes are late
    anyway. Composing and updating both happen in the main process. On a GPU each batch waits once for its ids, since a
    DataLoader wants them on the host.

    What comes next is in the miner's state, and with a ramp in `composed`. A run that loads it in the middle of an
    epoch goes on bit by bit the same where nothing is composed ahead; else it skips the batches that were under way.

    Attributes
    ----------
    mate_share : share of bucket mates, to be changed between batches by a schedule of your own
    mate_ramp : batches over which the share grows evenly from 0 up to `mate_share`: hard batches too early may collapse
        an embedding. Our own trainer ramps over a tenth of its steps
    composed : batches so far, by which the ramp goes; set it where a training goes on

    With several processes each has a bag and a sampler of its own, and a seed by its rank, so that their batches
    differ: `BagOfNegatives(labels, seed=rank)`. Under Lightning set `Trainer(use_distributed_sampler=False)`, as it
    would else put its own sampler in the place of this one.

    Raises
    ------
    InputError
        If an epoch would be empty, the shape of the batch is not possible, or a sampler is to be put in.
    """

    def __init__(
        self,
        miner: BatchMiner,
        *,
        classes: int = 32,
        images: int = 4,
        groups: int = 8,
        batches: int,
        mate_share: float = 1.0,
        mate_ramp: int = 0,
        sampler: object = None,
    ):
        if sampler is not None:  # as Lightning would have it, which finds the argument by this name
            raise InputError(
                f"A sampler ({type(sampler).__name__}) cannot be put into a MinedBatchSampler, whose batches come from"
                " its bag; set Trainer(use_distributed_sampler=False), and give each process a bag with a seed of its"
                " own."
            )
        batches = whole(batches, "number of batches", -(2**63), 2**63 - 1)
        if batches < 1:
            raise InputError(f"An epoch of {batches} batches is empty; give 1 batch or more.")
        mate_ramp = whole(mate_ramp, "ramp of mates in batches", 0, 2**63 - 1)
        BatchShape.of(classes, images, groups, mate_share)
        super().__init__((), batch_size=classes * images, drop_last=True)  # pytorch-metric-learning knows it by type
        self.miner, self.batches, self.mate_share = miner, batches, mate_share
        self.classes, self.images, self.groups = classes, images, groups
        self.mate_ramp, self.composed = mate_ramp, 0

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.batches):
            share = self.mate_share * (1.0 if self.composed >= self.mate_ramp else self.composed / self.mate_ramp)
            self.composed += 1
            yield self.miner.compose(self.classes, self.images, self.groups, share).tolist()

    def __len__(self) -> int:
        return self.batches
