"""Several processes train as one would: torchrun starts them, and each computes its share of every batch.

All ranks compose the same batch, out of tables that are the same. Each embeds its rows of it; the embeddings are
gathered, so that loss, miner and tables see the whole batch everywhere. Batch norm takes its statistics over all
shares, chance is drawn for all rows, and the gradients of the shares add up, so that a step is that of one process
with the whole batch. Rank 0 alone clusters, evaluates, writes, and is asked to stop.

Legend: B images in the whole batch, b of them this rank's, W ranks, D width, C channels.
"""

import gc
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zlib import crc32

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.nn  # first imported in a group, it would keep that alive to the end
from torch import Tensor, nn
from torch.nn import functional

from bon_core.config import Device, InputError, check
from bon_core.networks.embedding import Feature, embed
from bon_core.training.device import device_for

LOST = re.compile("gloo|nccl", re.IGNORECASE)  # in what PyTorch says when another process ended
TIMEOUT = timedelta(hours=12)  # that ranks wait for rank 0 while it clusters or maps; torchrun sees who died, not this


class Ranks:
    """The processes of one training, of which this is number `rank` of `count`. One alone has nobody to ask."""

    def __init__(self, rank: int = 0, count: int = 1):
        self.rank, self.count = rank, count
        self.total = 0  # rows of the batch at work
        self._begun = False

    @property
    def first(self) -> bool:
        """Whether this process writes, evaluates and clusters."""
        return self.rank == 0

    # The share of a batch -------------------------------------------------------------------------------------------

    def share(self, total: int) -> slice:
        """This rank's rows of `total`; a share may be empty."""
        return self._share_of(self.rank, total)

    def take_share(self, total: int) -> slice:
        """`share` of the batch at work: as many rows the network now draws chance for."""
        self.total = total
        return self.share(total)

    def gather(self, own: Tensor, total: int) -> Tensor:
        """The rows (total, D) of all ranks, in order, of which `own` (b, D) are `share(total)`.

        The gradient stays in the own rows. It is multiplied by W, for `parallel` takes the mean over the ranks where
        the sum is meant: each rank's loss is that of the whole batch.
        """
        if self.count == 1:
            return own
        shares = [self._share_of(rank, total) for rank in range(self.count)]
        sizes = [share.stop - share.start for share in shares]
        padded = functional.pad(own.detach(), (0, 0, 0, max(sizes) - len(own)))  # all must send as much
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        parts = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        if own.requires_grad:
            own.register_hook(lambda gradient: gradient * self.count)
            parts[self.rank] = own
        return torch.cat(parts)

    def embed(self, network: nn.Module, samples: Any, *, device: torch.device, feature: Feature) -> np.ndarray:
        """All `samples` (N, ...), each rank its share, in evaluation mode: (N, D), or the penultimate layer (N, F)."""
        whole, own = len(samples), samples
        if self.count > 1:
            share = self.share(whole)
            own = samples[share] if isinstance(samples, np.ndarray) else samples.take(np.arange(whole)[share])
        vectors = embed(network, own, device=device, feature=feature)
        return self.gather(torch.from_numpy(vectors), whole).numpy()

    def parallel(self, network: nn.Module, *, resting: bool) -> nn.Module:
        """`network`, to be called on this rank's rows: its batch norm and its gradients are then those of all rows.

        Weights of rank 0 are copied to the others. The network itself stays good for evaluation. `resting`: in some
        steps a part of it has no gradient.
        """
        if self.count == 1:
            return network
        for module in network.modules():  # whose tensors stay where optimizer and checkpoint know them
            if isinstance(module, nn.Dropout):
                module.__class__ = SharedDropout
                object.__setattr__(module, "ranks", self)
            elif isinstance(module, nn.BatchNorm2d) and not module.weight.is_cuda:
                module.__class__ = SharedBatchNorm
        if next(network.parameters()).is_cuda:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # in place, below the network
        return nn.parallel.DistributedDataParallel(network, forward_sync_buffers=False, find_unused_parameters=resting)

    # What all ranks must agree on -------------------------------------------------------------------------------------

    def agree(self, yes: bool) -> bool:
        """The answer of rank 0, whatever the others think."""
        if self.count == 1:
            return yes
        answer = torch.tensor([yes], dtype=torch.uint8)
        dist.broadcast(answer, 0)
        return bool(answer)

    def broadcast(self, *arrays: np.ndarray) -> None:
        """Overwrite `arrays` with those of rank 0, which have the same shapes."""
        for array in arrays if self.count > 1 else ():
            dist.broadcast(torch.from_numpy(array), 0)

    def assert_in_sync(self, state: Any, step: int) -> None:
        """Compare tensors, or dicts and lists of them, with those of the other ranks, by checksum.

        Raises
        ------
        InputError
            If one differs: the ranks would compose different batches.
        """
        if self.count == 1:
            return
        sums = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(sums, torch.tensor([checksum(state)]))
        other = [rank for rank, found in enumerate(sums) if found != sums[0]]
        check(
            not other,
            f"At step {step} the tables of rank {', '.join(map(str, other))} are no longer those of rank 0, so that"
            " batches would differ; give all ranks the same processors and versions, then continue with --resume.",
        )

    # How it begins and ends -------------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """Whether there is something to train: rank 0 calls it when the run is ready, the others wait for that."""
        self._begun = self.agree(self.first)
        return self._begun

    @staticmethod
    @contextmanager
    def failures_explained() -> Iterator[None]:
        """For what all do together.

        Raises
        ------
        InputError
            If another process ended meanwhile.
        """
        try:
            yield
        except RuntimeError as error:
            if LOST.search(str(error)) is None:
                raise
            raise InputError(
                "Another process of this training ended; torchrun starts all again as often as --max-restarts says, or"
                " continue with --resume."
            ) from error

    def _end(self, *, well: bool) -> None:
        """Rank 0 lets the others go; they also go when it never began, but not out of a step that broke."""
        if not self.first:
            if well and self._begun:
                self.agree(False)
        elif well or not self._begun:
            self.agree(False)

    def _share_of(self, rank: int, total: int) -> slice:
        return slice(total * rank // self.count, total * (rank + 1) // self.count)


ALONE = Ranks()


def launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def joined(device: Device) -> Iterator[Ranks]:
    """The ranks that torchrun started, each on a device of its own; without torchrun, this process alone.

    Raises
    ------
    InputError
        If a process of this machine has no GPU left.
    """
    count = int(os.environ["WORLD_SIZE"]) if launched() else 1
    if count == 1:
        yield Ranks()
        return
    if hasattr(os, "sched_setaffinity"):
        there = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores_of(int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]), there))
    on_gpu = device_for(device).type == "cuda"
    if on_gpu:
        gpu, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        check(
            gpu < gpus,
            f"Process {gpu + 1} of this machine finds only {gpus} GPU(s); start as many processes as there are"
            " GPUs, or use --device cpu.",
        )
        torch.cuda.set_device(gpu)
    with Ranks.failures_explained():
        store, rank, count = next(dist.rendezvous("env://", timeout=TIMEOUT))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=dist.PrefixStore(f"attempt {attempt}", store),  # torchrun keeps the addresses of those who died
            rank=rank,
            world_size=count,
            timeout=TIMEOUT,
        )
    ranks, well = Ranks(rank, count), False
    try:
        yield ranks
        well = True
    finally:
        ranks._end(well=well)
        dist.destroy_process_group()
        gc.collect()  # a group that outlives Python may end the process with an abort, and torchrun starts all again


def cores_of(rank: int, count: int, there: Sequence[int]) -> Sequence[int]:
    """The cores that rank `rank` of `count` on a machine keeps to, of those `there`; all where they are too few.

    Else the thread that fetches a message waits behind the work of another rank, at each of a step's dozen messages.
    """
    return there if len(there) < count else there[len(there) * rank // count : len(there) * (rank + 1) // count]


def checksum(state: Any) -> int:
    """Of all tensors in nested dicts and lists, in their order; None and plain values count for nothing."""
    found = 0
    waiting = [state]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            found = crc32(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data, found)
        elif isinstance(value, (dict, list, tuple)):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


class SharedDropout(nn.Dropout):
    """Dropout that draws for the whole batch and keeps this rank's rows of it."""

    ranks: Ranks

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return input
        total = self.ranks.total
        drawn = functional.dropout(input.new_ones(total, *input.shape[1:]), self.p)
        return input * drawn[self.ranks.share(total)]


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the shares of all ranks, as nn.SyncBatchNorm is, which knows no CPU."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        output, mean, variance, count = _Shared.apply(input, self.weight, self.bias, self.eps)
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        momentum = 0.0 if self.momentum is None else self.momentum
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        return output


class _Shared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x (b, C, H, W); gives it normalised, and mean (C,), variance (C,) and count () over all ranks."""
        rows = x.to(weight.dtype)  # where the network computes in less
        own = weight.new_zeros(2 * x.shape[1] + 1)
        if len(x):
            own = torch.cat((*torch.batch_norm_update_stats(rows, None, None, 0.0), own[-1:]))
            own[-1] = x.numel() // x.shape[1]
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own)
        stats = torch.stack(parts)  # (W, 2 C + 1)
        means, variances, counts = stats.tensor_split((x.shape[1], 2 * x.shape[1]), dim=1)
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean).square())).sum(0) / count
        ctx.save_for_backward(rows, weight, mean, variance, count)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance, count)
        output = functional.batch_norm(rows, mean, variance, weight, bias, training=False, eps=eps)
        return output.to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, variance, count = ctx.saved_tensors
        deviation = (variance + ctx.eps).sqrt()
        rows = gradient.to(weight.dtype)
        of_weight, of_bias = torch.zeros_like(weight), torch.zeros_like(weight)
        if len(x):  # the function below ends the process where there is no row
            _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
                rows, x, weight, mean, variance, None, None, False, ctx.eps, (False, True, True)
            )
        sums = torch.stack((of_weight, of_bias))  # (2, C), of the gradient with the normalised x, and of it alone
        dist.all_reduce(sums)
        of_gradient = weight / deviation
        of_x = -of_gradient / deviation * sums[0] / count
        constant = -of_gradient * sums[1] / count - of_x * mean
        of_input = torch.addcmul(_channel(constant), x, _channel(of_x)).addcmul_(rows, _channel(of_gradient))
        return of_input.to(gradient.dtype), of_weight, of_bias, None


def _channel(values: Tensor) -> Tensor:
    """(C,) as (1, C, 1, 1)."""
    return values.view(1, -1, 1, 1)
