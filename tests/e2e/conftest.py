"""The explorer in a real headless browser. Skips, with the reason, where no Chromium is found."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--disable-background-networking",
    "--disable-component-update",
]
BASE = "--server.baseUrlPath="
START_UP = 60  # seconds that the server may take on a busy machine


@dataclass(frozen=True)
class Server:
    """A running explorer: its address, its runs folder, its log and its process."""

    address: str
    runs: Path
    log: Path
    process: int


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The explorer on a free port of this machine, with a runs folder of its own."""
    with served(tmp_path_factory) as found:
        yield found


@contextmanager
def served(tmp_path_factory, *options: str):
    """An explorer started with further options."""
    runs = tmp_path_factory.mktemp("runs")
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app/main.py",
        "--server.headless=true",
        f"--server.port={port}",
        *options,
    ]
    log = tmp_path_factory.mktemp("log") / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "BON_RUNS": str(runs)}, stdout=output, stderr=subprocess.STDOUT
        )
    address = f"http://localhost:{port}"
    try:
        prefix = next((f"/{word.partition('=')[2]}" for word in options if word.startswith(BASE)), "")
        _wait_for(address, process, log, prefix)
        yield Server(address, runs, log, process.pid)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt install chromium); CHROMIUM may name one")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    """A fresh visitor."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def _wait_for(address: str, process: subprocess.Popen, log: Path, prefix: str = "") -> None:
    end = time.monotonic() + START_UP
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}{prefix}/_stcore/health", timeout=1)
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"the explorer did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
