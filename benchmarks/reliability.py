"""What it stands: kills, hostile files, fuzzing, visitors in haste, long stays. The tests of robustness, at length.

    python -m benchmarks.reliability                  (hours; needs the test requirements and Chromium)
    python -m benchmarks.reliability kill table       (these parts; the others keep what they measured last)

Writes benchmarks/results/reliability.md, and beside it the figures that it is made of. Fails if a test fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, machine, write_report

ROOT = Path(__file__).resolve().parent.parent
KEPT = RESULTS / "reliability.json"
PARTS = {
    "kill": ["tests/robustness/test_kill.py"],
    "disk": ["tests/robustness/test_disk.py", "tests/robustness/test_determinism.py"],
    "table": ["tests/robustness/test_hostile.py", "tests/robustness/test_pictures.py"],
    "fuzz": ["tests/robustness/test_fuzz.py"],
    "app": ["tests/e2e/test_keeps_its_feet.py"],
}


def measured(part: str) -> dict:
    """Run one part: for each of its tests the cases, failures, seconds and what it recorded."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={file.name}", *PARTS[part]]
        began = time.perf_counter()
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, "BON_STRESS": "1"}).returncode
        seconds = time.perf_counter() - began
        cases = ElementTree.parse(file.name).getroot().iter("testcase")
        tests: dict[str, dict[str, Any]] = defaultdict(lambda: {"cases": 0, "failed": 0, "skipped": 0, "figures": []})
        for case in cases:
            test = tests[case.get("name", "").partition("[")[0]]
            test["cases"] += 1
            test["failed"] += case.find("failure") is not None or case.find("error") is not None
            test["skipped"] += case.find("skipped") is not None
            test["figures"] += [[found.get("name"), found.get("value")] for found in case.iter("property")]
    return {"code": code, "seconds": seconds, "machine": machine(), "tests": tests}


def row(name: str, test: dict) -> str:
    words = name.removeprefix("test_").replace("_", " ")
    ran = test["cases"] - test["skipped"]
    figures = defaultdict(list)
    for key, value in test["figures"]:
        figures[key].append(float(value))
    told = "; ".join(f"{key}: {_range(values)}" for key, values in figures.items())
    return f"| {words} | {ran} | {ran - test['failed']} | {told} |"


def _range(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:,.0f}"
    return f"{min(values):,.0f} to {max(values):,.0f}, together {sum(values):,.0f}"


def write(kept: dict) -> None:
    """The report of what every part measured last."""
    lines = ["`make stress` runs the tests of robustness at length; `make test` runs a few cases of each.", ""]
    for part in [part for part in PARTS if part in kept]:
        found = kept[part]
        lines += [f"## {part.capitalize()}", "", "| what | cases | passed | figures |", "|---|---|---|---|"]
        lines += [row(name, test) for name, test in found["tests"].items()]
        lines += ["", f"{found['seconds'] / 60:.0f} minutes on {found['machine']}", ""]
    write_report("reliability", "Reliability", lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], help="default: all")
    chosen = parser.parse_args().parts or list(PARTS)
    for part in chosen:
        found = measured(part)
        kept = (json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}) | {part: found}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    write(kept)
    return max(kept[part]["code"] for part in chosen)


if __name__ == "__main__":
    sys.exit(main())
