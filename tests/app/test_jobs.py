"""Background commands: they start detached, and tell why they ended."""

import sys
import time

import psutil
import pytest

from app import jobs
from bon_core.config import InputError


def finished(job: jobs.Job) -> jobs.Job:
    for _ in range(400):
        if not job.alive:
            return job
        time.sleep(0.02)
    raise AssertionError("the process did not end")


def test_a_refused_command_leaves_its_sentence(empty_runs):
    job = finished(jobs._spawn("odd", [sys.executable, "-c", "print('noise'); raise SystemExit('K is 0; give 1.')"]))
    assert job.last_words == "K is 0; give 1."
    assert jobs.waiting() == [job]
    jobs.forget(job)
    assert jobs.waiting() == []


def test_a_progress_bar_in_the_log_counts_as_its_last_state(empty_runs):
    job = finished(jobs._spawn("bar", [sys.executable, "-c", r"print('step 1\rstep 2\rstep 3\n')"]))
    assert job.last_words == "step 3"


def test_a_job_has_a_session_of_its_own_and_is_found_again_without_its_handle(empty_runs):
    job = jobs._spawn(
        "slow", [sys.executable, "-c", "import os, time; print(os.getsid(0) == os.getpid()); time.sleep(20)"]
    )
    handle = jobs._children.pop("slow")
    try:
        (again,) = jobs.waiting()
        assert again == job and again.alive
        assert jobs.is_taken("slow") and jobs.free_name("slow") == "slow-2"
    finally:
        handle.kill()
        handle.wait()
    assert not again.alive


def test_a_job_whose_run_is_there_is_no_longer_waiting(tiny_run):
    job = finished(jobs._spawn("tiny", [sys.executable, "-c", ""]))
    assert job not in jobs.waiting()
    assert jobs.free_name("tiny") == "tiny-2"


def test_a_name_that_is_a_path_is_refused(empty_runs):
    with pytest.raises(InputError, match="not possible"):
        jobs.start("../elsewhere", ["train"])


def test_a_process_that_ended_is_no_zombie(empty_runs):
    """Also when nobody asks how it ended."""
    number = jobs._spawn("brief", [sys.executable, "-c", ""]).process
    for _ in range(400):
        if not psutil.pid_exists(number):
            return
        time.sleep(0.02)
    raise AssertionError(f"the process is {psutil.Process(number).status()}")


def test_a_name_that_is_at_work_is_not_started_twice(empty_runs):
    job = jobs._spawn("slow", [sys.executable, "-c", "import time; time.sleep(20)"])
    with pytest.raises(InputError, match="slow is at work; wait for its end"):
        jobs.start("slow", ["train"])
    jobs._children["slow"].kill()
    assert finished(job) == job


def test_what_is_no_job_is_passed_over(empty_runs):
    finished(jobs._spawn("good", [sys.executable, "-c", ""]))
    for name, content in {"a": b"", "b": b"[]", "c": b'{"process": "x"}', "d": b"\xff"}.items():
        (empty_runs / jobs.LOGS / f"{name}.json").write_bytes(content)
    assert list(jobs.known()) == ["good"]
