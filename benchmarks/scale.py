"""What each stage takes, from ten thousand vectors to ten million: from a file to a trained head and its first map.

    python -m benchmarks.scale [--sizes N ...] [--folder DIR]

The program itself is run on drawn vectors of 128 values (see embeddings.py) and its own records are read: `python -m
bon_core train`, then the Map page of the app in headless Chromium. A size that was measured before stays in the report.
Needs 10 GB in DIR for ten million. Writes benchmarks/results/scale.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks import results_table
from benchmarks.browser import ROOT, chromium, server, visitor
from benchmarks.embeddings import draw
from benchmarks.report import RESULTS, machine, write_report
from bon_core.runs.run import Run

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
STEPS, BATCH = 1_000, 128
TABLE = RESULTS / "scale.parquet"
STAGES = {  # of the survey, as the run's log names them: words
    "embedding": "embed",
    "searching neighbours": "kNN",
    "measuring retrieval": "metrics",
    "placing clusters": "clusters",
    "drawing the map": "UMAP",
    "checking the map": "trust, snapshot",
}
COLUMNS = {
    "ingest": "ingest s",
    "step_ms": "train step ms",
    "mining_ms": "of it mining ms",
    "wait": "of it waiting for the file",
    **{stage: f"{words} s" for stage, words in STAGES.items()},
    "first map": "first map s",
    "memory": "own memory at most, GB",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    asked = options.parse_args()
    for size in asked.sizes:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            found = measured(Path(folder), size)
        results_table.add(TABLE, {str(size): found})
        print(size, found, flush=True)
    write_report("scale", "What each stage takes, by size", report())


def measured(folder: Path, size: int) -> dict[str, float]:
    """Draw a file, train a head on it, open its map."""
    file = draw(folder, size)
    environment = {"BON_RUNS": str(folder / "runs")}
    command = [sys.executable, "-m", "bon_core", "train", "--data", str(file), "--run", "head"]
    # An epoch is half of the file, for the other half of the classes is held out.
    settings = {
        "epochs": STEPS * BATCH / (size / 2),
        "evaluate-every": 1e6,
        "checkpoint-every": 1e6,
        "audit-every": 100,
    }
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    began = datetime.now(UTC)
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    memory = own_memory(process)
    if process.returncode:
        raise SystemExit(f"Training on {size:,} vectors ended with {process.returncode}.")
    run = Run(folder / "runs" / "head")
    steps = run.events("step")
    told = [(datetime.fromisoformat(line["time"]), line) for line in run.logged()]
    begun = next(at for at, line in told if line["what"] == "began")
    survey = [(at, line.get("stage")) for at, line in told if line["what"] in ("survey", "finished")]
    return {
        "ingest": (begun - began).total_seconds(),
        **{name: median(event[name] for event in steps[len(steps) // 10 :]) for name in ("step_ms", "mining_ms")},
        "wait": sum(event["input_wait"] for event in steps) / len(steps),
        **{stage: (then - at).total_seconds() for (at, stage), (then, _) in pairwise(survey) if stage in STAGES},
        "first map": first_map(environment),
        "memory": memory,
        "shown": len(run.snapshot().ids),
    }


def own_memory(process: subprocess.Popen) -> float:
    """The most memory in GB that was the process's own until it ended; pages of a mapped file are the system's."""
    most = 0
    while process.poll() is None:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        most = max([most, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])
        time.sleep(0.05)
    return most / 2**20


def first_map(environment: dict[str, str]) -> float:
    """Seconds from the address to a drawn map, of a fresh visitor to a fresh server."""
    with server("app/main.py", **environment) as address, chromium() as browser:
        page = visitor(browser)
        began = time.perf_counter()
        page.goto(f"{address}/map?run=head")
        page.locator(".map[data-drawn]").wait_for()
        return time.perf_counter() - began


def report() -> list[str]:
    """The table of all sizes that were measured."""
    found = {int(row["trial"]): row for row in results_table.load(TABLE).to_dict("records")}
    sizes = sorted(found)
    return [
        machine(),
        "",
        f"Written by `python -m benchmarks.scale`: drawn vectors of 128 values in a mapped .npy; {STEPS:,} steps of"
        f" {BATCH} on half of the classes with Bag of Negatives, a linear head; then the survey of all samples, or of a"
        " million drawn from more, and the Map page. Ingest is from the start of the program to its first step, Python"
        " and PyTorch included (about 4 s). Wall seconds, one run each; milliseconds are medians over the steps.",
        "",
        f"| | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"|---|{'---|' * len(sizes)}",
        *(
            f"| {words} | {' | '.join(cell(name, found[size][name]) for size in sizes)} |"
            for name, words in COLUMNS.items()
        ),
        f"| samples on the map | {' | '.join(format(found[size]['shown'], ',') for size in sizes)} |",
    ]


def cell(name: str, value: float) -> str:
    return f"{value:.1%}".replace("%", " %") if name == "wait" else f"{value:.2f}" if value < 10 else f"{value:.1f}"


if __name__ == "__main__":
    main()
