"""Hashers from unit embeddings to bucket codes, trained online at the cost of a few small matrix products.

Bag of Negatives (Pattern Recognition 2021) hashes with a linear autoencoder that learns beside the network. Here its
weights are tied: e - mean is encoded as y = W (e - mean) and decoded as W' y. Rows of W start orthonormal.

Two rules keep the codes worth something:
- They are signs *around the mean*: without it most bits are constant and most samples share a few buckets.
- Mean and W learn from uniformly drawn rows only (`weights`). Batches composed out of buckets are a biased sample;
  a mean over whole batches follows the drawn buckets, the codes collapse, and mining dies in silence.

Legend: B batch, D embedding width, S bits. Nothing here waits for the device.
"""

import torch
from torch import Tensor

MEMORY = 0.99  # of the running mean, an update: with 32 seed rows a batch it spans about 3,200 rows
RATE = 0.02  # step of W, relative to the mean variance along its rows


class OnlineHasher:
    """Tied linear autoencoder; the code is the sign pattern of its S hidden units.

    Parameters
    ----------
    dim : embedding width D
    bits : S; more bits than D start as repeated directions
    generator : draws the start of W
    device : where everything lives
    """

    def __init__(self, dim: int, bits: int, *, generator: torch.Generator, device: torch.device | str = "cpu"):
        self.bits = bits
        self.weight = _orthonormal_rows(bits, dim, generator).to(device)  # (S, D)
        self._mean = _RunningMean(dim, device)
        exact = torch.float32 if bits <= 24 else torch.float64
        self._values = 2.0 ** torch.arange(bits, dtype=exact, device=device)  # (S,)

    @property
    def mean(self) -> Tensor:
        """(D,) float32."""
        return self._mean.value

    @property
    def projection(self) -> Tensor:
        """(D, S) float32: `codes.codes_of(vectors, mean, projection)` repeats `codes` in NumPy."""
        return self.weight.t()

    def learn(self, vectors: Tensor, weights: Tensor) -> Tensor:
        """One step on unit vectors (B, D); `weights` (B,) float32 is 1 for a uniformly drawn row, 0 for any other.

        Gives their codes (B,) int64: around the new mean, but by the W before the step, whose projections are at hand.

        Descends |x - W'W x|^2 by Oja's subspace rule: with C the covariance of x and M = W C, the step is M - M W' W.
        That is the gradient where the rows of W are orthonormal, as they are at the start and as the rule keeps them.
        Dividing by the mean variance along W's rows makes the step independent of the spread of the embedding.
        """
        self._mean.learn(vectors, weights)
        centred = vectors - self._mean.value  # (B, D)
        hidden = self.weight @ centred.t()  # (S, B)
        moment = (hidden * weights) @ centred  # (S, D)
        captured = moment @ self.weight.t()  # (S, S)
        ascent = moment.addmm_(captured, self.weight, alpha=-1)
        variance = captured.trace().clamp_min(1e-12)  # the sum along W's S rows
        self.weight.addcdiv_(ascent, variance, value=RATE * self.bits)
        return self._packed(hidden)

    def codes(self, vectors: Tensor) -> Tensor:
        """Codes (B,) int64 of unit vectors (B, D); bit s, of value 2^s, is the sign of component s."""
        return self._packed(self.weight @ (vectors - self._mean.value).t())

    def _packed(self, hidden: Tensor) -> Tensor:
        above = hidden.relu().sign()  # (S, B), 1 or 0; cheaper than a comparison and its conversion
        return (self._values @ above.to(self._values.dtype)).long()

    def state_dict(self) -> dict[str, Tensor]:
        return {"weight": self.weight.clone(), **self._mean.state_dict()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.weight.copy_(state["weight"])
        self._mean.load_state_dict(state)


class RandomHyperplanes(OnlineHasher):
    """Locality-sensitive hashing: random directions that never learn, around the running mean or zero (`centred`)."""

    def __init__(
        self,
        dim: int,
        bits: int,
        *,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        centred: bool = True,
    ):
        super().__init__(dim, bits, generator=generator, device=device)
        self.weight = torch.randn(bits, dim, generator=generator, device=generator.device).to(device)
        self.centred = centred

    def learn(self, vectors: Tensor, weights: Tensor) -> Tensor:
        if self.centred:
            self._mean.learn(vectors, weights)
        return self.codes(vectors)


class _RunningMean:
    """Exponentially forgetting mean of weighted rows; exact from the first row on, unmoved by weights of zero."""

    def __init__(self, dim: int, device: torch.device | str):
        self.value = torch.zeros(dim, device=device)
        self._weight = torch.zeros((), device=device)  # of all that the value still remembers

    def learn(self, vectors: Tensor, weights: Tensor) -> None:
        total = weights.sum()
        torch.add(total, self._weight, alpha=MEMORY, out=self._weight)
        pull = torch.addcmul(weights @ vectors, total, self.value, value=-1)  # (D,)
        self.value.addcdiv_(pull, self._weight.clamp_min(1e-12))

    def state_dict(self) -> dict[str, Tensor]:
        return {"mean": self.value.clone(), "mean_weight": self._weight.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.value.copy_(state["mean"])
        self._weight.copy_(state["mean_weight"])


def _orthonormal_rows(rows: int, dim: int, generator: torch.Generator) -> Tensor:
    """(rows, dim) float32, orthonormal in blocks of at most `dim` rows."""
    blocks = []
    for first in range(0, rows, dim):
        block = torch.randn(dim, min(dim, rows - first), generator=generator, device=generator.device)
        blocks.append(torch.linalg.qr(block).Q.t())
    return torch.cat(blocks).contiguous()
