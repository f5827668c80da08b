"""The doctor says what is there, and each thing that is wrong with its remedy."""

import hashlib
import json

import pytest

from bon_core.base import paths
from bon_core.cli import doctor
from bon_core.cli.main import main
from bon_core.config import RunConfig
from bon_core.runs import store
from bon_core.runs.run import Status

pytestmark = pytest.mark.usefixtures("runs_folder")


def troubles() -> list[str]:
    return doctor.report(doctor.examine())["troubles"]


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A project of one bundled file."""
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "a.npz"
    file.write_bytes(b"whole")
    sums = tmp_path / "models" / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(b'whole').hexdigest()}  models/a.npz\n")
    monkeypatch.setattr(paths, "HOME", tmp_path)
    monkeypatch.setattr(doctor, "SUMS", sums)
    return file


def test_a_sound_installation_has_no_troubles(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["troubles"] == []
    assert found["torch"] and found["device"].startswith(("cpu, ", "cuda, ")) and found["glyphs-bon-dc4"]
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("none\n")


def test_every_bundled_array_is_in_the_list_of_sums():
    """Bundled anew? Then: git ls-files models data/glyphs.npz | grep -E '[.](npz|npy|parquet|safetensors)$' |
    xargs sha256sum > models/SHA256SUMS
    """
    bundled = [paths.HOME / "data" / "glyphs.npz"]
    for kind in ("npz", "npy", "parquet", "safetensors"):
        bundled += [path for run in store.list_runs() if run.bundled for path in run.path.rglob(f"*.{kind}")]
    names = [path.relative_to(paths.HOME).as_posix() for path in bundled if path.name != "checkpoint.safetensors"]
    assert sorted(doctor.sums()) == sorted(names)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"whale")])
def test_a_damaged_artefact_is_named(bundle, damage):
    (found,) = [finding for finding in doctor._artefacts() if finding.about == "bundled files"]
    assert (found.found, found.trouble) == ("1 of 1 whole", "")
    damage(bundle)
    (found,) = [finding for finding in doctor._artefacts() if finding.about == "bundled files"]
    assert found.found == "0 of 1 whole" and "models/a.npz (and 0 more) is missing or damaged; restore" in found.trouble


def test_packages_that_are_missing_or_of_another_version(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("# pins\nnumpy==0.0.1\nno-such-package==1.0\n")
    monkeypatch.setattr(doctor, "REQUIREMENTS", tmp_path / "requirements.txt")
    numpy, missing = doctor._packages()
    assert "but the tests run with 0.0.1; run: pip install numpy==0.0.1." in numpy.trouble
    assert missing.found == "missing" and "pip install -r requirements.txt" in missing.trouble


def test_runs_that_broke_off_and_what_they_left(capsys):
    run = store.create("torn", RunConfig())
    status = run.status()
    run.write_status(Status(state="running", created=status.created, process=2**30))
    (run.path / ".checkpoint-abcd1234.safetensors").touch()
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert (
        "Run torn is interrupted: The training process ended without a word. Continue it with: train --run torn"
        " --resume." in said
    )
    assert ".checkpoint-abcd1234.safetensors (and 0 more) is left of a write that was killed; delete it." in said


def test_a_folder_without_room_or_rights(monkeypatch):
    monkeypatch.setattr(doctor, "LITTLE_ROOM", 1 << 60)
    assert any("make room" in trouble for trouble in troubles())
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert any("cannot be written to; give write access" in trouble for trouble in troubles())
