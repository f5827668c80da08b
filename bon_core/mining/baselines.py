"""What Bag of Negatives is compared with, behind the same face: other ways to choose whom a seed meets.

`Uniform` meets nobody (PK batches). `ClassNeighbours` meets the classes of nearest centroid, as Graph Sampling does
(Liao & Shao, CVPR 2022). `Exact` meets the nearest samples of other classes by exhaustive search with faiss. The last
two look at embeddings of up to an epoch ago, and pay for refreshing them.

Legend: N samples, B batch, D embedding width, G seeds, K neighbours kept.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bon_core.mining.inputs import MOST_WIDE, accept_rows, check_state, usable_device, whole
from bon_core.mining.layout import (
    BatchLayout,
    BatchShape,
    ClassIndex,
    ServedRates,
    accept_given_seeds,
    choose_mates,
    draw_images,
    draw_seeds,
    lay_out,
    uniform,
)
from bon_core.mining.lock import Lock, one_at_a_time

NEIGHBOURS = 128  # K, classes or samples that a seed may choose its mates from
STAND_INS = 7  # classmates that a seed not seen yet asks for an embedding
CHUNK = 1024  # centroids compared with all others at a time
FAINT = 1e-3  # weight of last epoch's centroid beside one embedding: it counts only where none comes


class Uniform:
    """Batches of random classes and random images: the miner that learns nothing, which the others build on.

    Parameters and errors are those of `BagOfNegatives`, as far as they mean something here.
    """

    def __init__(
        self,
        labels: Tensor | np.ndarray | Sequence[int],
        dim: int = 128,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ):
        self.device, self.dim = usable_device(device), whole(dim, "width dim", 1, MOST_WIDE)
        self.index = ClassIndex(labels, self.device)
        self.generator = torch.Generator(self.device).manual_seed(whole(seed, "seed", 0, 2**63 - 1))
        self._lock = Lock()
        self.last: BatchLayout | None = None
        self._set_up()

    @one_at_a_time
    @torch.no_grad()
    def compose(
        self,
        classes: int = 32,
        images: int = 4,
        groups: int = 8,
        mate_share: float = 1.0,
        *,
        seeds: Tensor | np.ndarray | None = None,
    ) -> Tensor:
        """As `BagOfNegatives.compose`, with this miner's seeds and mates."""
        shape = self.index.shape(classes, images, groups, mate_share)
        given = None if seeds is None else accept_given_seeds(self.index, seeds, groups)
        seeds, mates = self._lead(shape, given)
        self.last = lay_out(self.index, seeds, mates, shape, self.generator)
        return self.last.ids

    def update(self, ids: Tensor, embeddings: Tensor, seeds: Tensor | None = None) -> None:
        """Check the input as every miner does, and forget it."""
        accept_rows(ids, embeddings, self.index.count, self.dim, self.device)

    def stats(self) -> dict[str, float]:
        return {"singleton_classes": float(self.index.singletons)}

    @one_at_a_time
    def state_dict(self) -> dict[str, Tensor]:
        """All that decides what comes next, as named tensors."""
        tensors = {name: tensor.clone() for name, tensor in self._tensors().items()}
        return tensors | {"generator": self.generator.get_state()}

    @one_at_a_time
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from `state_dict`.

        Raises
        ------
        InputError
            If the state is of another kind of miner, data set, width or device; nothing has changed then.
        """
        remedy = "load it into the same kind of miner, with the same labels, width and device"
        check_state(state, self.state_dict(), self.generator, "miner", remedy)
        self.generator.set_state(state["generator"].cpu())
        for name, tensor in self._tensors().items():
            tensor.copy_(state[name])

    def _set_up(self) -> None:
        """Make the tables of this miner."""

    def _tensors(self) -> dict[str, Tensor]:
        return {}

    def _lead(self, shape: BatchShape, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """Seeds of the next batch and their mates, as `choose_mates` gives them; here the seeds given, and no mate."""
        nobody = torch.empty(0, dtype=torch.int64, device=self.device)
        return nobody if given is None else given, nobody


class ClassNeighbours(Uniform):
    """Batches of seeds and random images of the classes whose centroids are nearest to theirs.

    A centroid is the mean of the embeddings that the updates of an epoch brought; a class that got none keeps its last.
    Centroids are compared once an epoch, which costs O(classes^2 D). Until the first time all mates are random.
    """

    def _set_up(self) -> None:
        eligible = self.index.eligible
        self._served = ServedRates(self.device)
        self._sums = torch.zeros(len(self.index.size), self.dim, device=self.device)  # of this epoch, by class
        self._near = torch.full((eligible, min(NEIGHBOURS, eligible - 1)), -1, device=self.device)  # nearest first
        self._rows = torch.zeros((), dtype=torch.int64)  # brought since the last refresh; on the host

    def _lead(self, shape: BatchShape, given: Tensor | None) -> tuple[Tensor, Tensor]:
        index = self.index
        seeds = draw_seeds(index, shape.groups, self.generator, given)
        near = self._near[index.label[seeds]]  # (G, K) classes
        image = (uniform(tuple(near.shape), self.generator, self.device) * index.size[near]).long()
        candidates = torch.where(near < 0, index.count, index.members[index.start[near] + image])
        return seeds, _nearest_mates(index, seeds, candidates, shape, self._served)

    @one_at_a_time
    @torch.no_grad()
    def update(self, ids: Tensor, embeddings: Tensor, seeds: Tensor | None = None) -> None:
        """Add embeddings (B, dim) to their classes' centroids; once N rows came, compare the centroids anew."""
        ids, vectors = accept_rows(ids, embeddings, self.index.count, self.dim, self.device)
        self._sums.index_add_(0, self.index.label[ids], vectors)
        self._rows += len(ids)
        if self._rows >= self.index.count:
            self._refresh()

    def stats(self) -> dict[str, float]:
        return self._served.stats() | super().stats()

    def _tensors(self) -> dict[str, Tensor]:
        return {"sums": self._sums, "near": self._near, "rows": self._rows, "served": self._served.tally}

    def _refresh(self) -> None:
        """Neighbours of all classes; one that was never seen has none and is nobody's."""
        self._sums.copy_(torch.nn.functional.normalize(self._sums))
        centres = self._sums[: self.index.eligible]
        unseen = ~centres.any(1)
        for rows in torch.arange(len(centres), device=self.device).split(CHUNK):
            likeness = centres[rows] @ centres.t()  # (CHUNK, classes)
            likeness[:, unseen] = -torch.inf
            likeness[torch.arange(len(rows)), rows] = -torch.inf
            best, near = likeness.topk(self._near.shape[1], dim=1)
            self._near[rows] = torch.where((best == -torch.inf) | unseen[rows, None], -1, near)
        self._sums.mul_(FAINT)
        self._rows.zero_()


class Exact(Uniform):
    """Batches of seeds and their exactly nearest samples of other classes, from a faiss index refreshed once an epoch.

    A seed not seen yet looks with the embedding of a classmate. Keeps two embeddings a sample on the host: the latest,
    and the one in the index. A batch costs G searches through all N, the price that Bag of Negatives is there to avoid.
    """

    def _set_up(self) -> None:
        self._served = ServedRates(self.device)
        self._latest = torch.zeros(self.index.count + 1, self.dim)  # zeros where not seen
        self._indexed = torch.zeros(self.index.count, self.dim)
        self._rows = torch.zeros((), dtype=torch.int64)  # brought since the last refresh
        self._rebuild()

    def _lead(self, shape: BatchShape, given: Tensor | None) -> tuple[Tensor, Tensor]:
        seeds = draw_seeds(self.index, shape.groups, self.generator, given)
        return seeds, _nearest_mates(self.index, seeds, self._search(seeds), shape, self._served)

    @one_at_a_time
    @torch.no_grad()
    def update(self, ids: Tensor, embeddings: Tensor, seeds: Tensor | None = None) -> None:
        """Keep embeddings (B, dim) as the latest of their samples; once N rows came, index the latest of all."""
        ids, vectors = accept_rows(ids, embeddings, self.index.count, self.dim, self.device)
        self._latest[ids.cpu()] = vectors.cpu()
        self._rows += len(ids)
        if self._rows >= self.index.count:
            self._indexed.copy_(self._latest[:-1])
            self._rows.zero_()
            self._rebuild()

    def stats(self) -> dict[str, float]:
        return self._served.stats() | {"indexed_share": self._faiss.ntotal / self.index.count} | super().stats()

    @one_at_a_time
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(state)
        self._rebuild()

    def _tensors(self) -> dict[str, Tensor]:
        return {"latest": self._latest, "indexed": self._indexed, "rows": self._rows, "served": self._served.tally}

    def _search(self, seeds: Tensor) -> Tensor:
        """Ids (G, K) of the indexed samples nearest to the seeds; N where there are fewer."""
        classmates = draw_images(self.index, seeds, 1 + STAND_INS, self.generator).cpu()  # (G, 1 + STAND_INS)
        latest = self._latest[classmates]  # (G, 1 + STAND_INS, D)
        seen = latest.any(2)
        queries = latest[torch.arange(len(seeds)), seen.to(torch.uint8).argmax(1)]  # (G, D), of the first seen
        wanted = min(NEIGHBOURS + self.index.largest, self.index.count)
        _, rows = self._faiss.search(queries.numpy(), wanted)
        return torch.where(seen.any(1, keepdim=True), self._ids[rows], self.index.count).to(self.device)

    def _rebuild(self) -> None:
        """A faiss index of the samples seen before the last refresh."""
        import faiss  # a large import that only this miner needs

        seen = self._indexed.any(1)
        nobody = torch.tensor([self.index.count])
        self._ids = torch.cat((seen.nonzero()[:, 0], nobody))  # by row of the index, where -1 is nobody
        self._faiss = faiss.IndexFlatIP(self.dim)
        self._faiss.add(self._indexed[seen].numpy())


def _nearest_mates(index: ClassIndex, seeds: Tensor, near: Tensor, shape: BatchShape, served: ServedRates) -> Tensor:
    """`choose_mates` among samples `near` (G, K), each row nearest first; `served` notes how many there were not."""
    groups, width = near.shape
    order = torch.arange(1, groups * width + 1, dtype=torch.float64, device=near.device).view(width, groups).t()
    mates = choose_mates(index, seeds, near, order / (groups * width + 1), shape.mates)  # orders without ties
    if shape.mates:
        served.note_mates(mates == index.count, groups)
    return mates
