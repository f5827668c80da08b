"""How fast is a map of 70,000 samples, and is it as true as umap-learn's own? And of a million?

    python -m benchmarks.projection
    python -m benchmarks.projection --samples 20000 --many 0     # a quick look

Both sides start from the same vectors, on the same cores, in one process, after a small map has had their code
compiled. Writes benchmarks/results/projection.md.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.report import machine, write_report
from bon_core.evaluation.index import exact_neighbours
from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours
from bon_core.maps.projection import project, some_rows, trustworthiness

K = 15
MEASURED = 5000  # samples that trustworthiness and recall are measured on
REPEATS = 3  # of ours, the median counts; the peer's minutes are taken once
FASTER, CLOSE = 8, 0.005  # the bar


class Line(NamedTuple):
    """A row of the report: seconds on the wall and of the processor, and how true the map is."""

    data: str
    method: str
    wall: float
    busy: float
    trust: float
    recall: float

    def __str__(self) -> str:
        figures = f"{self.wall:.1f} | {self.busy:.1f} | {self.trust:.4f} | {self.recall:.4f}"
        return f"| {self.data} | {self.method} | {figures} |"


def crowds(count: int, dim: int = 64) -> np.ndarray:
    """Unit vectors in crowds of a hundred, their spread falling from axis to axis as a trained embedding's does."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, dim + 1) ** -0.5
    centres = rng.standard_normal((count // 100, dim)) * spread
    vectors = centres[np.arange(count) % len(centres)] + 0.6 * rng.standard_normal((count, dim)) * spread
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def glyphs(count: int) -> np.ndarray:
    """The bundled model's embedding of the bundled glyphs, as they are, and turned by a quarter and by a half."""
    from bon_core.config import DataConfig
    from bon_core.datasets import load_images
    from bon_core.networks.embedding import embed
    from bon_core.runs import store
    from bon_core.runs.weights import load_network

    images = load_images(DataConfig(name="glyphs"))
    network = load_network(store.open_run("glyphs-bon-dc4"), images.channels)
    turned = [np.rot90(images.images, quarters, axes=(1, 2)) for quarters in range(3)]
    return embed(network, np.concatenate(turned)[:count].copy(), device="cpu")


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    wall, busy = time.perf_counter(), time.process_time()
    xy = work()
    return xy, time.perf_counter() - wall, time.process_time() - busy


def ours(vectors: np.ndarray) -> np.ndarray:
    return project(vectors, build_neighbours(vectors, K), seed=0)


def ours_of(table: NeighbourTable) -> Callable[[np.ndarray], np.ndarray]:
    """The map alone, of vectors whose neighbours are in `table`."""
    return lambda vectors: project(vectors, table, seed=0)


def peer(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP

    return UMAP().fit_transform(vectors)


def truth(xy: np.ndarray, vectors: np.ndarray) -> tuple[float, float]:
    """Trustworthiness, and the share of the K true neighbours that are among the K nearest on the map."""
    from scipy.spatial import cKDTree

    rows = some_rows(len(xy), seed=0, most=MEASURED)
    _, true = exact_neighbours(vectors[rows], vectors, K + 1)
    _, near = cKDTree(xy).query(xy[rows], k=K + 1)
    kept = [np.intersect1d(a[a != row], b[b != row]).size / K for row, a, b in zip(rows, true, near, strict=True)]
    return float(trustworthiness(xy, vectors, rows, k=K).mean(dtype=np.float64)), float(np.mean(kept))


def measured(data: str, vectors: np.ndarray, method: str, work: Callable[[np.ndarray], np.ndarray], times: int) -> Line:
    runs = [timed(lambda: work(vectors)) for _ in range(times)]
    walls, busy = [wall for _, wall, _ in runs], [spent for _, _, spent in runs]
    line = Line(data, method, statistics.median(walls), statistics.median(busy), *truth(runs[0][0], vectors))
    print(line, flush=True)
    return line


def bars(lines: list[Line]) -> list[str]:
    verdict = {True: "held", False: "**missed**"}
    found = []
    for own, alone, other in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        ratio, known = other.wall / own.wall, other.wall / alone.wall
        trust, recall = own.trust - other.trust, own.recall - other.recall
        found += [
            f"- {own.data}: {known:.1f} times faster on the wall from the neighbours that the metrics have found, bar"
            f" {FASTER}: {verdict[known >= FASTER]}; {ratio:.1f} times with the search of neighbours as well"
            f" ({other.busy / own.busy:.1f} in processor time): {verdict[ratio >= FASTER]}; trustworthiness"
            f" {trust:+.4f} and neighbours kept {recall:+.4f} against the peer's, bar -{CLOSE}:"
            f" {verdict[min(trust, recall) >= -CLOSE]}",
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=70_000, metavar="N")
    parser.add_argument("--many", type=int, default=1_000_000, metavar="N", help="of a larger map of ours; 0 for none")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    sets = {"crowds": crowds(given.samples), "glyphs": glyphs(given.samples)}
    for work in (ours, peer):
        work(sets["crowds"][:5000])
    lines = []
    for name, vectors in sets.items():
        data = f"{name}, {len(vectors):,} x {vectors.shape[1]}"
        known = ours_of(build_neighbours(vectors, K))
        lines += [
            measured(data, vectors, "here", ours, REPEATS),
            measured(data, vectors, "here, neighbours known", known, REPEATS),
            measured(data, vectors, "umap-learn", peer, 1),
        ]
    many = []
    if given.many:
        vectors = crowds(given.many)
        many = [measured(f"crowds, {given.many:,} x {vectors.shape[1]}", vectors, "here", ours, 1)]
    write_report(
        "projection",
        "Maps: how fast, how true",
        [
            f"{machine()} Written by `python -m benchmarks.projection`. Load of the machine before: {load:.1f} (0 is"
            " quiet).",
            "",
            f"From vectors to map, search of neighbours included. Here: one table of {K} neighbours, as metrics and"
            " views use it; principal axes as the start; regions laid out on all cores, the same map each time."
            " umap-learn: `UMAP().fit_transform(vectors)`, its defaults, on all cores, and another map each time."
            f" Both were compiled before. Trustworthiness and the share of the {K} true neighbours that the map keeps"
            f" are measured on {MEASURED:,} samples.",
            "",
            f"- crowds: {crowds.__doc__}",
            f"- glyphs: {glyphs.__doc__}",
            "",
            "## Bars",
            "",
            *bars(lines),
            "",
            "## All",
            "",
            "| data | map | seconds | of the processor | trustworthiness | neighbours kept |",
            "|---|---|---|---|---|---|",
            *map(str, (*lines, *many)),
        ],
    )


if __name__ == "__main__":
    main()
