"""What is installed, which device will be used, whether the bundled artefacts are whole, and what is wrong.

Every check is a function that returns Findings; none of them changes anything but to try where it may write.
"""

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bon_core.base import paths
from bon_core.base.files import leftovers
from bon_core.config import InputError
from bon_core.maps import compiled
from bon_core.runs import store

REQUIREMENTS = paths.HOME / "requirements.txt"
SUMS = paths.HOME / "models" / "SHA256SUMS"  # of what is bundled, as `sha256sum --check` reads it
CHECKOUT_ONLY = "models/glyphs-uniform/"  # the baseline, which a wheel leaves out
PIN = re.compile(r"([A-Za-z0-9_.-]+)==([^\s;]+)")
LITTLE_ROOM = 2 << 30  # bytes; a snapshot of a large set takes one


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `trouble` is a sentence with the remedy, empty if all is well."""

    about: str
    found: str
    trouble: str = ""


def examine() -> list[Finding]:
    """Everything there is to say, in the order in which one would look for a fault."""
    return [*_python(), *_packages(), *_device(), *_artefacts(), *_compiled(), *_runs()]


def report(findings: list[Finding]) -> dict[str, Any]:
    """The findings for people and for --json: what was found by name, and the list of troubles."""
    return {
        **{finding.about: finding.found for finding in findings},
        "troubles": [finding.trouble for finding in findings if finding.trouble],
    }


def _python() -> Iterator[Finding]:
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Finding]:
    """Each pinned package: installed, and of the version that the tests run with."""
    for name, pinned in PIN.findall(REQUIREMENTS.read_text(encoding="utf-8")):
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield Finding(name, "missing", f"{name} is not installed; run: pip install -r requirements.txt.")
            continue
        same = installed.split("+")[0] == pinned
        yield Finding(
            name,
            installed,
            ""
            if same
            else f"{name} is {installed}, but the tests run with {pinned}; run: pip install {name}=={pinned}.",
        )


def _device() -> Iterator[Finding]:
    """What "auto" will take, tried out: a driver that is too old shows only when something is computed."""
    try:
        import torch
    except ImportError as error:
        yield Finding("device", "none", f"PyTorch cannot be loaded ({error}); run: pip install -r requirements.txt.")
        return
    threads = f"cpu, {torch.get_num_threads()} threads"
    if not torch.cuda.is_available():
        yield Finding("device", threads)
        return
    try:
        assert float(torch.ones(2, device="cuda").sum()) == 2
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        yield Finding("device", threads, f"A GPU is there but cannot compute ({reason}); update its driver.")
        return
    memory = torch.cuda.get_device_properties(0).total_memory
    yield Finding("device", f"cuda, {torch.cuda.get_device_name(0)} with {memory / 2**30:.0f} GiB")


def _artefacts() -> Iterator[Finding]:
    """Every bundled file by its checksum, and the bundled runs by opening them."""
    wrong = [name for name, digest in sums().items() if _digest(paths.HOME / name) != digest]
    yield Finding(
        "bundled files",
        f"{len(sums()) - len(wrong)} of {len(sums())} whole",
        f"{wrong[0]} (and {len(wrong) - 1} more) is missing or damaged; restore it, with git: git checkout {wrong[0]}."
        if wrong
        else "",
    )
    for run in (run for run in store.list_runs() if run.bundled):
        try:
            shot = run.snapshot()
            yield Finding(run.name, f"step {shot.step}, {len(shot):,} samples, {run.config.network.backbone}")
        except InputError as error:
            yield Finding(run.name, "unreadable", str(error))


def sums() -> dict[str, str]:
    """Path from the project's folder -> sha256, of every bundled file."""
    lines = SUMS.read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    if not paths.INSTALLED:
        return listed
    return {name: digest for name, digest in listed.items() if not name.startswith(CHECKOUT_ONLY)}


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _compiled() -> Iterator[Finding]:
    """Where the maps' compiled code is kept: without such a place none can be drawn, and a private one is slow."""
    named, folder = os.environ.get(compiled.VARIABLE), compiled.cache_folder()
    trouble = ""
    if named and folder != Path(named):
        trouble = (
            f"{named}, which {compiled.VARIABLE} names, cannot be written to; name another folder there, or name none."
        )
    elif folder is not None and folder.name.startswith(compiled.PRIVATE):
        trouble = (
            f"Neither the program's folder nor {paths.runs_folder()} can be written to, so each process compiles anew"
            f" for half a minute; name a folder of your own in {compiled.VARIABLE}."
        )
    yield Finding("compiled code", "beside its sources" if folder is None else str(folder), trouble)


def _runs() -> Iterator[Finding]:
    """The folder of runs: whether it takes new ones, what state they are in, what is left of broken writes."""
    folder = paths.runs_folder()
    home = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(home).free
    trouble = ""
    if not os.access(home, os.W_OK):
        trouble = f"{home} cannot be written to; give write access, or name another folder in BON_RUNS."
    elif free < LITTLE_ROOM:
        trouble = f"{home} has {free / 2**30:.1f} GiB free; make room, {LITTLE_ROOM >> 30} GiB are little."
    yield Finding("runs folder", f"{folder}, {free / 2**30:.0f} GiB free", trouble)
    own = [run for run in store.list_runs() if not run.bundled]
    states = {run.name: run.status() for run in own}
    broken = [name for name, status in states.items() if status.state in ("failed", "interrupted")]
    yield Finding(
        "runs",
        f"{len(own)}, of which {sum(status.active for status in states.values())} at work",
        " ".join(
            f"Run {name} is {states[name].state}: {states[name].message} Continue it with: train --run {name} --resume."
            if states[name].state == "interrupted"
            else f"Run {name} is {states[name].state}: {states[name].message}"
            for name in broken
        ),
    )
    busy = any(status.active for status in states.values())
    left = [] if busy else leftovers(folder)  # what a run at work is writing looks the same
    yield Finding(
        "leftovers",
        str(len(left)),
        f"{left[0]} (and {len(left) - 1} more) is left of a write that was killed; delete it." if left else "",
    )
