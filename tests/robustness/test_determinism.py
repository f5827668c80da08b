"""The same config and seed give the same run on the same machine, in every file that it writes."""

import numpy as np

from bon_core.runs.run import Run
from tests.robustness.child import NAME
from tests.robustness.conftest import STRESS
from tests.robustness.trained import finish, state


def test_a_training_done_twice_is_the_same_run(small_file, tmp_path, whole):
    finish(tmp_path, small_file)
    found = state(Run(tmp_path / NAME))
    assert found.keys() == whole[0].keys()
    assert [name for name in found if found[name] != whole[0][name]] == []


if STRESS:

    def test_the_map_and_all_that_is_measured_are_the_same_too(small_file, tmp_path):
        runs = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            finish(tmp_path / name, small_file, mapped=True)
            runs.append(Run(tmp_path / name / NAME))
        first, second = (run.path for run in runs)
        files = sorted(path.relative_to(first) for path in (first / "snapshots").rglob("*.npy"))
        assert len(files) > 15
        for file in files:
            assert (first / file).read_bytes() == (second / file).read_bytes(), file
        one, other = (run.timeline() for run in runs)
        assert all(np.array_equal(one[name], other[name]) for name in one)
        assert runs[0].snapshot().meta == runs[1].snapshot().meta
