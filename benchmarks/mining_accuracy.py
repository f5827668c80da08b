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

from race import Race, keep
from race import run as run_race
from report import RESULTS

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
        raise SystemExit("not yet")
    else:
        races = study() if given.what == "study" else contest()
        wanted = given.methods or {race.method for race in races}
        run_all([race for race in races if race.data in given.sets and race.method in wanted], options, given.jobs)


if __name__ == "__main__":
    main()
