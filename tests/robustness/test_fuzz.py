"""Whatever bytes a file has, a reader returns a value or refuses in a sentence; no other error, and nothing is run.

`make stress` gives hypothesis a hundred times as many files, and atheris a while with each reader, where it is there.
"""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from tests.robustness import readers
from tests.robustness.conftest import STRESS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = int(os.environ.get("BON_FUZZ_FILES", "4000")) if STRESS else 40
SECONDS = int(os.environ.get("BON_FUZZ_SECONDS", "120"))  # of atheris for a reader

pieces = st.binary(max_size=12) | st.sampled_from(
    [
        b"\x00" * 8,
        b"\xff" * 8,
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"\x93NUMPY\x01\x00",
        b"PAR1",
        b"'|O'",
        b"(-1,)",
        b"{",
        b"[",
    ]
)


@st.composite
def mutated(draw, seeds: list[bytes]) -> bytes:
    """A good file with a few bytes changed, left out, put in, or moved."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["over", "in", "out", "bit", "cut", "twice"]))
        piece = draw(pieces)
        if kind == "over":
            content[at : at + len(piece)] = piece
        elif kind == "in":
            content[at:at] = piece
        elif kind == "out":
            del content[at : at + draw(st.integers(1, 60))]
        elif kind == "bit" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del content[at:]
        elif kind == "twice":
            content[at:at] = content[at : at + 40]
    return bytes(content)


@pytest.mark.parametrize("name", readers.READERS)
def test_a_changed_file_is_read_or_refused(name, tmp_path, monkeypatch, record_property):
    monkeypatch.chdir(tmp_path)
    reader = readers.READERS[name](tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader.read(reader.seeds[0])  # the good one is read

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=not STRESS, suppress_health_check=list(HealthCheck))
        @given(mutated(reader.seeds))
        def check(content: bytes) -> None:
            try:
                reader.read(content)
            except InputError as error:
                assert str(error).endswith((".", ")")) and "\n" not in str(error)

        check()
    record_property("files a reader", EXAMPLES)
    assert not (tmp_path / readers.EXECUTED).exists()


if STRESS:

    @pytest.mark.parametrize("name", readers.READERS)
    def test_atheris_finds_nothing(name, tmp_path, record_property):
        pytest.importorskip("atheris", reason="atheris is not installed; it has no wheel for every Python")
        options = [f"-max_total_time={SECONDS}", "-rss_limit_mb=8192", "-timeout=60"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.robustness.fuzzed", name, *options],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        record_property("files a reader", re.findall(r"Done (\d+) runs", done.stderr)[-1])
