"""How long a newcomer waits: command line help, server, first map. Page changes are in explorer.py.

    python -m benchmarks.start_up            (needs the test requirements and Chromium)

Writes benchmarks/results/start_up.md. Times are wall seconds of a fresh server and a fresh browser, median of the runs.
"""

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.browser import ROOT, chromium, server, visitor
from benchmarks.report import machine, write_report

HELP, MAP = "`python -m bon_core --help`", "first map after the server is up"
BARS = {HELP: "0.5", MAP: "3"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=5)
    runs = options.parse_args().runs
    times: dict[str, list[float]] = {HELP: [], "server up": [], MAP: []}
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bon_core", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        times[HELP].append(time.perf_counter() - began)
        began = time.perf_counter()
        with server("app/main.py") as address:
            times["server up"].append(time.perf_counter() - began)
            times[MAP].append(_first_map(address))
    lines = [
        "Bundled model, 15,145 points on the first map, headless Chromium with software rendering.",
        "",
        "| what | median s | least | most | bar |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {statistics.median(taken):.2f} | {min(taken):.2f} | {max(taken):.2f} | {BARS.get(name, '')} |"
            for name, taken in times.items()
        ),
        "",
        f"{runs} runs. {machine()}",
    ]
    write_report("start_up", "Start-up", lines)


def _first_map(address: str) -> float:
    with chromium() as browser:
        page = visitor(browser)
        began = time.perf_counter()
        page.goto(address)
        page.locator(".map[data-drawn]").wait_for()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
