"""How long a newcomer waits: command line help, server, first map, page changes.

    python benchmarks/start_up.py            (needs the test requirements and Chromium)

Writes benchmarks/results/start_up.md. Times are wall seconds of a fresh server and a fresh browser, median of the runs.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import machine, write_report

ROOT = Path(__file__).resolve().parent.parent
MAP = "canvas"
PAGES = ("Map", "Hash buckets", "Mined negatives", "K clusters", "Retrieval")
ROW = "| {name} | {median:.2f} | {least:.2f} | {most:.2f} | {bar} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=5)
    runs = options.parse_args().runs
    times: dict[str, list[float]] = {}
    for _ in range(runs):
        times.setdefault("`python -m bon_core --help`", []).append(_help())
        with _server() as (address, waited):
            times.setdefault("server up", []).append(waited)
            for name, seconds in _visit(address).items():
                times.setdefault(name, []).append(seconds)
    bars = {"`python -m bon_core --help`": "0.5", "first map after the server is up": "3"}
    lines = [
        "Bundled model, 15,145 points on the first map, headless Chromium with software rendering.",
        "",
        "| what | median s | least | most | bar |",
        "|---|---|---|---|---|",
        *(
            ROW.format(
                name=name,
                median=statistics.median(taken),
                least=min(taken),
                most=max(taken),
                bar=bars.get(name, "0.5" if name.startswith("to ") else ""),
            )
            for name, taken in times.items()
        ),
        "",
        f"{runs} runs. {machine()}",
    ]
    write_report("start_up", "Start-up and page changes", lines)


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bon_core", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


@contextmanager
def _server():
    """A fresh explorer: its address, and the seconds until it answers."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--server.port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.02)
        yield f"http://localhost:{port}", time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(20)


def _visit(address: str) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    taken = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        began = time.perf_counter()
        page.goto(address)
        page.locator(MAP).first.wait_for()
        taken["first map after the server is up"] = time.perf_counter() - began
        _settle(page)
        for again in ("first visit", "again"):
            for title in PAGES:
                began = time.perf_counter()
                page.get_by_role("link", name=title, exact=True).first.click()
                page.get_by_role("heading", name=title, exact=True).wait_for()
                _settle(page)
                taken[f"to {title}, {again}"] = time.perf_counter() - began
        browser.close()
    return taken


def _settle(page) -> None:
    """Wait until the script of the page has run to its end."""
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


if __name__ == "__main__":
    main()
