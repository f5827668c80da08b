"""Which index for how many vectors, what does it miss, and what do metrics cost beside the search?

    python -m benchmarks.retrieval
    python -m benchmarks.retrieval --samples 10000 50000 --peer 5000     # a quick look

Every sample of a clustered embedding asks for its neighbours. Each size and kind runs in a process of its own, so that
its memory is its own. Writes benchmarks/results/retrieval.md.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report import machine, write_report
from bon_core.evaluation import index as kinds
from bon_core.evaluation.index import Index, exact_neighbours, kind_for, open_index
from bon_core.evaluation.metrics import neighbours_needed, retrieval_metrics
from bon_core.evaluation.neighbours import build_neighbours
from bon_core.evaluation.search import nearest

DIM, K = 128, 20
IMAGES = 10  # a class
ASKED = 1000  # queries whose true neighbours are searched for the recall
SAMPLES = (10_000, 50_000, 100_000, 200_000, 1_000_000)
SLOWEST = {
    "exact": 200_000,
    "ivf-flat": 200_000,
    "hnsw": 1_000_000,
    "ivf-pq": 1_000_000,
}  # largest N that each is given
PEER = 50_000  # samples of the comparison with pytorch-metric-learning
A_CLASS = (100, 10, 2)  # samples a class, for the memory of the metrics by the number of classes
MIB = 2**20


class Search(NamedTuple):
    """Seconds on the wall to build and to search, of the processor for both, recall, and MiB at the highest."""

    samples: int
    kind: str
    build: float
    search: float
    busy: float
    recall: float
    memory: float

    def __str__(self) -> str:
        chosen = " (chosen)" if self.kind == kind_for(self.samples, DIM) else ""
        seconds = f"{self.build:.1f} | {self.search:.1f} | {self.build + self.search:.1f} | {self.busy:.1f}"
        return f"| {self.samples:,} | {self.kind}{chosen} | {seconds} | {self.recall:.4f} | {self.memory:.0f} |"


def crowds(count: int, dim: int = DIM) -> np.ndarray:
    """Unit vectors in classes of IMAGES, the spread falling from axis to axis as a trained embedding's does."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    centres = rng.standard_normal((count // IMAGES, dim), dtype=np.float32) * spread
    vectors = np.empty((count, dim), np.float32)
    for start in range(0, count, 65536):
        rows = np.arange(start, min(start + 65536, count))
        block = centres[rows // IMAGES] + 0.6 * rng.standard_normal((len(rows), dim), dtype=np.float32) * spread
        vectors[rows] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def peak() -> float:
    """MiB that this process has held at the highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opened(kind: Any, vectors: np.ndarray) -> Index:
    """As the library does it; `ivf-flat`, which it does not use, with as many lists and probes as `ivf-pq`."""
    if kind != "ivf-flat":
        return open_index(vectors, kind=kind)
    import faiss

    lists = kinds._lists(len(vectors))
    index: Any = faiss.index_factory(DIM, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // (kinds.TRAINED_ON * lists))])
    index.nprobe = kinds.PROBES
    index.add(vectors)
    return Index("ivf-pq", vectors, np.zeros(DIM, np.float32), index)  # around no centre


def search(samples: int, kind: str) -> Search:
    vectors = crowds(samples)
    before, wall, busy = peak(), time.perf_counter(), time.process_time()
    index = opened(kind, vectors)
    build = time.perf_counter() - wall
    found = np.concatenate([index.search(block, K + 1)[1] for block in np.split(vectors, range(8192, samples, 8192))])
    seconds, busy, memory = time.perf_counter() - wall - build, time.process_time() - busy, peak() - before
    rows = np.random.default_rng(1).choice(samples, ASKED, replace=False)
    _, true = exact_neighbours(vectors[rows], vectors, K + 1)
    recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(true, found[rows], strict=True)]))
    return Search(samples, kind, build, seconds, busy, recall, memory)


class Cost(NamedTuple):
    wall: float
    busy: float
    memory: float  # MiB more at the highest


def evaluation(samples: int, who: str) -> dict[str, Any]:
    """Costs of metrics for 10 samples a class: `here`, the search and the metrics apart; `peer`, all in one."""
    vectors, labels = crowds(samples), np.arange(samples) // IMAGES
    if who == "peer":
        import torch
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

        names = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
        calculator = AccuracyCalculator(include=names, k="max_bin_count", device=torch.device("cpu"))
        everything = torch.from_numpy(vectors), torch.from_numpy(labels)
        found, cost = spent(lambda: calculator.get_accuracy(*everything))
        return {"peer": cost, "figures": [found[name] for name in names]}
    import faiss

    faiss.knn(vectors[:100], vectors[:100], 5)  # threads are there
    table, of_search = spent(lambda: build_neighbours(vectors, neighbours_needed(labels)))
    found, of_metrics = spent(lambda: retrieval_metrics(table, labels))
    figures = [found[name] for name in ("recall@1", "r_precision", "map@r")]
    return {"search": of_search, "metrics": of_metrics, "figures": figures}


def memory_of_metrics(samples: int) -> dict[int, float]:
    """MiB at the highest, of metrics from one table, by the number of classes."""
    import tracemalloc

    table, found = build_neighbours(crowds(samples), max(A_CLASS)), {}
    for classes in (samples // images for images in A_CLASS):
        labels = np.arange(samples) % classes
        tracemalloc.start()
        retrieval_metrics(table, labels)
        found[classes] = tracemalloc.get_traced_memory()[1] / MIB
        tracemalloc.stop()
    return found


def single_query(samples: int) -> float:
    """Milliseconds of the nearest K to one query from outside, by comparing with all."""
    vectors = crowds(samples)
    walls = []
    for row in range(9):
        start = time.perf_counter()
        nearest(vectors[row : row + 1], vectors, K)
        walls.append(time.perf_counter() - start)
    return 1e3 * sorted(walls)[4]


def spent(work: Callable[[], Any]) -> tuple[Any, Cost]:
    memory, wall, busy = peak(), time.perf_counter(), time.process_time()
    found = work()
    return found, Cost(time.perf_counter() - wall, time.process_time() - busy, peak() - memory)


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """The answer of `work` from a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(work, *arguments).result()
    print(work.__name__, *arguments, found, flush=True)
    return found


def bars(searches: list[Search], here: dict[str, Any], peer: dict[str, Any], memory: dict[int, float]) -> list[str]:
    verdict = {True: "held", False: "**missed**"}
    found = []
    for samples in sorted({one.samples for one in searches}):
        of = {one.kind: one for one in searches if one.samples == samples}
        chosen, rival = of[kind_for(samples, DIM)], of["exact" if samples <= 200_000 else "hnsw"]
        ratio = (rival.build + rival.search) / (chosen.build + chosen.search)
        found.append(
            f"- {samples:,}: {chosen.kind}, {ratio:.2f} times as fast as {rival.kind}, misses"
            f" {100 * (1 - chosen.recall):.2f} % of the neighbours: {verdict[ratio >= 1]}"
        )
    share = 1 + here["metrics"].busy / here["search"].busy
    apart = max(abs(a - b) for a, b in zip(here["figures"], peer["figures"], strict=True))
    least, most = min(memory.values()), max(memory.values())
    own = here["search"].busy + here["metrics"].busy, here["search"].memory + here["metrics"].memory
    sizes = ", ".join(f"{size:.0f}" for size in memory.values())
    return [
        *found,
        f"- search and metrics over the search alone: {share:.3f}, bar 1.1: {verdict[share <= 1.1]}",
        f"- memory of the metrics at {', '.join(f'{n:,}' for n in memory)} classes: {sizes} MiB, bar: independent:"
        f" {verdict[most <= 1.5 * least]}",
        f"- against pytorch-metric-learning's calculator: {peer['peer'].busy / own[0]:.1f} times less processor time,"
        f" {peer['peer'].memory:.0f} MiB there, {own[1]:.0f} MiB here; Recall@1, R-precision and MAP@R agree within"
        f" {apart:.5f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES, metavar="N")
    parser.add_argument("--peer", type=int, default=PEER, metavar="N")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    searches = [alone(search, n, kind) for n in given.samples for kind, largest in SLOWEST.items() if n <= largest]
    here, peer = (alone(evaluation, given.peer, who) for who in ("here", "peer"))
    memory = alone(memory_of_metrics, given.peer)
    queries = {n: alone(single_query, n) for n in given.samples}
    rows = {"search, here": here["search"], "metrics, here": here["metrics"], "all, peer": peer["peer"]}
    write_report(
        "retrieval",
        "Search and metrics",
        [
            f"{machine()} Written by `python -m benchmarks.retrieval`. Load of the machine before: {load:.1f} (0 is"
            " quiet).",
            "",
            f"D = {DIM}, {IMAGES} samples a class. Every sample asks for {K} neighbours. Recall: share of the true ones"
            f" found, on {ASKED} queries. Memory beyond the vectors themselves.",
            "",
            "## Bars",
            "",
            *bars(searches, here, peer, memory),
            "",
            "## All neighbours of all samples",
            "",
            "| N | index | build, s | search, s | both, s | of the processor, s | recall | MiB |",
            "|---|---|---|---|---|---|---|---|",
            *map(str, searches),
            "",
            "## Metrics",
            "",
            f"{given.peer:,} samples of {given.peer // IMAGES:,} classes.",
            "",
            "| what | seconds | of the processor | MiB |",
            "|---|---|---|---|",
            *(f"| {what} | {cost.wall:.2f} | {cost.busy:.2f} | {cost.memory:.0f} |" for what, cost in rows.items()),
            "",
            "## One query from outside, exactly",
            "",
            "| N | ms |",
            "|---|---|",
            *(f"| {n:,} | {ms:.1f} |" for n, ms in queries.items()),
        ],
    )


if __name__ == "__main__":
    main()
