"""Does dividing the embedding and the data train a better embedding, with and without Bag of Negatives?

    python benchmarks/division.py run --omniglot PATH --grocery FILE --cub FILE --cars FILE --jobs 2
    python benchmarks/division.py study --cars FILE --cub FILE --jobs 2       # settings, on held-out training classes
    python benchmarks/division.py report

Every training is one process on one thread and leaves one JSON in benchmarks/results/division; those that are there
already are not run again. `report` writes benchmarks/results/division.md and the plots from them.
"""

from typing import Any

from report import RESULTS

KEPT = RESULTS / "division"
SETS = {"omniglot": 6_000, "grocery": 4_000, "cub": 4_000, "cars": 4_000}  # steps
PHOTOGRAPHS = ("grocery", "cub", "cars")
SEEDS = 3
BATCH = {"classes": 8, "images": 4, "groups": 2, "in_batch": "distance-weighted"}
MINERS = {"uniform": {"miner": "uniform"}, "BoN": {"miner": "bon"}}
DIVISIONS: dict[str, dict[str, Any]] = {
    "undivided": {"learners": 1},
    "K=4": {"learners": 4},
    "K=8": {"learners": 8},
    "K=4, clusters without split": {"learners": 4, "split": 0.0},
}
