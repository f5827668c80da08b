"""What the tests of robustness share. BON_STRESS in the environment makes them long: see `make stress`."""

import os
import shutil
import time

import pytest

from bon_core.runs.run import Run
from tests.robustness.child import NAME
from tests.robustness.trained import finish, state

STRESS = "BON_STRESS" in os.environ


@pytest.fixture(scope="session")
def whole(small_file, tmp_path_factory):
    """The state that the training ends in when nobody disturbs it, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("whole")
    finish(folder, small_file)  # the fork server loads its libraries
    shutil.rmtree(folder / NAME)
    began = time.monotonic()
    finish(folder, small_file)
    return state(Run(folder / NAME)), time.monotonic() - began
