"""Trainings and snapshots as processes of their own: they outlive the page, the browser and the explorer itself.

A job is the command line started in the background. Once its run directory is there, that directory tells how it
goes (bon_core/runs.py); until then, and if it dies before, its log does.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bon_core.base import paths
from bon_core.base.files import opened, read_json, write_text
from bon_core.config import InputError, check
from bon_core.runs import store
from bon_core.runs.run import LARGEST_SETTINGS

ROOT = Path(__file__).resolve().parent.parent
LOGS = ".logs"  # inside the runs folder; a leading dot hides it from the list of runs
LONGEST_TAIL = 4000
_children: dict[str, subprocess.Popen] = {}
_starting = threading.Lock()  # two visitors may press the same button at once


@dataclass(frozen=True)
class Job:
    """A started command: the run's name, its process with the start that the system gives it, when it was ordered."""

    name: str
    process: int
    process_started: float
    ordered: float
    command: tuple[str, ...]

    @property
    def log(self) -> Path:
        return _folder() / f"{self.name}.log"

    @property
    def verb(self) -> str:
        """What it was asked to do: train or snapshot."""
        return self.command[3] if len(self.command) > 3 else ""  # python -m bon_core VERB

    @property
    def ended_well(self) -> bool:
        """Whether its process has ended without a refusal, as far as this explorer has seen it."""
        child = _children.get(self.name)
        return child is not None and child.pid == self.process and child.poll() == 0

    def cancel(self) -> None:
        """End its process; a training goes on from its last checkpoint, if it has one."""
        if self.alive:
            with suppress(psutil.Error):
                psutil.Process(self.process).terminate()

    @property
    def alive(self) -> bool:
        child = _children.get(self.name)
        if child is not None and child.pid == self.process:
            return child.poll() is None
        try:
            process = psutil.Process(self.process)
            same = abs(process.create_time() - self.process_started) < 1
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError, OverflowError):
            return False

    @property
    def last_words(self) -> str:
        """The last line that the process wrote: after a refusal, the sentence that says why."""
        try:
            with opened(self.log) as file:
                file.seek(-min(LONGEST_TAIL, self.log.stat().st_size), os.SEEK_END)
                text = file.read(LONGEST_TAIL).decode("utf-8", "replace")
        except (OSError, InputError):
            return ""
        lines = [line.split("\r")[-1].strip() for line in text.splitlines()]
        return on_the_page(next((line for line in reversed(lines) if line), ""))


def on_the_page(sentence: str) -> str:
    """What a command says, with the button in place of its option."""
    return re.sub(r"continue( [\w ]+?)? with --resume", "press Resume", sentence)


def start(name: str, arguments: Sequence[str]) -> Job:
    """Run `python -m bon_core ARGUMENTS` in the background, for the run `name`.

    Raises
    ------
    InputError
        If the run's name is not possible, a command for it is at work, or nothing can be written beside the runs.
    """
    store.check_name(name)
    try:
        with _starting:
            check(name not in _children or _children[name].poll() is not None, f"{name} is at work; wait for its end.")
            return _spawn(name, (sys.executable, "-m", "bon_core", *arguments))
    except OSError as error:
        raise InputError(
            f"{name} cannot be started in {paths.runs_folder()} ({error.strerror or error}); make room, or give write"
            " access."
        ) from error


def known() -> dict[str, Job]:
    """The last job of each name."""
    read = map(_read, _folder().glob("*.json"))
    return {job.name: job for job in read if job is not None}


def waiting() -> list[Job]:
    """Jobs whose run directory is not there yet, newest first: starting, or ended before there was one.

    One that ended well had a run, which somebody has deleted since.
    """
    found = [
        job
        for job in known().values()
        if not (paths.runs_folder() / job.name / "config.json").exists() and not job.ended_well
    ]
    return sorted(found, key=lambda job: job.ordered, reverse=True)


def forget(job: Job) -> None:
    """Remove what is known of a job that has ended, with its log."""
    for suffix in (".json", ".log"):
        (_folder() / f"{job.name}{suffix}").unlink(missing_ok=True)


def rename(job: Job, name: str) -> None:
    """What is known of a job goes along with its run."""
    for ending in (".json", ".log"):
        with suppress(OSError):
            (_folder() / f"{job.name}{ending}").replace(_folder() / f"{name}{ending}")


def is_taken(name: str) -> bool:
    """Whether a run or a starting job has that name."""
    return any((folder / name).exists() for folder in (paths.runs_folder(), paths.MODELS)) or any(
        job.name == name and job.alive for job in waiting()
    )


def free_name(stem: str) -> str:
    """`stem`, or `stem-2` and so on, whichever no run has."""
    number, name = 2, stem
    while is_taken(name):
        name, number = f"{stem}-{number}", number + 1
    return name


def _spawn(name: str, command: Sequence[str]) -> Job:
    _folder().mkdir(parents=True, exist_ok=True)
    log, ordered = _folder() / f"{name}.log", time.time()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "BON_RUNS": str(paths.runs_folder().resolve()), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[name] = child
    threading.Thread(target=child.wait, name=f"end of {name}", daemon=True).start()  # one nobody waits for is a zombie
    try:
        started = psutil.Process(child.pid).create_time()
    except psutil.NoSuchProcess:
        started = time.time()
    job = Job(name, child.pid, started, ordered, tuple(command))
    caption = {"process": child.pid, "started": started, "ordered": ordered, "command": command}
    write_text(_folder() / f"{name}.json", json.dumps(caption))
    return job


def _read(path: Path) -> Job | None:
    """The job of a file; None if it was forgotten meanwhile, or is none."""
    try:
        known = read_json(path, most=LARGEST_SETTINGS)
        times = float(known["started"]), float(known["ordered"])
        return Job(path.stem, int(known["process"]), *times, tuple(known["command"]))
    except (ValueError, LookupError, TypeError, OverflowError):
        return None


def _folder() -> Path:
    return paths.runs_folder() / LOGS
