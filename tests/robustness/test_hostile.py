"""Hostile and broken input, by table: each is refused in a sentence with value, rule and remedy, and leaves nothing."""

import ast
import io
import pickle
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from app import jobs, uploads
from bon_core.base.files import leftovers
from bon_core.cli.main import main
from bon_core.config import DataConfig, InputError, RunConfig
from bon_core.datasets import load_images, load_vectors
from bon_core.runs import store
from bon_core.runs.run import Run
from bon_core.runs.snapshot import Snapshot
from bon_core.runs.weights import load_network
from bon_core.training.checkpoint import load_tree, save_tree
from bon_core.training.run_trainer import RunTrainer
from tests.app.tiny import make_images, make_run
from tests.robustness import hostile
from tests.robustness.child import config
from tests.robustness.hostile import artefacts, pictures, settings, vectors

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("bon_core/**/*.py"), *ROOT.glob("app/**/*.py")])
PICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
SAFE = {
    "np.load": ("allow_pickle", "False"),
    "numpy.load": ("allow_pickle", "False"),
    "torch.load": ("weights_only", "True"),
}
REFUSALS = {
    "embeddings .npz": (vectors.EMBEDDINGS_NPZ, load_vectors),
    "embeddings .npy": (vectors.EMBEDDINGS_NPY, load_vectors),
    "embeddings .parquet": (vectors.EMBEDDINGS_PARQUET, load_vectors),
    "embeddings": (vectors.OTHER_EMBEDDINGS, load_vectors),
    "images": (pictures.IMAGES, lambda path: read_images(path)),
    "image set": (pictures.IMAGE_SETS, lambda path: read_images(path)),
    "config": (settings.CONFIGS, lambda path: Run(path.parent).config),
}
FILES = [
    pytest.param(make, read, said, id=f"{kind}: {name}")
    for kind, (cases, read) in REFUSALS.items()
    for name, make, said in cases
]


def read_images(path: Path):
    images = load_images(DataConfig(name=str(path), image_size=8))
    return images.part("train"), images.part("test")


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and path.stat().st_size < 10**6 else None
        for path in folder.rglob("*")
    }


def check_sentence(sentence: str, said: str) -> None:
    assert re.search(said, sentence), sentence
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 700, sentence
    assert re.search("[;,:] [a-z]", sentence), f"no remedy: {sentence}"
    assert "Traceback" not in sentence and "object at 0x" not in sentence, sentence


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Whatever a file makes happen, such as an evil pickle, happens here."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    assert not list((tmp_path / "here").iterdir()), "something in the file was executed"


@pytest.mark.parametrize(("make", "read", "said"), FILES)
def test_a_file_is_refused(make, read, said, tmp_path):
    folder = tmp_path / "brought"
    folder.mkdir()
    path = make(folder)
    before = contents(folder)
    with warnings.catch_warnings(), pytest.raises(InputError) as refusal:
        warnings.simplefilter("ignore")  # Pillow warns of large pictures before it refuses larger ones
        read(path)
    check_sentence(str(refusal.value), said)
    assert contents(folder) == before


@pytest.fixture(scope="module")
def half_trained(small_images, tmp_path_factory) -> tuple[Run, RunTrainer]:
    """A run with a checkpoint in its divided phase."""
    folder = tmp_path_factory.mktemp("half")
    run = store.create("half", config(folder / "small.npz"), folder=folder)
    trainer = RunTrainer(run.config, small_images.part("train"), run)
    sample = trainer.sampler.samplers.sample

    def watched(*arguments):
        if trainer.step == 12:
            run.request_stop()
        return sample(*arguments)

    trainer.sampler.samplers.sample = watched
    assert trainer.fit() == "stopped" and trainer.sampler.clustering is not None
    return run, trainer


@pytest.fixture
def copied(half_trained, small_images, tmp_path):
    """(run, trainer) of a copy that may be harmed."""
    shutil.copytree(half_trained[0].path, tmp_path / "copy")
    run = Run(tmp_path / "copy")
    return run, RunTrainer(run.config, small_images.part("train"), run)


@pytest.mark.parametrize(("content", "said"), [pytest.param(*case[1:], id=case[0]) for case in artefacts.CHECKPOINTS])
def test_a_checkpoint_is_refused(content, said, copied):
    run, trainer = copied
    (run.path / "checkpoint.safetensors").write_bytes(content)
    before = contents(run.path)
    with pytest.raises(InputError) as refusal:
        trainer.load()
    check_sentence(str(refusal.value), said)
    assert contents(run.path) == before


@pytest.mark.parametrize(("change", "said"), [pytest.param(*case[1:], id=case[0]) for case in artefacts.TREES])
def test_a_checkpoint_of_something_else_is_refused(change, said, copied):
    run, trainer = copied
    whole = load_tree(trainer.run.checkpoint)
    change(whole)
    save_tree(trainer.run.checkpoint, whole)
    before = contents(run.path)
    with pytest.raises(InputError) as refusal:
        trainer.load()
    check_sentence(str(refusal.value), said)
    assert contents(run.path) == before


WEIGHTS = [case for case in artefacts.CHECKPOINTS if "not a readable" in case[2] or "somebody else" in case[0]]


@pytest.mark.parametrize("content", [pytest.param(case[1], id=case[0]) for case in WEIGHTS])
def test_weights_are_refused(content, tmp_path):
    run = store.create("run", RunConfig(), folder=tmp_path)
    (run.path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError) as refusal:
        load_network(run, channels=1)
    check_sentence(str(refusal.value), "weights of run run do not fit its config")


@pytest.fixture(scope="module")
def good_snapshot(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    run = make_run(folder, make_images(folder), folder / "tiny.npz", steps=(20,))
    return run.snapshot_path(20)


@pytest.mark.parametrize(("harm", "said"), [pytest.param(*case[1:], id=case[0]) for case in artefacts.SNAPSHOTS])
def test_a_snapshot_is_refused(harm, said, good_snapshot, tmp_path):
    path = tmp_path / "step-0000020"
    shutil.copytree(good_snapshot, path)
    assert len(Snapshot.open(path)) == 96
    harm(path)
    with pytest.raises(InputError) as refusal:
        Snapshot.open(path)
    check_sentence(str(refusal.value), said)


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in artefacts.STATUSES])
def test_a_status_that_is_none_is_a_failed_run(content, tmp_path):
    run = store.create("run", RunConfig(), folder=tmp_path)
    (run.path / "status.json").write_bytes(content)
    status = run.status()
    assert status.state == "failed"
    check_sentence(status.message, "status.json (is no status|cannot be read)")


@pytest.mark.parametrize("name", artefacts.NAMES)
def test_a_name_never_becomes_a_path(name, runs_folder, tmp_path):
    runs_folder.mkdir()
    before = contents(tmp_path)
    for refuse in (store.new_path, store.open_run, lambda name: jobs.start(name, ["train"])):
        with pytest.raises(InputError) as refusal:
            refuse(name)
        check_sentence(str(refusal.value), "The run name .* is not possible")
    assert contents(tmp_path) == before


def test_folders_that_cannot_be_runs_are_not_listed(runs_folder):
    good = store.create("good", RunConfig())
    for name in ("<img src=x onerror=alert(1)>", "sp ace", "a..b", ".hidden", "x" * 65):
        shutil.copytree(good.path, runs_folder / name)
    (runs_folder / "empty").mkdir()
    assert [run.name for run in store.list_runs() if not run.bundled] == ["good"]


def test_a_folder_full_of_strange_files_is_still_a_run(runs_folder):
    run = store.create("run", RunConfig())
    for name in (
        "snapshots/step-x",
        "snapshots/step-0000001.old",
        "previews/step-.npz",
        "clusterings/step-²²²²²²².npz",
    ):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).mkdir()
    lines = [
        '{"kind": "step", "step": 3}',
        "[]",
        "7",
        '{"kind": "step"}',
        "{torn",
        "[" * 10_000,
        '{"kind": 3, "step": "x"}',
    ]
    (run.path / "events.jsonl").write_bytes("\n".join([*lines, ""]).encode() + b"\xff\xfe\n")
    assert (run.snapshots(), run.previews(), run.clusterings()) == ([], [], [])
    assert run.events() == [{"kind": "step", "step": 3}]


@pytest.mark.parametrize("kind", ["previews/step-0000010.npz", "clusterings/step-0000010.npz", "timeline.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps(hostile.Evil())], ids=["0 bytes", "torn", "evil"])
def test_what_a_run_recorded_is_read_as_data(kind, content, tmp_path):
    run = store.create("run", RunConfig(), folder=tmp_path)
    (run.path / kind).parent.mkdir(exist_ok=True)
    (run.path / kind).write_bytes(content)
    read = {"previews": lambda: run.preview(10), "clusterings": run.clusterings}.get(kind.split("/")[0], run.timeline)
    with pytest.raises(InputError) as refusal:
        read()
    check_sentence(str(refusal.value), "not a whole .npz")


@pytest.mark.parametrize(
    ("vectors", "labels"),
    [(1, [0]), (2, [0, 1]), (6, [0] * 6), (6, range(6))],
    ids=["one sample", "two samples", "one class", "singletons"],
)
def test_a_set_too_small_to_measure_makes_no_run_or_a_whole_one(vectors, labels, runs_folder, tmp_path, capsys):
    np.savez(tmp_path / "e.npz", vectors=np.eye(6)[:vectors] + 0.1, labels=np.array(labels))
    code = main(["snapshot", "--embeddings", str(tmp_path / "e.npz"), "--run", "small"])
    if code == 0:
        run = store.open_run("small")
        assert run.status().state == "finished" and len(run.snapshot()) == vectors
    else:
        assert code == 2
        check_sentence(capsys.readouterr().err.strip(), "")
        assert not list(runs_folder.iterdir())


def test_an_upload_that_is_refused_is_not_kept(runs_folder):
    folder = runs_folder / uploads.FOLDER
    for name, content in {"a.npz": b"PK", "b.zip": b"x", "../../c.parquet": b"PAR1"}.items():
        with pytest.raises(InputError):
            uploads.bring(name, io.BytesIO(content))
    assert not list(folder.rglob("*.*"))
    assert leftovers(folder) == []


def test_two_hundred_thousand_classes(tmp_path):
    count = 200_000
    labels = np.array([f"class {number}" for number in range(count)])
    np.savez(tmp_path / "e.npz", vectors=np.random.default_rng(0).standard_normal((count, 2)), labels=labels)
    embeddings, split = load_vectors(tmp_path / "e.npz")
    assert len(embeddings.class_names) == len(split) == count
    assert embeddings.class_names[embeddings.labels[777]] == "class 777"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_of_the_program_reads_a_pickle(path):
    """What the cases above try, for the readers that somebody may add."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            assert not {name.split(".")[0] for name in names} & PICKLERS, f"line {node.lineno}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in SAFE:
            word, value = SAFE[ast.unparse(node.func)]
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get(word) == value, f"line {node.lineno} needs {word}={value}"
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("eval", "exec", "os.system", "os.popen"), f"line {node.lineno}"
            assert "shell" not in {keyword.arg for keyword in node.keywords}, f"line {node.lineno}"


def test_the_table_is_long_enough():
    tables = [
        *(cases for cases, _ in REFUSALS.values()),
        artefacts.CHECKPOINTS,
        artefacts.TREES,
        WEIGHTS,
        artefacts.SNAPSHOTS,
    ]
    tables += [artefacts.STATUSES, artefacts.NAMES]
    for cases in tables:
        names = [case if isinstance(case, str) else case[0] for case in cases]
        assert len(set(names)) == len(names), "a case stands there twice"
    assert sum(map(len, tables)) >= 300
