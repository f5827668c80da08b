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

from bon_core.mining.composition import (
    BatchShape,
    ClassIndex,
    Composition,
    ServedRates,
    choose_mates,
    compose,
    draw_seeds,
    uniform,
)
from bon_core.mining.inputs import accept_rows

NEIGHBOURS = 128  # K, classes or samples that a seed may choose its mates from
CHUNK = 1024  # centroids compared with all others at a time


class Uniform:
    """Batches of random classes and random images: the composer that learns nothing.

    Parameters and errors are those of `BagOfNegatives`, as far as they mean something here.
    """

    def __init__(
        self,
        labels: Tensor | np.ndarray | Sequence[int],
        dim: int = 128,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ):
        self.index = ClassIndex(labels, device)
        self.device, self.dim = torch.device(device), dim
        self.generator = torch.Generator(device).manual_seed(seed)
        self.last: Composition | None = None

    @torch.no_grad()
    def compose(self, classes: int = 32, images: int = 4, groups: int = 8, mate_share: float = 1.0) -> Tensor:
        """Ids (classes * images,) int64 of distinct random classes; `groups` and `mate_share` have no say."""
        shape = BatchShape.of(classes, images, groups, mate_share)
        nobody = torch.empty(0, dtype=torch.int64, device=self.device)
        self.last = compose(self.index, nobody, nobody, shape, self.generator)
        return self.last.ids

    def update(self, ids: Tensor, embeddings: Tensor, seeds: Tensor | None = None) -> None:
        """Check the input as every composer does, and forget it."""
        accept_rows(ids, embeddings, self.index.count, self.dim, self.device)

    def stats(self) -> dict[str, float]:
        return {"singleton_classes": float(self.index.singletons)}

    def state_dict(self) -> dict[str, Tensor]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.generator.set_state(state["generator"].cpu())


class ClassNeighbours:
    """Batches of seeds and the classes whose centroids are nearest to theirs, recomputed once an epoch.

    A centroid is the mean of the embeddings that the updates of the epoch brought. Until the first refresh all mates
    are random. A refresh costs O(classes^2 D).
    """

    def __init__(
        self,
        labels: Tensor | np.ndarray | Sequence[int],
        dim: int = 128,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ):
        self.index = ClassIndex(labels, device)
        self.device, self.dim = torch.device(device), dim
        self.generator = torch.Generator(device).manual_seed(seed)
        self.last: Composition | None = None
        self._served = ServedRates(device)
        eligible = self.index.eligible
        self._sums = torch.zeros(len(self.index.size), dim, device=device)  # of this epoch's embeddings, by class
        self._near = torch.full((eligible, min(NEIGHBOURS, eligible - 1)), -1, device=device)  # classes, nearest first
        self._rows = torch.zeros((), dtype=torch.int64)  # brought since the last refresh; on the host

    @torch.no_grad()
    def compose(self, classes: int = 32, images: int = 4, groups: int = 8, mate_share: float = 1.0) -> Tensor:
        """As `BagOfNegatives.compose`, a mate being a random image of a neighbouring class."""
        index, shape = self.index, BatchShape.of(classes, images, groups, mate_share)
        seeds = draw_seeds(index, groups, self.generator)
        near = self._near[index.label[seeds]]  # (G, K)
        image = (uniform(tuple(near.shape), self.generator, self.device) * index.size[near]).long()
        candidates = torch.where(near < 0, index.count, index.members[index.start[near] + image])
        mates = choose_mates(index, seeds, candidates, _by_rank(near), shape.mates)
        self.last = compose(index, seeds, mates, shape, self.generator)
        if shape.mates:
            self._served.note_mates(mates == index.count, groups)
        return self.last.ids

    @torch.no_grad()
    def update(self, ids: Tensor, embeddings: Tensor, seeds: Tensor | None = None) -> None:
        """Add embeddings (B, dim) to their classes' centroids; once N rows came, compare the centroids anew."""
        ids, vectors = accept_rows(ids, embeddings, self.index.count, self.dim, self.device)
        self._sums.index_add_(0, self.index.label[ids], vectors)
        self._rows += len(ids)
        if self._rows >= self.index.count:
            self._refresh()

    def _refresh(self) -> None:
        """Neighbours of all classes seen since the last refresh; a class not seen has none and is nobody's."""
        centres = torch.nn.functional.normalize(self._sums[: self.index.eligible])
        unseen = ~centres.any(1)
        for rows in torch.arange(len(centres), device=self.device).split(CHUNK):
            likeness = centres[rows] @ centres.t()  # (CHUNK, classes)
            likeness[:, unseen] = -torch.inf
            likeness[torch.arange(len(rows)), rows] = -torch.inf
            best, near = likeness.topk(self._near.shape[1], dim=1)
            self._near[rows] = torch.where((best == -torch.inf) | unseen[rows, None], -1, near)
        self._sums.zero_()
        self._rows.zero_()

    def stats(self) -> dict[str, float]:
        return {**self._served.stats(), "singleton_classes": float(self.index.singletons)}

    def state_dict(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._tensors().items()} | {
            "generator": self.generator.get_state()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self._tensors().items():
            tensor.copy_(state[name])
        self.generator.set_state(state["generator"].cpu())

    def _tensors(self) -> dict[str, Tensor]:
        return {"sums": self._sums, "near": self._near, "rows": self._rows, "served": self._served.tally}


class Exact:
    """Batches of seeds and their exactly nearest samples of other classes, from a faiss index refreshed once an epoch.

    Keeps two embeddings a sample on the host: the latest, and the one in the index. A batch costs G searches through
    all N, which is the price that Bag of Negatives is there to avoid.
    """

    def __init__(
        self,
        labels: Tensor | np.ndarray | Sequence[int],
        dim: int = 128,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ):
        self.index = ClassIndex(labels, device)
        self.device, self.dim = torch.device(device), dim
        self.generator = torch.Generator(device).manual_seed(seed)
        self.last: Composition | None = None
        self._served = ServedRates(device)
        count = self.index.count
        self._latest = torch.zeros(count + 1, dim)  # zeros where not seen
        self._indexed = torch.zeros(count, dim)
        self._rows = torch.zeros((), dtype=torch.int64)  # brought since the last refresh
        self._rebuild()

    @torch.no_grad()
    def compose(self, classes: int = 32, images: int = 4, groups: int = 8, mate_share: float = 1.0) -> Tensor:
        """As `BagOfNegatives.compose`, mates being the seed's nearest neighbours in the index, hardest first."""
        shape = BatchShape.of(classes, images, groups, mate_share)
        seeds = draw_seeds(self.index, groups, self.generator)
        near = self._search(seeds)
        mates = choose_mates(self.index, seeds, near, _by_rank(near), shape.mates)
        self.last = compose(self.index, seeds, mates, shape, self.generator)
        if shape.mates:
            self._served.note_mates(mates == self.index.count, groups)
        return self.last.ids

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

    def _search(self, seeds: Tensor) -> Tensor:
        """Ids (G, K) of the indexed samples nearest to the latest embeddings of the seeds; N where there are fewer."""
        wanted = min(NEIGHBOURS + self.index.largest, self.index.count)
        _, rows = self._faiss.search(self._latest[seeds.cpu()].numpy(), wanted)
        known = self._latest[seeds.cpu()].any(1, keepdim=True)
        return torch.where(known, self._ids[rows], self.index.count).to(self.device)

    def _rebuild(self) -> None:
        """A faiss index of the samples seen before the last refresh."""
        import faiss  # a large import that only this composer needs

        seen = self._indexed.any(1)
        self._ids = torch.cat(
            (seen.nonzero()[:, 0], torch.tensor([self.index.count]))
        )  # row of the index; -1 is nobody
        self._faiss = faiss.IndexFlatIP(self.dim)
        self._faiss.add(self._indexed[seen].numpy())

    def stats(self) -> dict[str, float]:
        return {
            **self._served.stats(),
            "indexed_share": float(self._faiss.ntotal / self.index.count),
            "singleton_classes": float(self.index.singletons),
        }

    def state_dict(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._tensors().items()} | {
            "generator": self.generator.get_state()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self._tensors().items():
            tensor.copy_(state[name])
        self.generator.set_state(state["generator"].cpu())
        self._rebuild()

    def _tensors(self) -> dict[str, Tensor]:
        return {"latest": self._latest, "indexed": self._indexed, "rows": self._rows, "served": self._served.tally}


def _by_rank(near: Tensor) -> Tensor:
    """Order (G, K) without ties of neighbours (G, K) listed nearest first, for `choose_mates`."""
    groups, width = near.shape
    place = torch.arange(1, groups * width + 1, dtype=torch.float64, device=near.device).view(width, groups).t()
    return place / (groups * width + 1)
