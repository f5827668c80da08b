"""The wheel holds all that the app needs and nothing of ours, and finds it from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PACKED = "bon_core/packed/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The wheel as pip lays it down."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, *command: str) -> str:
    """The output of Python with the wheel installed, in an empty home and another folder."""
    home = site.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("BON_RUNS", "PYTHONPATH")}
    more = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    environment = {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": os.pathsep.join([str(site), *more]),
    }
    done = subprocess.run([sys.executable, *command], env=environment, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_what_the_app_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    folders = ("app", "models/glyphs-bon-dc4")  # the baseline is for who has the checkout
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files = [path for path in files if path.name != "checkpoint.safetensors"]  # for resuming only, and not kept in git
    files += [ROOT / "data" / "glyphs.npz", ROOT / "models" / "SHA256SUMS", ROOT / ".streamlit" / "config.toml"]
    needed = {path.relative_to(ROOT).as_posix() for path in files if path.is_file() and path.suffix != ".pyc"}
    assert len(needed) > 100
    assert {PACKED + name for name in needed} <= names
    assert {"bon_core/cli/main.py", "bon_core/packed/app/main.py", "bon_core/packed/requirements.txt"} <= names


def test_it_holds_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"bon_core", "bon_explorer-0.1.0.dist-info"}
    unwanted = (
        "__pycache__",
        "models/runs",
        "data/cache",
        "checkpoint.safetensors",
        "glyphs-uniform",
        "tests/",
        "benchmarks/",
        ".pyc",
    )
    assert not [name for name in names if any(part in name for part in unwanted)]
    assert wheel.stat().st_size < 20_000_000


def test_installed_it_finds_its_own_and_writes_to_the_users_home(installed):
    code = """
from bon_core.base import paths
from bon_core.runs import store
from bon_core.config import DataConfig
from bon_core.datasets import load_images
(run,) = store.list_runs()
print(paths.INSTALLED, run.bundled, len(run.snapshot()), len(load_images(DataConfig())))
print(paths.runs_folder())
"""
    found = run(installed, "-c", code).split()
    assert found == ["True", "True", "30465", "30465", str(installed.parent / "home" / "bon-explorer" / "runs")]


def test_installed_its_app_is_whole(installed):
    """The first page, as a visitor gets it, out of the packed files."""
    code = f"""
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(installed / PACKED / "app" / "main.py")!r}, default_timeout=60).run()
import app as package
print(len(app.exception), package.__file__, "glyphs-bon-dc4" in app.selectbox(key="run").options)
"""
    assert run(installed, "-c", code).split() == ["0", str(installed / PACKED / "app" / "__init__.py"), "True"]


def test_installed_doctor_finds_the_bundled_files_whole(installed):
    found = run(installed, "-m", "bon_core", "doctor").split("bundled files")[1].splitlines()[0]
    whole, _, count, *_ = found.split()
    assert whole == count != "0"
