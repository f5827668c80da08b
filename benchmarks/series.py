"""Many trials: run those that left no result yet, a few at a time, and read what is there."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from benchmarks import results_table
from benchmarks.trial import SOURCES, Trial, add_sources


def arguments(summary: str) -> argparse.Namespace:
    """run, study or report; where the data lies; which of the trials."""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("what", choices=("run", "study", "report"))
    add_sources(parser)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="only these data sets")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="only these methods")
    return parser.parse_args()


def run(trials: Sequence[Trial], table: Path, given: argparse.Namespace) -> None:
    """Run the trials that were asked for and have no row in `table`, each in a process of its own."""
    wanted = [
        trial
        for trial in trials
        if (not given.sets or trial.data in given.sets) and (not given.methods or trial.method in given.methods)
    ]
    done = results_table.names(table)
    missing = [trial for trial in wanted if trial.name not in done]
    print(f"{len(wanted)} trials, {len(missing)} to run", flush=True)
    where = [part for name in SOURCES if (path := getattr(given, name)) for part in (f"--{name}", str(path))]

    def one(trial: Trial) -> None:
        if trial.name in results_table.names(table):  # another runner was here
            return
        command = [sys.executable, "-m", "benchmarks.trial", json.dumps(asdict(trial)), str(table), *where]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        print(
            done.stdout.strip() if done.returncode == 0 else f"{trial.name} FAILED\n{done.stderr[-2000:]}", flush=True
        )

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(one, missing))


def finished(table: Path) -> pd.DataFrame:
    """One row a result in `table`, its last recall as `recall`."""
    results = results_table.load(table).to_dict("records")
    return pd.DataFrame([{**result, **result["final"], "recall": result["final"]["recall@1"]} for result in results])


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """One row a point of a curve: the mean over the seeds of recall and seconds."""
    points = [
        {"data": row.data, "method": row.method, **point, "recall": point["recall@1"]}
        for row in table.itertuples()
        for point in row.curve
    ]
    grouped = pd.DataFrame(points).groupby(["data", "method", "step"], as_index=False)
    return grouped.agg(recall=("recall", "mean"), seconds=("seconds", "mean"))
