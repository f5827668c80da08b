"""What does composing hard batches cost a step, and a sample, as the data set grows?

    python benchmarks/mining_cost.py --samples 10000 100000 1000000 --threads 1 2

Every composer runs in the same process on the same clustered embeddings; beside them stand pytorch-metric-learning's
in-batch miners and its cross-batch memory, which work per step as well. Writes benchmarks/results/mining_cost.md.
"""

import argparse
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import faiss
import torch
from pytorch_metric_learning import losses, miners

from bon_core.config import MiningConfig
from bon_core.mining import make_composer

DIM, IMAGES, GROUPS = 128, 4, 8
IMAGES_A_CLASS = 50
COMPOSERS = ("bon", "lsh", "uniform", "neighbours", "exact")
EXACT_LIMIT = 1_000_000  # beyond it three copies of all embeddings do not fit a small machine
RESULTS = Path(__file__).parent / "results" / "mining_cost.md"


class Embeddings:
    """Clustered unit vectors (N, DIM) made on demand, so that N can outgrow the memory."""

    def __init__(self, count: int):
        draws = torch.Generator().manual_seed(0)
        self.labels = torch.arange(count) // IMAGES_A_CLASS
        self._centres = torch.randn(4001, DIM, generator=draws) * torch.arange(1, DIM + 1) ** -0.5
        self._noise = 0.3 * torch.randn(4099, DIM, generator=draws) * torch.arange(1, DIM + 1) ** -0.5

    def __getitem__(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(self._centres[self.labels[ids] % 4001] + self._noise[ids % 4099])


def median_ms(step: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Median wall and CPU milliseconds of `step`, after a tenth as many unmeasured ones."""
    wall, busy = [], []
    for number in range(repeats + repeats // 10):
        wall_start, busy_start = time.perf_counter(), time.process_time()
        step()
        if number >= repeats // 10:
            wall.append(time.perf_counter() - wall_start)
            busy.append(time.process_time() - busy_start)
    return 1e3 * statistics.median(wall), 1e3 * statistics.median(busy)


def filled(name: str, embeddings: Embeddings):
    """A composer that has seen every sample, and the seconds of the update that refreshed it, if it does so."""
    composer = make_composer(MiningConfig(miner=name), embeddings.labels, dim=DIM, seed=0)
    online = name in ("bon", "lsh")
    if online:
        for _ in range(100):
            ids = composer.compose()
            composer.update(ids, embeddings[ids])
    refill = composer.rehash if online else composer.update
    for ids in torch.randperm(len(embeddings.labels)).split(8192):
        rows = embeddings[ids]
        start = time.perf_counter()
        refill(ids, rows)
        last = time.perf_counter() - start
    return composer, last if name in ("neighbours", "exact") else 0.0


def bytes_a_sample(composer) -> float:
    tensors = [*composer.state_dict().values(), *(t for t in vars(composer.index).values() if torch.is_tensor(t))]
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if hasattr(composer, "_faiss"):
        total += composer._faiss.ntotal * DIM * 4
    return total / composer.index.count


def composer_rows(samples: list[int], threads: list[int]) -> list[dict]:
    rows = []
    for count in samples:
        embeddings = Embeddings(count)
        for name in COMPOSERS:
            if name == "exact" and count > EXACT_LIMIT:
                continue
            set_threads(max(threads))
            composer, refresh = filled(name, embeddings)
            for used in threads:
                set_threads(used)
                for batch in (128, 512):
                    rows.append(measured(composer, embeddings, batch, refresh))
                    rows[-1] |= {"composer": name, "samples": count, "threads": used, "batch": batch}
                    print(rows[-1], flush=True)
    return rows


def measured(composer, embeddings: Embeddings, batch: int, refresh: float) -> dict:
    def compose_and_update():
        started, busy = time.perf_counter(), time.process_time()
        ids = composer.compose(batch // IMAGES, IMAGES, GROUPS)
        composed, busy_composed = time.perf_counter(), time.process_time()
        rows = embeddings[ids]  # the network's work, not the miner's
        forward, busy_forward = time.perf_counter() - composed, time.process_time() - busy_composed
        composer.update(ids, rows)
        return time.perf_counter() - started - forward, time.process_time() - busy - busy_forward

    wall, _ = median_ms(compose_and_update, 2)
    repeats = max(10, min(600, int(700 / wall)))
    steps = [compose_and_update() for _ in range(repeats)]
    share = 1e3 * refresh * batch / len(embeddings.labels)
    return {
        "wall": 1e3 * statistics.median(step[0] for step in steps) + share,
        "busy": 1e3 * statistics.median(step[1] for step in steps) + share,
        "best": 1e3 * sorted(step[0] for step in steps)[repeats // 20] + share,
        "bytes": bytes_a_sample(composer),
    }


def in_batch_rows(threads: list[int]) -> list[dict]:
    """Peers that choose inside the batch, or from a memory of the latest embeddings."""
    rows = []
    for used in threads:
        set_threads(used)
        for batch in (128, 512):
            vectors = torch.nn.functional.normalize(torch.randn(batch, DIM, generator=torch.Generator().manual_seed(0)))
            labels = torch.arange(batch) // IMAGES
            chosen = {
                "x @ x.T, the floor": partial(torch.matmul, vectors, vectors.t()),
                "batch-hard": partial(miners.BatchHardMiner(), vectors, labels),
                "multi-similarity": partial(miners.MultiSimilarityMiner(), vectors, labels),
                "XBM 8k, forward and backward": cross_batch(vectors, labels),
            }
            for name, step in chosen.items():
                wall, busy = median_ms(step, 20 if "XBM" in name or batch == 512 else 200)
                rows.append({"name": name, "threads": used, "batch": batch, "wall": wall, "busy": busy})
    return rows


def cross_batch(vectors: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    memory = losses.CrossBatchMemory(losses.ContrastiveLoss(), embedding_size=DIM, memory_size=8192)
    for _ in range(8192 // len(vectors)):
        memory.add_to_memory(vectors, labels, len(vectors))
    leaf = vectors.clone().requires_grad_()
    return lambda: memory(leaf, labels).backward()


def set_threads(count: int) -> None:
    torch.set_num_threads(count)
    faiss.omp_set_num_threads(count)


def report(rows: list[dict], peers: list[dict], load: float) -> str:
    """The results file: bars first, then all that was measured."""
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    model = [line.split(":")[1].strip() for line in processors if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    lines = [
        "# Cost of mining",
        "",
        f"{date.today()}, commit {commit}; {model[0]}, {len(model)} cores; Python {platform.python_version()},"
        f" torch {torch.__version__}, faiss {faiss.__version__}. Written by `python benchmarks/mining_cost.py`.",
        "",
        f"Compose + update of one step, milliseconds: median wall / median CPU / fastest twentieth (wall). D = {DIM},"
        f" {IMAGES} images a class, G = {GROUPS}; {IMAGES_A_CLASS} images a class in the data. Refreshes of `exact` and"
        f" `neighbours` are spread over the steps of an epoch. Load of the machine before: {load:.1f} (0 is quiet; on a"
        " busy one, two threads wait for each other, and their figures mean little).",
        "",
        "## Bars",
        "",
        *bars(rows),
        "",
        "## Composers",
        "",
        "| composer | N | threads | B=128 | B=512 | bytes a sample |",
        "|---|---|---|---|---|---|",
        *(
            f"| {small['composer']} | {small['samples']:,} | {small['threads']} | {cell(small)} | {cell(large)} |"
            f" {small['bytes']:.0f} |"
            for small, large in pairs(rows, ("composer", "samples", "threads"))
        ),
        "",
        "## Inside the batch",
        "",
        "| miner | threads | B=128 | B=512 |",
        "|---|---|---|---|",
        *(
            f"| {small['name']} | {small['threads']} | {cell(small)} | {cell(large)} |"
            for small, large in pairs(peers, ("name", "threads"))
        ),
    ]
    return "\n".join(lines) + "\n"


def pairs(rows: list[dict], keys: tuple[str, ...]) -> list[tuple[dict, dict]]:
    """The rows of B = 128, each with its row of B = 512."""
    small, large = ({tuple(r[k] for k in keys): r for r in rows if r["batch"] == batch} for batch in (128, 512))
    return [(row, large[key]) for key, row in small.items()]


def cell(row: dict) -> str:
    return " / ".join(f"{row[figure]:.2f}" for figure in ("wall", "busy", "best") if figure in row)


def bars(rows: list[dict]) -> list[str]:
    bon = {(r["samples"], r["threads"]): r for r in rows if r["composer"] == "bon" and r["batch"] == 128}
    smallest, largest = min(bon)[0], max(bon)[0]
    threads = max(bon)[1]
    cost, ratio = bon[largest, threads]["wall"], bon[largest, threads]["wall"] / bon[smallest, threads]["wall"]
    size = max(r["bytes"] for r in bon.values())
    verdict = {True: "held", False: "**missed**"}
    return [
        f"- compose + update, B = 128, N = {largest:,}, {threads} thread(s): {cost:.2f} ms wall,"
        f" bar 0.5 ms: {verdict[cost <= 0.5]}",
        f"- N = {largest:,} over N = {smallest:,}: {ratio:.2f}, bar 2: {verdict[ratio <= 2]}",
        f"- {size:.0f} bytes a sample at most, bar 64: {verdict[size <= 64]}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000_000], metavar="N")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    load = os.getloadavg()[0]
    text = report(composer_rows(given.samples, given.threads), in_batch_rows(given.threads), load)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
