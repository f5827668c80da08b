"""Does mining hard batches train a better embedding, or the same one in fewer steps?

    python benchmarks/mining_accuracy.py run --omniglot PATH --cars FILE --jobs 2
    python benchmarks/mining_accuracy.py study --omniglot PATH --jobs 2     # schedules, on held-out training classes
    python benchmarks/mining_accuracy.py report

Every training is one process on one thread and leaves one JSON in benchmarks/results/mining_accuracy; those that are
there already are not run again. `report` writes benchmarks/results/mining_accuracy.md and the plots from them.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import altair as alt
import pandas as pd
from race import HELD_OUT, Race, keep
from race import run as run_race
from report import RESULTS, machine, write_report
from tables import interval, shown

KEPT = RESULTS / "mining_accuracy"
CACHE = Path(__file__).resolve().parent.parent / "data" / "cache"
SETS = ("omniglot", "omniglot-rotations", "glyphs", "cars")
STEPS, SEEDS = 8_000, 3
XBM = {"miner": "xbm"}
EVERYWHERE = {
    "batch-hard": {"miner": "batch-hard"},
    "bon": {"miner": "bon"},
    "xbm": XBM,
    "exact": {"miner": "exact"},
}
ON_OMNIGLOT = {
    name: {"miner": name} for name in ("semi-hard", "distance-weighted", "multi-similarity", "neighbours", "lsh")
}
SCHEDULES = {  # name: (what it is, settings)
    "bon-at-once": ("all mates from the start", {"mate_ramp": 0.0}),
    "bon-ramp-0.1": ("even ramp over 0.1 of the steps", {"mate_ramp": 0.1}),
    "bon-ramp-0.3": ("even ramp over 0.3", {"mate_ramp": 0.3}),
    "bon-ramp-0.6": ("even ramp over 0.6", {"mate_ramp": 0.6}),
    "bon-active-0.4": ("controlled: 0.4 of the anchors active", {"mate_schedule": "active", "active_goal": 0.4}),
    "bon-active-0.6": ("controlled: 0.6 active", {"mate_schedule": "active", "active_goal": 0.6}),
    "bon-one-group": ("ramp over 0.1, one seed a batch", {"mate_ramp": 0.1, "groups": 1}),
}


def contest() -> list[Race]:
    """The comparison: full length for all, and half of it for BoN and for the baseline; seeds outermost."""
    races = []
    for seed in range(SEEDS):
        for data in SETS:
            methods = EVERYWHERE | (ON_OMNIGLOT if data == "omniglot" else {})
            races += [
                Race(data=data, method=name, mining=mining, steps=STEPS, seed=seed) for name, mining in methods.items()
            ]
            races += [
                Race(data=data, method=name, mining=EVERYWHERE[name], steps=STEPS // 2, seed=seed)
                for name in ("bon", "batch-hard")
            ]
    return races


def study() -> list[Race]:
    """Schedules of the share of bucket mates at half length, and the baseline at both, on held-out training classes."""
    races = []
    for seed in range(2):
        for data in ("omniglot", "glyphs"):
            plain = EVERYWHERE["batch-hard"]
            for steps in (STEPS, STEPS // 2):
                races.append(Race(data=data, method="batch-hard", mining=plain, steps=steps, seed=seed, tuning=True))
            for name, (_, settings) in SCHEDULES.items():
                mining = {"miner": "bon", **settings}
                races.append(Race(data=data, method=name, mining=mining, steps=STEPS // 2, seed=seed, tuning=True))
    return races


def run_all(races: list[Race], options: list[str], jobs: int) -> None:
    """Run those that left no result yet, `jobs` at a time."""
    missing = [race for race in races if not (KEPT / race.file).exists()]
    print(f"{len(races)} races, {len(missing)} to run", flush=True)

    def one(race: Race) -> None:
        command = [sys.executable, __file__, "one", "--race", json.dumps(asdict(race)), *options]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        print(done.stdout.strip() if done.returncode == 0 else f"{race.file} FAILED\n{done.stderr[-2000:]}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, missing))


def kept() -> pd.DataFrame:
    """One row a finished training."""
    results = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*/*.json"))]
    rows = [{**result, **result["final"], "recall": result["final"]["recall@1"]} for result in results]
    return pd.DataFrame(rows)


def report() -> None:
    """Tables and plots of what is there, and what is not."""
    table = kept()
    final, tuned = table[~table["tuning"]], table[table["tuning"]]
    missing = [race.file for race in contest() if not (KEPT / race.file).exists()]
    curves = [
        {"data": row.data, "method": row.method, "seed": row.seed, **point, "recall": point["recall@1"]}
        for row in final[final["steps"] == STEPS].itertuples()
        for point in row.curve
    ]
    for over, title in (("step", "steps"), ("seconds", "CPU seconds, one thread")):
        plot(pd.DataFrame(curves), over, title).save(RESULTS / f"mining_accuracy_{over}.svg")
    lines = [
        machine(),
        "",
        "Written by `python benchmarks/mining_accuracy.py report` from the JSON files in `mining_accuracy/`, one a"
        f" training. conv4 on images of 20 px (cars: a perceptron on frozen EfficientNet-Lite0 features of a research"
        " subset at 84 px, not comparable with published figures), D = 64, batches of 8 classes x 2 images, triplet"
        f" loss with margin 0.2, AdamW with a cosine over the whole training, {STEPS:,} steps, one thread a training."
        " Test classes were never trained on. Mean and 95 % t-interval over the seeds. Unless said otherwise the"
        " in-batch miner is batch-hard; `batch-hard` itself, `semi-hard`, `distance-weighted` and `multi-similarity`"
        " choose in uniform batches.",
        *([f"**{len(missing)} of {len(contest())} trainings are not done yet.**"] if missing else []),
        "",
        "## The bar: the recall of uniform + batch-hard's end, in half its steps",
        "",
        "| data | classes | uniform + batch-hard, all steps | the same, half | BoN, half the steps | verdict |",
        "|---|---|---|---|---|---|",
        *(bar(final[final["data"] == data], data) for data in SETS if data in set(final["data"])),
        "",
        "![Recall over steps](mining_accuracy_step.svg)",
        "",
        "![Recall over seconds](mining_accuracy_seconds.svg)",
        "",
        "## All methods at equal steps",
        "",
        "| data | method | Recall@1 | MAP@R | CPU s | of these mining |",
        "|---|---|---|---|---|---|",
        *equal_steps(final[final["steps"] == STEPS]),
        "",
        "## How the share of bucket mates grows: study on held-out training classes",
        "",
        f"{HELD_OUT:.0%} of the training classes held out, {STEPS // 2:,} steps, Recall@1.".replace("%", " %"),
        "",
        "| schedule | omniglot | glyphs |",
        "|---|---|---|",
        *studied(tuned),
    ]
    write_report("mining_accuracy", "Accuracy by mining", lines)


def bar(table: pd.DataFrame, data: str) -> str:
    """A row: held where the intervals lie apart."""

    def recall(method: str, steps: int) -> pd.Series:
        return table[(table["method"] == method) & (table["steps"] == steps)]["recall"]

    goal, half, bon = recall("batch-hard", STEPS), recall("batch-hard", STEPS // 2), recall("bon", STEPS // 2)
    verdict = "**missed**"
    if min(len(goal), len(bon)) < 2:
        verdict = "not done"
    elif interval(bon)[0] - interval(bon)[1] > sum(interval(goal)):
        verdict = "held"
    elif interval(bon)[0] > interval(goal)[0]:
        verdict = "reached, but the intervals overlap: **missed**"
    return f"| {data} | {table['classes'].max():,} | {shown(goal)} | {shown(half)} | {shown(bon)} | {verdict} |"


def equal_steps(table: pd.DataFrame) -> list[str]:
    """Rows, best method first within each data set."""
    rows = []
    for data in SETS:
        methods = table[table["data"] == data].groupby("method")
        for name, runs in sorted(methods, key=lambda item: -item[1]["recall"].mean()):
            share = runs["mining_seconds"].sum() / runs["seconds"].sum()
            cells = f"{shown(runs['recall'])} | {shown(runs['map@r'])} | {runs['seconds'].mean():.0f} | {share:.0%}"
            rows.append(f"| {data} | {name} | {cells} |".replace("%", " %"))
    return rows


def studied(table: pd.DataFrame) -> list[str]:
    rows = []
    told = {name: what for name, (what, _) in SCHEDULES.items()} | {"batch-hard": "uniform + batch-hard"}
    for (name, steps), runs in table.groupby(["method", "steps"]):
        extra = ", all the steps" if steps == STEPS else ""
        by_set = [shown(runs[runs["data"] == data]["recall"]) for data in ("omniglot", "glyphs")]
        rows.append((runs["recall"].mean(), f"| {told[name]}{extra} | {by_set[0]} | {by_set[1]} |"))
    return [row for _, row in sorted(rows, reverse=True)]


def plot(curves: pd.DataFrame, over: str, title: str) -> alt.Chart:
    """Mean recall over the seeds, a panel a data set; the curve is of the first test classes."""
    points = curves.groupby(["data", "method", "step"], as_index=False).agg(
        recall=("recall", "mean"), seconds=("seconds", "mean")
    )
    return (
        alt.Chart(points[points["method"].isin(EVERYWHERE)])
        .mark_line(strokeWidth=1.8, point=alt.OverlayMarkDef(size=14))
        .encode(
            alt.X(f"{over}:Q", title=title, axis=alt.Axis(tickCount=4, grid=False)),
            alt.Y("recall:Q", title="Recall@1", scale=alt.Scale(zero=False)),
            alt.Color(
                "method:N",
                title=None,
                scale=alt.Scale(domain=list(EVERYWHERE), range=["#999999", "#0072B2", "#009E73", "#D55E00"]),
            ),
            alt.Order("step:Q"),
        )
        .properties(width=210, height=170)
        .facet(facet=alt.Facet("data:N", title=None, sort=list(SETS)), columns=2)
        .resolve_scale(x="independent", y="independent")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "study", "report", "one"))
    parser.add_argument("--omniglot", type=Path, help="folder or file of Omniglot, if not in data/cache")
    parser.add_argument("--cars", type=Path, help=".npz of photographs, see benchmarks/photographs.py")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--methods", nargs="+", help="only these")
    parser.add_argument("--race", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sources = {name: path for name in ("omniglot", "cars") if (path := getattr(given, name))}
    options = [part for name, path in sources.items() for part in (f"--{name}", str(path))]
    if given.what == "one":
        result = run_race(Race(**json.loads(given.race)), sources, CACHE)
        keep(result, KEPT)
        print(
            f"{result['data']} {result['method']} {result['steps']} seed {result['seed']}:"
            f" {result['final']['recall@1']:.4f} in {result['seconds']:.0f} s",
            flush=True,
        )
    elif given.what == "report":
        report()
    else:
        races = study() if given.what == "study" else contest()
        wanted = given.methods or {race.method for race in races}
        run_all([race for race in races if race.data in given.sets and race.method in wanted], options, given.jobs)


if __name__ == "__main__":
    main()
