"""A training that is killed at any moment goes on where its checkpoint is, and ends where it would have ended, bit for
bit: weights, optimiser, BoN tables, clusters, and every record that was written on the way.
"""

import random
from pathlib import Path

import pytest

from bon_core.base.files import leftovers
from bon_core.runs.run import Run
from tests.robustness.child import NAME, Trouble, start
from tests.robustness.conftest import STRESS
from tests.robustness.trained import PATIENCE, check_resumed

MOMENTS = 50 if STRESS else 2  # by the clock
OPERATIONS = 50 if STRESS else 2  # by what is being done to the disk


def killed(folder: Path, data: Path, trouble: Trouble) -> None:
    child = start(folder, data, trouble)
    child.join(PATIENCE)
    assert child.exitcode == -9, (folder / "words").read_text()


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_by_the_clock(moment, small_file, tmp_path, whole):
    expected, seconds = whole
    draw = random.Random(moment)
    child = start(tmp_path, small_file)
    child.join((moment + draw.random()) / MOMENTS * seconds)
    child.kill()
    child.join(PATIENCE)
    check_resumed(tmp_path, small_file, expected)


@pytest.mark.parametrize("number", random.Random(0).sample(range(1, 160), OPERATIONS))
def test_killed_while_a_file_is_written_renamed_or_removed(number, small_file, tmp_path, whole):
    killed(tmp_path, small_file, Trouble(operation=number))
    check_resumed(tmp_path, small_file, whole[0])


@pytest.mark.parametrize("number", range(1, 10) if STRESS else (1, 5))
def test_killed_inside_a_checkpoint(number, small_file, tmp_path, whole):
    """The half that is on the disk is not taken for a checkpoint, nor is the one before it harmed."""
    killed(tmp_path, small_file, Trouble(half=number))
    run = Run(tmp_path / NAME)
    assert run.status().state == "interrupted" and len(leftovers(run.path)) == 1
    assert run.checkpoint.exists() == (number > 1)
    check_resumed(tmp_path, small_file, whole[0])


def test_killed_again_and_again(small_file, tmp_path, whole):
    """Also while it resumes."""
    for number in (90, 20, 9):
        killed(tmp_path, small_file, Trouble(operation=number))
    check_resumed(tmp_path, small_file, whole[0])
