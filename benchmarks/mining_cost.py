"""What does composing hard batches cost a step, and a sample, as the data set grows?

    python -m benchmarks.mining_cost
    python -m benchmarks.mining_cost --samples 10000 100000 --threads 2    # a quick look

Every miner runs in the same process on the same clustered embeddings; beside them stand pytorch-metric-learning's
in-batch miners and its cross-batch memory, which work per step as well. All run on the processor and, where there is
one, on the GPU. Writes benchmarks/results/mining_cost.md.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import faiss
import torch
from pytorch_metric_learning import losses, miners
from torch import Tensor

from benchmarks.report import machine, write_report
from bon_core.config import MiningConfig
from bon_core.mining import BatchMiner, make_batch_miner

DIM, IMAGES, GROUPS = 128, 4, 8
BATCHES = (128, 512)
IMAGES_A_CLASS = 50
SAMPLES = (10_000, 100_000, 1_000_000, 10_000_000)
GPU_SAMPLES = (*SAMPLES, 100_000_000)
LARGEST = {"bon": 100_000_000, "lsh": 10_000_000, "uniform": 10_000_000, "neighbours": 10_000_000, "exact": 1_000_000}
REFRESHED = ("neighbours", "exact")  # once an epoch, by the update that ends it
BAR_SAMPLES = 1_000_000
MEMORY = 8192  # embeddings that cross-batch memory chooses from


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds a step of B = `batch`: median on the wall, median of the processor's, fastest twentieth on the wall.

    samples : N, 0 for what works inside the batch
    place : "1 thread", "2 threads" or "GPU"
    size : bytes a sample
    """

    name: str
    samples: int
    place: str
    batch: int
    wall: float
    busy: float
    best: float
    size: float = 0.0

    def __str__(self) -> str:
        return f"{self.wall:.2f} / {self.busy:.2f} / {self.best:.2f}"


class Embeddings:
    """Clustered unit vectors (N, DIM) made on demand, so that N can outgrow the memory."""

    def __init__(self, count: int, device: str = "cpu"):
        draws = torch.Generator().manual_seed(0)
        spread = torch.arange(1, DIM + 1) ** -0.5
        self.labels = torch.arange(count, device=device) // IMAGES_A_CLASS
        self._centres = (torch.randn(4001, DIM, generator=draws) * spread).to(device)
        self._noise = (0.3 * torch.randn(4099, DIM, generator=draws) * spread).to(device)

    def __getitem__(self, ids: Tensor) -> Tensor:
        return torch.nn.functional.normalize(self._centres[self.labels[ids] % 4001] + self._noise[ids % 4099])


class Stopwatch:
    """Time spent inside `with watch:` blocks; on a GPU that of its stream, between CUDA events."""

    def __init__(self, device: str):
        self.on_gpu = device != "cpu"
        self._laps = []

    def __enter__(self) -> None:
        self._start = self._now()

    def __exit__(self, *_: object) -> None:
        self._laps.append((*self._start, *self._now()))

    def _now(self) -> tuple[float | torch.cuda.Event, float]:
        if not self.on_gpu:
            return time.perf_counter(), time.process_time()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event, time.process_time()

    def read(self) -> tuple[float, float]:
        """Milliseconds on the wall and of the processor since the last reading."""
        if self.on_gpu:
            torch.cuda.synchronize()
        laps, self._laps = self._laps, []
        wall = sum(start.elapsed_time(end) if self.on_gpu else 1e3 * (end - start) for start, _, end, _ in laps)
        return wall, 1e3 * sum(end - start for _, start, _, end in laps)


def timed(step: Callable[[Stopwatch], None], device: str) -> dict[str, float]:
    """The three figures of a `Cost`, of 10 to 600 steps in about 0.7 s, after three that do not count."""
    watch = Stopwatch(device)
    for _ in range(3):
        step(watch)
        wall, _ = watch.read()
    readings = []
    for _ in range(max(10, min(600, int(700 / wall)))):
        step(watch)
        readings.append(watch.read())
    walls, busy = zip(*readings, strict=True)
    return {
        "wall": statistics.median(walls),
        "busy": statistics.median(busy),
        "best": sorted(walls)[len(walls) // 20],
    }


def composer_costs(samples: list[int], device: str, threads: list[int]) -> list[Cost]:
    costs = []
    for count in samples:
        embeddings = Embeddings(count, device)
        for name in (name for name, largest in LARGEST.items() if count <= largest):
            set_threads(max(threads))
            miner, refresh = filled(name, embeddings, device)
            for used in threads:
                set_threads(used)
                for batch in BATCHES:
                    figures = timed(composing(miner, embeddings, batch), device)
                    share = refresh * batch / count  # of the refresh, which an epoch has one of
                    figures = {figure: value + share for figure, value in figures.items()}
                    cost = Cost(
                        name=name,
                        samples=count,
                        place=place_of(device, used),
                        batch=batch,
                        size=bytes_a_sample(miner),
                        **figures,
                    )
                    print(cost.name, cost.samples, cost.place, cost.batch, cost, flush=True)
                    costs.append(cost)
    return costs


def filled(name: str, embeddings: Embeddings, device: str) -> tuple[BatchMiner, float]:
    """A miner that has seen every sample, and the milliseconds of the update that refreshed it, if any does."""
    miner = make_batch_miner(MiningConfig(miner=name), embeddings.labels, dim=DIM, device=device, seed=0)
    online = name in ("bon", "lsh")
    if online:
        for _ in range(100):
            ids = miner.compose()
            miner.update(ids, embeddings[ids])
    watch, refill = Stopwatch(device), miner.rehash if online else miner.update
    for ids in torch.randperm(len(embeddings.labels), device=device).split(8192):
        rows = embeddings[ids]
        with watch:
            refill(ids, rows)
        last, _ = watch.read()
    return miner, last if name in REFRESHED else 0.0


def composing(miner: BatchMiner, embeddings: Embeddings, batch: int) -> Callable[[Stopwatch], None]:
    def step(watch: Stopwatch) -> None:
        with watch:
            ids = miner.compose(batch // IMAGES, IMAGES, GROUPS)
        rows = embeddings[ids]  # the network's work, not the miner's
        with watch:
            miner.update(ids, rows)

    return step


def bytes_a_sample(miner: BatchMiner) -> float:
    index = [value for value in vars(miner.index).values() if torch.is_tensor(value)]
    total = sum(tensor.numel() * tensor.element_size() for tensor in (*miner.state_dict().values(), *index))
    if hasattr(miner, "_faiss"):
        total += miner._faiss.ntotal * DIM * 4
    return total / miner.index.count


def in_batch_costs(device: str, threads: list[int]) -> list[Cost]:
    """Peers that choose inside the batch, or from a memory of the latest embeddings."""
    costs = []
    for used in threads:
        set_threads(used)
        for batch in BATCHES:
            embeddings = Embeddings(batch // IMAGES * IMAGES_A_CLASS, device)
            ids = torch.arange(batch, device=device)
            ids = ids // IMAGES * IMAGES_A_CLASS + ids % IMAGES
            vectors, labels = embeddings[ids], embeddings.labels[ids]
            for name, work in in_batch_peers(vectors, labels).items():
                figures = timed(watched(work), device)
                costs.append(Cost(name=name, samples=0, place=place_of(device, used), batch=batch, **figures))
    return costs


def in_batch_peers(vectors: Tensor, labels: Tensor) -> dict[str, Callable[[], object]]:
    chosen_by = {
        "batch-hard": miners.BatchHardMiner(),
        "semi-hard": miners.TripletMarginMiner(margin=0.2, type_of_triplets="semihard"),
        "distance-weighted": miners.DistanceWeightedMiner(),
        "multi-similarity": miners.MultiSimilarityMiner(),
    }
    memory = losses.CrossBatchMemory(losses.ContrastiveLoss(), embedding_size=DIM, memory_size=MEMORY)
    for _ in range(MEMORY // len(vectors)):
        memory.add_to_memory(vectors, labels, len(vectors))
    leaf = vectors.clone().requires_grad_()
    return {
        "x @ x.T, the floor": lambda: vectors @ vectors.t(),
        **{name: lambda miner=miner: miner(vectors, labels) for name, miner in chosen_by.items()},
        f"XBM {MEMORY // 1024}k, forward and backward": lambda: memory(leaf, labels).backward(),
    }


def watched(work: Callable[[], object]) -> Callable[[Stopwatch], None]:
    def step(watch: Stopwatch) -> None:
        with watch:
            work()

    return step


def set_threads(count: int) -> None:
    torch.set_num_threads(count)
    faiss.omp_set_num_threads(count)


def place_of(device: str, threads: int) -> str:
    return "GPU" if device != "cpu" else f"{threads} thread{'s' if threads > 1 else ''}"


def report(miners: list[Cost], peers: list[Cost], load: float) -> list[str]:
    """The results file: bars first, then all that was measured."""
    gpu = f" GPU: {torch.cuda.get_device_name()}." if torch.cuda.is_available() else ""
    return [
        f"{machine()}{gpu} Written by `python -m benchmarks.mining_cost`.",
        "",
        f"Compose + update of one step, milliseconds: median wall / median CPU / fastest twentieth (wall). D = {DIM},"
        f" {IMAGES} images a class, G = {GROUPS}; {IMAGES_A_CLASS} images a class in the data. Refreshes of"
        f" {' and '.join(f'`{name}`' for name in REFRESHED)} are spread over the steps of an epoch. On a GPU, between"
        f" CUDA events. Load of the machine before: {load:.1f} (0 is quiet; on a busy one, two threads wait for each"
        " other, and their figures mean little).",
        "",
        "## Bars",
        "",
        *bars([cost for cost in miners if cost.name == "bon" and cost.batch == 128]),
        "",
        "## BatchMiners",
        "",
        "| miner | N | on | B=128 | B=512 | bytes a sample |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.name} | {one.samples:,} | {one.place} | {one} | {other} | {one.size:.0f} |"
            for one, other in pairs(miners)
        ),
        "",
        "## Inside the batch",
        "",
        "| miner | on | B=128 | B=512 |",
        "|---|---|---|---|",
        *(f"| {one.name} | {one.place} | {one} | {other} |" for one, other in pairs(peers)),
    ]


def pairs(costs: list[Cost]) -> list[tuple[Cost, Cost]]:
    """Those of B = 128, each with its own of B = 512."""
    small, large = ({(c.name, c.samples, c.place): c for c in costs if c.batch == batch} for batch in BATCHES)
    return [(cost, large[key]) for key, cost in small.items()]


def bars(bon: list[Cost]) -> list[str]:
    """Whether the bars are held: on the processor, with all threads, at a million samples or the most there were."""
    place = [cost.place for cost in bon if cost.place != "GPU"][-1]
    at = {cost.samples: cost.wall for cost in bon if cost.place == place}
    smallest, largest = min(at), max(count for count in at if count <= max(BAR_SAMPLES, min(at)))
    ratio, size = at[largest] / at[smallest], max(cost.size for cost in bon)
    verdict = {True: "held", False: "**missed**"}
    return [
        f"- compose + update, B = 128, N = {largest:,}, {place}: {at[largest]:.2f} ms wall, bar 0.5 ms:"
        f" {verdict[at[largest] <= 0.5]}",
        f"- N = {largest:,} over N = {smallest:,}: {ratio:.2f}, bar 2: {verdict[ratio <= 2]}",
        f"- {size:.0f} bytes a sample at most, bar 64: {verdict[size <= 64]}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES, metavar="N")
    parser.add_argument("--gpu-samples", type=int, nargs="+", default=GPU_SAMPLES, metavar="N")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    load = os.getloadavg()[0]
    miners, peers = composer_costs(given.samples, "cpu", given.threads), in_batch_costs("cpu", given.threads)
    if torch.cuda.is_available():
        most = given.threads[-1:]
        miners, peers = (
            miners + composer_costs(given.gpu_samples, "cuda", most),
            peers + in_batch_costs("cuda", most),
        )
    write_report("mining_cost", "Cost of mining", report(miners, peers, load))


if __name__ == "__main__":
    main()
