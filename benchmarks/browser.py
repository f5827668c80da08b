"""A Streamlit server and a headless Chromium to measure with. Software rendering, no animations."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 60  # seconds that a page may take
SETTLED = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
STILL = "*{transition:none!important;animation:none!important} [data-testid=stStatusWidget]{display:none!important}"


@contextmanager
def server(script: str, **environment: str) -> Iterator[str]:
    """A Streamlit script on a free port: its address, once it answers."""
    with socket() as listener:
        listener.bind(("localhost", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", f"--server.port={port}"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.02)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
        )
        yield browser
        browser.close()


def visitor(browser):
    """A page of a browser that has been nowhere yet."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(1000 * LIMIT)
    page = context.new_page()
    page.add_init_script(
        f"addEventListener('DOMContentLoaded', () => {{ const s = document.createElement('style');"
        f" s.textContent = {STILL!r}; document.head.append(s); }})"
    )
    return page
