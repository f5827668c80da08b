"""Does mining hard batches train a better embedding, or the same one in fewer steps?

    python -m benchmarks.mining_accuracy run --omniglot PATH --cars FILE --jobs 2
    python -m benchmarks.mining_accuracy study --omniglot PATH --jobs 2     # schedules, on held-out training classes
    python -m benchmarks.mining_accuracy report

Every training is one process on one thread and adds a row to benchmarks/results/mining_accuracy.parquet; one that has a
row is not run again. `report` writes benchmarks/results/mining_accuracy.md and the plots from them.
"""

from itertools import product
from typing import Any

import altair as alt
import pandas as pd

from benchmarks import results_table
from benchmarks.report import RESULTS, machine, write_report
from benchmarks.series import arguments, curves, finished, run
from benchmarks.tables import interval, shown
from benchmarks.trial import HELD_OUT, Trial

TABLE = RESULTS / "mining_accuracy.parquet"
SETS = ("omniglot", "omniglot-rotations", "glyphs", "cars")
STEPS, SEEDS = 8_000, 3
BUDGETS = (STEPS, 2 * STEPS)  # all the steps of the baseline, while BoN has half of them
COMPOSED = {"groups": 1, "mate_ramp": 0.1}  # the study chose it; all miners have it
EVERYWHERE: dict[str, dict[str, Any]] = {
    "batch-hard": {"miner": "batch-hard"},
    "bon": {"miner": "bon", **COMPOSED},
    "xbm": {"miner": "xbm", "memory": 512},  # the study's choice, too
    "exact": {"miner": "exact", **COMPOSED},
}
ON_OMNIGLOT: dict[str, dict[str, Any]] = {
    "semi-hard": {"miner": "semi-hard"},
    "distance-weighted": {"miner": "distance-weighted"},
    "multi-similarity": {"miner": "multi-similarity"},
    "neighbours": {"miner": "neighbours", **COMPOSED},
    "lsh": {"miner": "lsh", **COMPOSED},
}
SCHEDULES: dict[str, tuple[str, dict[str, Any]]] = {  # name: (what it is, settings)
    "bon-at-once": ("all mates from the start", {"mate_ramp": 0.0}),
    "bon-ramp-0.1": ("even ramp over 0.1 of the steps", {"mate_ramp": 0.1}),
    "bon-ramp-0.3": ("even ramp over 0.3", {"mate_ramp": 0.3}),
    "bon-ramp-0.6": ("even ramp over 0.6", {"mate_ramp": 0.6}),
    "bon-active-0.4": ("controlled: 0.4 of the anchors active", {"mate_schedule": "active", "active_goal": 0.4}),
    "bon-active-0.6": ("controlled: 0.6 active", {"mate_schedule": "active", "active_goal": 0.6}),
    "bon-one-group": ("ramp over 0.1, one seed a batch", {"mate_ramp": 0.1, "groups": 1}),
}
MEMORIES: dict[str, tuple[str, dict[str, Any]]] = {
    "xbm-512": ("the 512 latest, batch-hard", {"memory": 512}),
    "xbm-2048": ("the 2,048 latest, batch-hard", {"memory": 2048}),
    "xbm-semi-hard": ("the 2,048 latest, semi-hard", {"memory": 2048, "in_batch": "semi-hard"}),
}


def grid() -> list[Trial]:
    """The comparison: full length for all, half of it for BoN, half and twice for the baseline; seeds outermost."""
    trials = []
    for seed in range(SEEDS):
        for data in SETS:
            methods = EVERYWHERE | (ON_OMNIGLOT if data == "omniglot" else {})
            trials += [
                Trial(data=data, method=name, mining=mining, steps=STEPS, seed=seed) for name, mining in methods.items()
            ]
            trials += [
                Trial(data=data, method=name, mining=EVERYWHERE[name], steps=STEPS // 2, seed=seed)
                for name in ("bon", "batch-hard")
            ]
            plain = EVERYWHERE["batch-hard"]
            trials.append(Trial(data=data, method="batch-hard", mining=plain, steps=2 * STEPS, seed=seed))
    return trials


def study() -> list[Trial]:
    """On held-out training classes, half length: schedules of the share of bucket mates, and memories of XBM.

    The baseline stands beside them at both lengths.
    """
    settings = {name: {"miner": "bon", **changes} for name, (_, changes) in SCHEDULES.items()}
    settings |= {name: {"miner": "xbm", **changes} for name, (_, changes) in MEMORIES.items()}
    trials = []
    for seed in range(2):
        for data in ("omniglot", "glyphs"):
            plain = EVERYWHERE["batch-hard"]
            for steps in (STEPS, STEPS // 2):
                trials.append(Trial(data=data, method="batch-hard", mining=plain, steps=steps, seed=seed, tuning=True))
            trials += [
                Trial(data=data, method=name, mining=mining, steps=STEPS // 2, seed=seed, tuning=True)
                for name, mining in settings.items()
            ]
    return trials


def report() -> None:
    """Tables and plots of what is there, and what is not."""
    table = finished(TABLE)
    final, tuned = table[~table["tuning"]], table[table["tuning"]]
    missing = {trial.name for trial in grid()} - results_table.names(TABLE)
    points = curves(final[final["steps"] == STEPS])
    for over, title in (("step", "steps"), ("seconds", "CPU seconds, one thread")):
        plot(points, over, title).save(RESULTS / f"mining_accuracy_{over}.svg")
    lines = [
        machine(),
        "",
        "Written by `python -m benchmarks.mining_accuracy report` from `mining_accuracy.parquet`, a row a"
        " training. conv4 on images of 20 px (cars: one linear layer, with dropout, on frozen EfficientNet-Lite0"
        " features of a research subset at 84 px, not comparable with published figures), D = 64, batches of"
        " 8 classes x 2 images, triplet loss with margin 0.2, AdamW with a cosine over the whole training,"
        f" {STEPS:,} steps, one thread a training. Test classes were never trained on. Mean and 95 % t-interval over"
        " the seeds. Unless said otherwise the in-batch miner is batch-hard; `batch-hard` itself, `semi-hard`,"
        " `distance-weighted` and `multi-similarity` choose in uniform batches.",
        *([f"**{len(missing)} of {len(grid())} trainings are not done yet.**"] if missing else []),
        "",
        "## The bar: the recall of uniform + batch-hard's end, in half its steps",
        "",
        "| data | classes | all steps | uniform + batch-hard, all steps | the same, half | BoN, half | verdict |",
        "|---|---|---|---|---|---|---|",
        *(
            bar(final[final["data"] == data], data, budget)
            for budget, data in product(BUDGETS, SETS)
            if data in set(final["data"])
        ),
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
        "## Settings: how the share of bucket mates grows, what XBM remembers",
        "",
        f"{HELD_OUT:.0%} of the training classes held out, {STEPS // 2:,} steps, Recall@1.".replace("%", " %"),
        "",
        "| settings | omniglot | glyphs |",
        "|---|---|---|",
        *studied(tuned),
    ]
    write_report("mining_accuracy", "Accuracy by mining", lines)


def bar(table: pd.DataFrame, data: str, steps: int) -> str:
    """A row: held where the intervals lie apart."""

    def recall(method: str, steps: int) -> pd.Series:
        return table[(table["method"] == method) & (table["steps"] == steps)]["recall"]

    goal, half, bon = recall("batch-hard", steps), recall("batch-hard", steps // 2), recall("bon", steps // 2)
    verdict = "**missed**"
    if min(len(goal), len(bon)) < 2:
        verdict = "not done"
    elif interval(bon)[0] - interval(bon)[1] > sum(interval(goal)):
        verdict = "held"
    elif interval(bon)[0] > interval(goal)[0]:
        verdict = "reached, but the intervals overlap: **missed**"
    recalls = " | ".join(map(shown, (goal, half, bon)))
    return f"| {data} | {table['classes'].max():,} | {steps:,} | {recalls} | {verdict} |"


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
    told = {name: f"BoN, {what}" for name, (what, _) in SCHEDULES.items()}
    told |= {name: f"XBM, {what}" for name, (what, _) in MEMORIES.items()} | {"batch-hard": "uniform + batch-hard"}
    for (name, steps), runs in table.groupby(["method", "steps"]):
        extra = ", all the steps" if steps == STEPS else ""
        by_set = [shown(runs[runs["data"] == data]["recall"]) for data in ("omniglot", "glyphs")]
        rows.append((runs["recall"].mean(), f"| {told[name]}{extra} | {by_set[0]} | {by_set[1]} |"))
    return [row for _, row in sorted(rows, reverse=True)]


def plot(points: pd.DataFrame, over: str, title: str) -> alt.Chart:
    """Mean recall over the seeds, a panel a data set; the curve is of the first test classes."""
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
    given = arguments(__doc__.splitlines()[0])
    if given.what == "report":
        report()
    else:
        run(study() if given.what == "study" else grid(), TABLE, given)


if __name__ == "__main__":
    main()
