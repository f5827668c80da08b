"""Does dividing the embedding and the data train a better embedding, with and without Bag of Negatives?

    python -m benchmarks.division run --omniglot PATH --grocery FILE --cub FILE --cars FILE --jobs 2
    python -m benchmarks.division study --cub FILE --cars FILE --jobs 2      # settings, on held-out training classes
    python -m benchmarks.division report

Every training is one process on one thread and adds a row to benchmarks/results/division.parquet; one that has a row
is not run again. `report` writes benchmarks/results/division.md and the plots from them.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import altair as alt
import pandas as pd

from benchmarks import results_table
from benchmarks.report import RESULTS, machine, write_report
from benchmarks.series import arguments, curves, finished, run
from benchmarks.tables import interval, shown
from benchmarks.trial import DIM, HELD_OUT, Trial

TABLE = RESULTS / "division.parquet"
SETS = {"omniglot": 6_000, "grocery": 4_000, "cub": 4_000, "cars": 4_000}  # steps
STUDIED, LENGTHS = ("cub", "cars"), (1_000, 4_000)  # sets and steps of the settings
SEEDS = 3
MINERS = {"uniform": "uniform", "BoN": "bon"}
DIVISIONS: dict[str, dict[str, Any]] = {
    "undivided": {"learners": 1},
    "K=4": {"learners": 4},
    "K=8": {"learners": 8},
    "K=4 without split": {"learners": 4, "split": 0.0},
}


@dataclass(frozen=True)
class Setting:
    """A row of the study: what it is in words, and what it changes of K = 4 learners over uniform batches."""

    words: str
    division: dict[str, Any] = field(default_factory=dict)  # fields of DivisionConfig
    miner: str = "uniform"
    dim: int = DIM


WIDE = 256  # D of slices that are four times as wide
SETTINGS = {
    "undivided": Setting("undivided", {"learners": 1}),
    "warmup-0": Setting("no warm-up, split 0.4", {"warmup": 0.0, "split": 0.4}),
    "warmup-0.3": Setting("warm-up 0.3, split 0.4", {"warmup": 0.3, "split": 0.4}),
    "warmup-0.5": Setting("warm-up 0.5, split 0.25 (the default)"),
    "warmup-0.5-long": Setting("split 0.45", {"split": 0.45}),
    "every-epoch": Setting("T = 1", {"recluster_every": 1}),
    "masks": Setting("learned masks", {"masks": "learned"}),
    "doubling": Setting("doubling K", {"doubling": True}),
    "whole-norm": Setting("plain L2 at test", {"test_norm": "whole"}),
    "penultimate": Setting("clusters of the layer below", {"feature": "penultimate"}),
    "K-2": Setting("K = 2", {"learners": 2}),
    "K-8": Setting("K = 8", {"learners": 8}),
    "wide-undivided": Setting(f"undivided, D = {WIDE}", {"learners": 1}, dim=WIDE),
    "wide": Setting(f"D = {WIDE}", dim=WIDE),
    **{
        f"bon-random-{share:g}": Setting(f"BoN, {share:g} of the classes random", {"random_share": share}, "bon")
        for share in (0.25, 0.5, 0.75)
    },
}


def trial(
    data: str,
    method: str,
    miner: str,
    division: dict[str, Any],
    seed: int,
    *,
    steps: int,
    dim: int = DIM,
    tuning: bool = False,
) -> Trial:
    """All that the trials of this study share: batches, in-batch miner and loss are the paper's."""
    mining = {"miner": miner, "in_batch": "distance-weighted", "classes": 8, "images": 4, "groups": 2}
    return Trial(
        data=data,
        method=method,
        mining=mining,
        division=division,
        loss="margin",
        dim=dim,
        steps=steps,
        seed=seed,
        tuning=tuning,
    )


def grid() -> list[Trial]:
    """{undivided, K = 4, K = 8, clustered batches without the split} x {uniform, BoN}, seeds outermost."""
    return [
        trial(data, f"{name}, {word}", miner, division, seed, steps=SETS[data])
        for seed, data, (name, division), (word, miner) in product(
            range(SEEDS), reversed(SETS), DIVISIONS.items(), MINERS.items()
        )
    ]


def study() -> list[Trial]:
    """Settings of the division, on held-out training classes of photographs."""
    return [
        trial(data, name, one.miner, {"learners": 4, **one.division}, seed, steps=steps, dim=one.dim, tuning=True)
        for seed, steps, data, (name, one) in product(range(2), LENGTHS, STUDIED, SETTINGS.items())
    ]


def report() -> None:
    """Tables and plots of what is there, and what is not."""
    table = finished(TABLE)
    final, tuned = table[~table["tuning"]], table[table["tuning"]]
    missing = {one.name for one in grid()} - results_table.names(TABLE)
    points = curves(final)
    for over, title in (("step", "steps"), ("seconds", "CPU seconds, one thread")):
        plot(points, over, title).save(RESULTS / f"division_{over}.svg")
    lines = [
        machine(),
        "",
        "Written by `python -m benchmarks.division report` from `division.parquet`, a row a training."
        " Omniglot: conv4 on images of 20 px. Photographs (research subsets at 84 px, not comparable with published"
        " figures; first half of the classes to train, second half to test): one linear layer, with dropout, on frozen"
        " EfficientNet-Lite0 features of four views, so that what is divided is trained and what is not is computed"
        " once; `untrained` is those 1,280 features (or the pixels of Omniglot) as they are. D = 64, batches of"
        " 8 classes x 4 images, margin loss, distance-weighted triplets, AdamW with a cosine, equal steps, one thread."
        " Mean and 95 % t-interval over the seeds.",
        *([f"**{len(missing)} of {len(grid())} trainings are not done yet.**"] if missing else []),
        "",
        "## Goals",
        "",
        "| data | undivided | K = 4 | divided is better | best of each alone | BoN + K = 4 | both are better |",
        "|---|---|---|---|---|---|---|",
        *(goals(final[final["data"] == data], data) for data in SETS if data in set(final["data"])),
        "",
        "![Recall over steps](division_step.svg)",
        "",
        "![Recall over seconds](division_seconds.svg)",
        "",
        "## All methods at equal steps",
        "",
        "| data | method | Recall@1 | MAP@R | CPU s | of these clustering |",
        "|---|---|---|---|---|---|",
        *methods(final),
        "",
        "## Settings, on held-out training classes",
        "",
        f"{HELD_OUT:.0%} of the training classes held out; K = 4, D = {DIM}, uniform batches and the defaults where"
        " nothing else is said. Recall@1, 2 seeds.".replace("%", " %"),
        "",
        f"| settings | steps | {' | '.join(STUDIED)} |",
        "|---|---|---|---|",
        *settings(tuned),
    ]
    write_report("division", "Divide and conquer against the undivided embedding", lines)


def goals(table: pd.DataFrame, data: str) -> str:
    """A row: divided against undivided, and both together against each alone."""

    def recall(method: str) -> pd.Series:
        return table[table["method"] == method]["recall"]

    plain, divided, mined = recall("undivided, uniform"), recall("K=4, uniform"), recall("undivided, BoN")
    both, alone = recall("K=4, BoN"), max(divided, mined, key=lambda values: values.mean())
    cells = [shown(plain), shown(divided), verdict(divided, plain), shown(alone), shown(both), verdict(both, alone)]
    return f"| {data} | {' | '.join(cells)} |"


def verdict(better: pd.Series, worse: pd.Series) -> str:
    """Whether one is above the other, and whether their intervals are apart."""
    if min(len(better), len(worse)) < 2:
        return "not done"
    gain, apart = interval(better)[0] - interval(worse)[0], interval(better)[1] + interval(worse)[1]
    if abs(gain) <= apart:
        return f"{gain:+.3f}, intervals overlap"
    return f"**yes**, {gain:+.3f}" if gain > 0 else f"**no**, {gain:+.3f}"


def methods(table: pd.DataFrame) -> list[str]:
    """Rows, best method first within each data set."""
    rows = []
    for data in SETS:
        by_method = table[table["data"] == data].groupby("method")
        for name, runs in sorted(by_method, key=lambda item: -item[1]["recall"].mean()):
            share = runs["clustering_seconds"].sum() / runs["seconds"].sum()
            cells = f"{shown(runs['recall'])} | {shown(runs['map@r'])} | {runs['seconds'].mean():.0f} | {share:.1%}"
            rows.append(f"| {data} | {name} | {cells} |".replace("%", " %"))
        for _, one in table[table["data"] == data].head(1).iterrows():
            raw = one["untrained"]
            rows.append(f"| {data} | *untrained* | {raw['recall@1']:.3f} | {raw['map@r']:.3f} | | |")
    return rows


def settings(table: pd.DataFrame) -> list[str]:
    """Rows, best settings first."""
    rows = []
    for (name, steps), runs in table.groupby(["method", "steps"]) if len(table) else ():
        by_set = " | ".join(shown(runs[runs["data"] == data]["recall"]) for data in STUDIED)
        rows.append((runs["recall"].mean(), f"| {SETTINGS[name].words} | {steps:,} | {by_set} |"))
    return [row for _, row in sorted(rows, reverse=True)]


def plot(points: pd.DataFrame, over: str, title: str) -> alt.Chart:
    """Mean recall over the seeds, a panel a data set; the curve is of the first test classes."""
    told = points["method"].str.rsplit(", ", n=1, expand=True)
    return (
        alt.Chart(points.assign(division=told[0], miner=told[1]))
        .mark_line(strokeWidth=1.8)
        .encode(
            alt.X(f"{over}:Q", title=title, axis=alt.Axis(tickCount=4, grid=False)),
            alt.Y("recall:Q", title="Recall@1", scale=alt.Scale(zero=False)),
            alt.Color(
                "division:N",
                title=None,
                scale=alt.Scale(domain=list(DIVISIONS), range=["#999999", "#0072B2", "#D55E00", "#009E73"]),
            ),
            alt.StrokeDash("miner:N", title=None, sort=list(MINERS)),
            alt.Order("step:Q"),
        )
        .properties(width=210, height=170)
        .facet(facet=alt.Facet("data:N", title=None, sort=list(SETS)), columns=2)
        .resolve_scale(x="independent", y="independent")
    )


def main() -> None:
    given = arguments(__doc__.splitlines()[0])
    if given.what == "report":
        report()
    else:
        run(study() if given.what == "study" else grid(), TABLE, given)


if __name__ == "__main__":
    main()
