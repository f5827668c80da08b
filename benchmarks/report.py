"""What every benchmark says of itself: machine, versions, date, commit. Results are Markdown in benchmarks/results."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("torch", "streamlit", "faiss-cpu", "umap-learn", "pytorch-metric-learning", "numpy")


def machine() -> str:
    """One sentence: processor, cores, Python, packages, date, commit."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, {packages};"
        f" {date.today().isoformat()}, commit {commit or 'unknown'}."
    )


def write_report(name: str, title: str, lines: Sequence[str]) -> Path:
    """Write benchmarks/results/NAME.md and say where."""
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join([f"# {title}", "", *lines, ""]), encoding="utf-8")
    print(path)
    return path
