"""The command line as a user meets it: a whole training, what can be done with it, and what wrong input is answered."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bon_core.cli.main import main
from bon_core.mining.codes import codes_of
from bon_core.runs import store

ROOT = Path(__file__).parents[3]
SMALL = ["--dim", "12", "--classes", "6", "--images", "3", "--groups", "2", "--device", "cpu"]


def answered(capsys, *arguments: object) -> dict:
    """The JSON that a command prints."""
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def trained(small_file, tmp_path_factory):
    """A finished divided training in a folder of its own, and what the command printed."""
    folder = tmp_path_factory.mktemp("trained")
    command = ["train", "--data", small_file, "--run", "first", "--epochs", "4", "--learners", "3", *SMALL, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bon_core", *map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "BON_RUNS": str(folder), "OMP_NUM_THREADS": "1", "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    assert "step" in done.stderr  # the progress bar
    return folder, json.loads(done.stdout)


@pytest.fixture
def run(trained, monkeypatch):
    monkeypatch.setenv("BON_RUNS", str(trained[0]))
    return store.open_run("first")


def test_a_training_leaves_a_whole_run(run, trained, small_images):
    assert run.status().state == "finished"
    assert run.status().step == run.status().steps == 52
    assert {path.name for path in run.path.iterdir()} == {
        "config.json",
        "status.json",
        "events.jsonl",
        "log.jsonl",
        "lock",
        "checkpoint.safetensors",
        "model.safetensors",
        "card.md",
        "audit",
        "clusterings",
        "previews",
        "snapshots",
        "timeline.npz",
    }
    measured = trained[1]["metrics"]["test"]["recall@1"]
    assert run.events("evaluation")[-1]["recall@1"] == pytest.approx(measured, abs=1e-6)
    assert run.events("message")[0]["text"].startswith("python -m bon_core train --data")
    card = (run.path / "card.md").read_text()
    assert f"{trained[1]['metrics']['test']['recall@1']:.3f}" in card and "--learners 3" in card


def test_the_snapshot_agrees_with_itself(run, small_images):
    shot = run.snapshot()
    assert np.array_equal(shot.ids, small_images.ids) and np.array_equal(shot.labels, small_images.labels)
    vectors = np.asarray(shot.vectors, dtype=np.float64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
    own = codes_of(vectors.astype(np.float32), shot.hash_mean, shot.hash_projection)
    assert (own == shot.codes).mean() > 0.98  # float16 moves a few points across a hyperplane
    split = np.asarray(shot.split)
    assert (split[shot.neighbours] == split[:, None]).all()
    away = np.linalg.norm(vectors - vectors[shot.neighbours[:, 0]], axis=1)
    assert np.allclose(away, shot.neighbour_distances[:, 0].astype(float), atol=5e-3)
    labels = np.asarray(shot.labels)
    assert np.array_equal(shot.correct, labels[shot.neighbours[:, 0]] == labels)
    assert ((shot.hardness > 0) <= ~shot.correct).all()
    assert shot.correct[split == 1].mean() == pytest.approx(shot.metrics["test"]["recall@1"])
    assert (shot.stored_codes[split == 1] == -1).all()
    assert shot.fields["parity"][1] == ["even", "odd"]
    last = run.clusterings()[-1]
    assert np.array_equal(shot.clusters[split == 0], last["aligned"])
    report = shot.meta["division"]
    assert len(report["slice_recall"]) == 3 and np.shape(report["matrix"]) == (3, 3)
    assert report["whole"] == pytest.approx(shot.metrics["test"]["recall@1"])


def test_the_timeline_runs_from_the_untrained_network_to_the_snapshot(run):
    found, shot = run.timeline(), run.snapshot()
    evaluated = [event["step"] for event in run.events("evaluation")]
    assert found["steps"].tolist() == [0, *evaluated] == run.previews()
    rows = shot.positions(found["ids"])
    assert (np.asarray(shot.split)[rows] == 1).all() and np.array_equal(shot.labels[rows], found["labels"])
    assert np.array_equal(found["correct"][-1], shot.correct[rows])
    assert found["correct"][-1].mean() > found["correct"][0].mean()
    assert found["xy"].shape == (len(evaluated) + 1, len(rows), 2) and np.isfinite(found["xy"]).all()
    from_the_map, further = (np.linalg.norm(found["xy"][k] - shot.xy[rows], axis=1).mean() for k in (-1, 0))
    assert from_the_map < further


def test_evaluate_repeats_what_training_measured(run, trained, capsys):
    found = answered(capsys, "evaluate", "--run", "first", "--device", "cpu")
    for name in ("recall@1", "recall@8", "map@r", "r_precision"):
        assert found[name] == pytest.approx(trained[1]["metrics"]["test"][name], abs=1e-9)


@pytest.mark.slow
def test_embeddings_can_be_taken_out_and_brought_back(run, capsys, tmp_path, trained):
    for kind in ("npz", "parquet"):
        file = tmp_path / f"vectors.{kind}"
        assert answered(capsys, "embed", "--run", "first", "--out", file)["samples"] == 360
        found = answered(capsys, "snapshot", "--embeddings", file, "--run", f"from-{kind}")
        assert found["samples"] == 360
        assert found["metrics"]["test"]["recall@1"] == pytest.approx(
            trained[1]["metrics"]["test"]["recall@1"], abs=0.01
        )
        shot = store.open_run(f"from-{kind}").snapshot()
        assert shot.meta["origin"] == "embeddings" and shot.meta["hasher_origin"] == "fitted"


@pytest.mark.slow
def test_a_head_is_trained_on_vectors_and_used_on_others(vectors_file, runs_folder, capsys, tmp_path):
    shape = ["--dim", 12, "--classes", 6, "--images", 3, "--groups", 2, "--device", "cpu", "--learners", 2]
    done = answered(capsys, "train", "--data", vectors_file, "--run", "head", "--epochs", 20, "--lr", 0.003, *shape)
    frozen = done["without_the_network"]
    assert frozen["of"] == "frozen vectors" and frozen["queries"] == 180
    assert done["metrics"]["test"]["recall@1"] == pytest.approx(frozen["trained"], abs=1e-6)
    assert frozen["trained"] > frozen["recall@1"] + 0.1
    made = store.open_run("head")
    assert made.config.network.backbone == "linear" and "frozen vectors" in (made.path / "card.md").read_text()
    assert all("input_wait" in event for event in made.events("step"))

    vectors = np.load(vectors_file)
    np.savez(tmp_path / "others.npz", vectors=vectors[::-1], labels=np.arange(360) // 10)
    answered(capsys, "embed", "--run", "head", "--data", tmp_path / "others.npz", "--out", tmp_path / "e.npz")
    shot = made.snapshot()
    with np.load(tmp_path / "e.npz") as found:
        assert np.allclose(found["vectors"][::-1], np.asarray(shot.vectors, dtype=np.float32), atol=2e-3)
    own = answered(capsys, "evaluate", "--run", "head")
    assert own["recall@1"] == pytest.approx(frozen["trained"], abs=1e-6)


def test_mined_negatives_are_ranked_against_all(run, capsys, tmp_path):
    found = answered(capsys, "mine", "--run", "first", "--negatives", "3", "--out", tmp_path / "hard.parquet")
    pairs = pq.read_table(tmp_path / "hard.parquet").to_pydict()
    shot = run.snapshot()
    row_of = {int(identity): row for row, identity in enumerate(shot.ids)}
    vectors, labels = shot.embedding().vectors, np.asarray(shot.labels)
    train = np.flatnonzero(np.asarray(shot.split) == 0)
    assert len(pairs["anchor"]) > 0 and 0 < found["anchors_with_a_bucket_mate"] <= 1
    for index in range(0, len(pairs["anchor"]), 37):
        anchor, negative = row_of[pairs["anchor"][index]], row_of[pairs["negative"][index]]
        assert labels[anchor] != labels[negative]
        assert shot.codes[anchor] == shot.codes[negative]
        others = train[labels[train] != labels[anchor]]
        away = np.sqrt(np.maximum(2 - 2 * vectors[others] @ vectors[anchor], 0))
        own = np.sqrt(max(2 - 2 * vectors[negative] @ vectors[anchor], 0))
        assert pairs["distance"][index] == pytest.approx(own, abs=1e-4)
        assert abs(pairs["rank"][index] - (1 + (away < own - 1e-6).sum())) <= 1
        assert pairs["hardest_distance"][index] == pytest.approx(away.min(), abs=1e-4)
        assert away[others.tolist().index(row_of[pairs["hardest"][index]])] == pytest.approx(away.min(), abs=1e-4)
        kin = np.setdiff1d(train[labels[train] == labels[anchor]], [anchor])
        apart = np.linalg.norm(vectors[kin] - vectors[anchor], axis=1)
        assert pairs["positive_distance"][index] == pytest.approx(apart.min(), abs=1e-4)
        assert labels[row_of[pairs["positive"][index]]] == labels[anchor]
        mates = others[np.asarray(shot.codes)[others] == shot.codes[anchor]]
        within = np.sort(np.linalg.norm(vectors[mates] - vectors[anchor], axis=1))[:3]
        assert np.abs(within - own).min() < 1e-4  # one of the three nearest in the bucket
    assert found["median_rank_best_of_mined"] <= found["median_rank_mined"] and "of 230 negatives" in found["ranks"]
    assert found["copies_under_another_label"] == sum(pairs["copy"])


def test_what_mine_writes_is_explained_and_names_files_and_copies(runs_folder, capsys, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("ant", "bee", "cat", "dog"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 255, (16, 16), dtype=np.uint8)
            if number == 0:
                pixels = np.tile(np.arange(16, dtype=np.uint8) * 16, (16, 1))  # the same picture under each label
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    shape = ["--classes", 2, "--images", 2, "--groups", 1, "--dim", 8, "--learners", 1, "--bits", 1, "--device", "cpu"]
    answered(capsys, "train", "--data", tmp_path / "data", "--run", "files", "--epochs", 1, *shape)
    found = answered(capsys, "mine", "--run", "files", "--out", tmp_path / "hard.parquet")
    table = pq.read_table(tmp_path / "hard.parquet")
    assert all(name.endswith(".png") for name in table["anchor_file"].to_pylist() + table["hardest_file"].to_pylist())
    copies = [row for row in table.to_pylist() if row["copy"]]
    assert found["copies_under_another_label"] == len(copies) == 2
    assert all(row["anchor_file"].endswith("/0.png") and row["negative_file"].endswith("/0.png") for row in copies)
    assert all(row["hardest"] == row["negative"] and row["hardest_copy"] and row["rank"] == 1 for row in copies)
    with pytest.raises(SystemExit):
        main(["mine", "--help"])
    explained = capsys.readouterr().out
    assert all(name in explained for name in table.column_names)


def test_points_pairs_and_weights_are_exported(run, capsys, tmp_path):
    assert answered(capsys, "export", "--run", "first", "--out", tmp_path / "points.csv")["rows"] == 360
    head = (tmp_path / "points.csv").read_text().splitlines()[0]
    assert '"id","class","split","x","y"' in head and '"parity"' in head
    assert answered(capsys, "export", "--run", "first", "--what", "mined", "--out", tmp_path / "m.parquet")["rows"] > 0
    answered(capsys, "export", "--run", "first", "--what", "model", "--out", tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == (run.path / "model.safetensors").read_bytes()


WRONG = {
    "unknown data": ("train --run x --data nowhere", "nowhere"),
    "no epochs": ("train --run x --epochs 0", "0 epochs"),
    "name is a path": ("train --run ../x", "run name"),
    "too many learners": ("train --run x --learners 64", "1 (undivided) to 32"),
    "learners wider than the embedding": ("train --run x --learners 16 --dim 8", "cannot share 8 dimensions"),
    "shares above one": ("train --run x --warmup 0.9 --split 0.9", "add up to"),
    "batch larger than the data": ("train --run x --classes 400", "only 24 training classes"),
    "resume nothing": ("train --run x --resume", "no run named x"),
    "resume a finished run": ("train --run first --resume", "is finished"),
    "name taken": ("train --run first", "already a run named first"),
    "evaluate nothing": ("evaluate --run x", "no run named x"),
    "embed to another kind": ("embed --run first --out a.txt", "must end in"),
    "embed into no folder": ("embed --run first --out no/where/a.npz", "does not exist"),
    "no such embeddings": ("snapshot --run x --embeddings no.npz", "no.npz"),
    "no negatives": ("mine --run first --negatives 0", "give 1 to 100"),
    "no such split": ("mine --run first --split validation", "no validation samples"),
    "export to another kind": ("export --run first --out a.xls", "must end in"),
}


@pytest.mark.parametrize("line,sentence", WRONG.values(), ids=WRONG)
def test_wrong_input_is_answered_with_one_sentence(run, small_file, capsys, line, sentence):
    before = sorted(path.name for path in run.path.parent.iterdir())
    words = line.split()
    if words[0] == "train" and "--data" not in words and "--resume" not in words:
        words += ["--data", str(small_file)]
    assert main(words) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err and shown.err.count("\n") == 1 and "Traceback" not in shown.err
    assert shown.out == ""
    assert sorted(path.name for path in run.path.parent.iterdir()) == before


@pytest.mark.parametrize(
    "line,sentence",
    [
        ("train --run x --miner magic", "invalid choice: 'magic'"),
        ("train --run x --epochs many", "invalid float value: 'many'"),
        ("train", "required: --run"),
        ("train --run x --epoch 3", "Unrecognized arguments: --epoch"),
        ("fly", "invalid choice: 'fly'"),
    ],
)
def test_wrong_options_are_answered_with_one_sentence(line, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert sentence in shown and shown.count("\n") == 1 and shown.endswith("--help.\n")


@pytest.mark.parametrize("command", ["", "train", "evaluate", "embed", "snapshot", "mine", "export", "app"])
def test_help_is_there_for_every_command(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


def test_a_mistake_of_ours_is_a_sentence_unless_the_traceback_is_asked_for(monkeypatch, capsys):
    def break_down():
        raise KeyError("axis")

    monkeypatch.setattr("bon_core.cli.doctor.examine", break_down)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err.startswith(
        "This is a mistake of the program, not yours (KeyError: 'axis'); set BON_"
    )
    monkeypatch.setenv("BON_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["doctor"])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device", "hard.csv"), "hard.csv cannot be read or written (No space left on"),
        (MemoryError(), "There is not enough memory for this; take fewer samples"),
    ],
)
def test_a_full_disk_and_a_full_memory_are_sentences(error, sentence, monkeypatch, capsys):
    def break_down():
        raise error

    monkeypatch.setattr("bon_core.cli.doctor.examine", break_down)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize("port", ["99999", "-1", "0", "65536"])
def test_a_port_that_is_none_is_one_sentence(capsys, port):
    assert main(["app", "--port", port, "--no-browser"]) == 2
    assert capsys.readouterr().err == f"The port is {port}, but must be from 1 to 65535; choose another with --port.\n"


def test_a_host_that_is_none_is_one_sentence(capsys):
    assert main(["app", "--host", "no such host", "--no-browser"]) == 2
    assert "There is no address 'no such host' here" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed as POSIX has it")
@pytest.mark.parametrize("closed", [(2,), (1,), (0, 1, 2)])
def test_closed_streams_are_no_mistake_and_take_no_file(closed):
    code = (
        "import os, sys; from bon_core.cli.main import main; code = main(['app', '--port', '-1']);"
        " os._exit(code if os.open(os.devnull, os.O_RDONLY) > 2 else 9)"
    )
    found = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {" ".join(f"{number}>&-" for number in closed)}', sys.executable, code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stdout) == (2, "")


@pytest.mark.skipif(os.name != "posix", reason="pipes break as POSIX has it")
def test_a_reader_who_has_gone_is_no_mistake():
    reader, writer = os.pipe()
    os.close(reader)
    found = subprocess.run(
        [sys.executable, "-m", "bon_core", "train", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(writer)
    assert (found.returncode, found.stderr) == (0, "")


def run_in(environment: dict, *words: str, room: int | None = None) -> subprocess.CompletedProcess:
    """The program as a process of its own; `room` bounds its address space in bytes."""

    def bound() -> None:
        if room:
            resource.setrlimit(resource.RLIMIT_AS, (room, room))

    return subprocess.run(
        [sys.executable, "-m", "bon_core", *words],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        preexec_fn=bound,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", [{}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_name_beyond_ascii_is_read_in_the_c_locale(runs_folder, tmp_path, mode):
    file = tmp_path / "größe_日本.npz"
    np.savez(file, vectors=np.random.default_rng(0).standard_normal((60, 4)), labels=np.arange(60) % 6)
    done = run_in({"LC_ALL": "C", **mode}, "snapshot", "--embeddings", str(file), "--run", "mine")
    assert done.returncode == 0, done.stderr
    assert store.open_run("mine").snapshot().meta["data"] == file.name


def test_too_small_an_address_space_is_said_in_a_sentence(runs_folder):
    done = run_in({}, "snapshot", "--embeddings", "none.npz", "--run", "mine", room=500_000_000)
    assert done.returncode == 2, done.stderr
    assert done.stderr.decode().strip() == (
        "This process may use 0.5 GB of address space, but PyTorch alone needs 2 GB; raise the limit with ulimit -v"
        " unlimited."
    )


def test_what_was_taken_goes_to_standard_error_and_json_stays_clean(runs_folder, tmp_path, capsys):
    file = tmp_path / "e.npz"
    np.savez(
        file, clip=np.random.default_rng(0).standard_normal((60, 4)), labels=np.arange(60) % 6, odd=np.arange(60) % 2
    )
    assert main(["snapshot", "--embeddings", str(file), "--run", "mine", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["samples"] == 60
    assert "Took 60 vectors of 6 classes, 4 dimensions. Vectors from the array clip" in err and "colour by: odd" in err
    shot = store.open_run("mine").snapshot()
    assert "Vectors from the array clip" in shot.meta["intake"] and shot.fields["odd"][1] == ["0", "1"]


def test_a_remedy_about_classes_is_one_that_works(runs_folder, tmp_path, capsys):
    from PIL import Image

    rng = np.random.default_rng(0)
    for part in ("train", "valid"):
        for name in ("cat", "dog", "owl"):
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for number in range(6):
                pixels = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "set" / part / name / f"{number}.png")
    words = ["train", "--data", str(tmp_path / "set"), "--run", "mine", "--image-size", "16", "--learners", "1"]
    assert main(words) == 2
    remedy = capsys.readouterr().err
    assert "give --classes 2. Parts from the folders train, valid." in remedy and "have two images or more" in remedy
    assert main([*words, "--classes", "2", "--groups", "3"]) == 2
    assert capsys.readouterr().err == "3 groups do not fit a batch of 2 classes; give --groups 1 to 2.\n"
    assert main([*words, "--classes", "2", "--epochs", "0.1", "--device", "cpu"]) == 0
    assert store.open_run("mine").config.mining.groups == 2
    assert "Parts from the folders train, valid." in capsys.readouterr().err


def test_too_few_classes_say_what_the_reader_noted_and_name_only_what_was_given(runs_folder, tmp_path, capsys):
    from PIL import Image

    for number, name in enumerate(("cats/tabby", "cats/tom", "dogs/pug", "dogs/lab")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for shade in (1, 2):
            Image.new("RGB", (12, 12), (50 * number, 90 * shade, 9)).save(tmp_path / "set" / name / f"{shade}.png")
    (tmp_path / "set" / "dogs" / "lab" / "none.png").symlink_to("nowhere")
    words = ["train", "--data", str(tmp_path / "set"), "--run", "mine", "--image-size", "16"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("1 class for training with two images or more cannot fill a batch, which needs 2; add")
    assert "--class-level 2 takes the second (lab, pug, tabby, tom)" in said and "passed over: 1 link" in said.lower()
    assert "holdout" not in said and said.count("\n") == 1
    small = ["--classes", "2", "--epochs", "0.1", "--device", "cpu", "--learners", "1"]
    assert main([*words, "--class-level", "2", *small]) == 0
    assert main([*words[:3], "--run", "other", "--image-size", "16", "--class-level", "2", "--holdout", "0.5"]) == 2
    assert "or leave --holdout out." in capsys.readouterr().err


@pytest.fixture
def brought(runs_folder, tmp_path):
    """A run made of embeddings: 60 vectors of 6 classes without a split."""
    rows = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.savez(tmp_path / "e.npz", vectors=rows, labels=np.arange(60) % 6)
    assert main(["snapshot", "--embeddings", str(tmp_path / "e.npz"), "--run", "mine"]) == 0
    return store.open_run("mine")


def test_a_run_of_embeddings_is_evaluated_as_it_was_measured(brought, run, tmp_path, monkeypatch, capsys, runs_folder):
    of_trained = answered(capsys, "evaluate", "--run", "first")
    monkeypatch.setenv("BON_RUNS", str(brought.path.parent))
    found = answered(capsys, "evaluate", "--run", "mine")
    assert list(found) == list(of_trained)
    assert found["split"] == "test" and found["data"] == "e.npz" and found["search"] == "exact"
    assert found["recall@1"] == brought.snapshot().metrics["test"]["recall@1"] and found["queries"] == 60
    assert main(["evaluate", "--run", "mine", "--data", "glyphs"]) == 2
    assert "no network to embed glyphs with; leave --data out" in capsys.readouterr().err
    out = str(tmp_path / "m")
    for words in (["embed", "--out", f"{out}.npz"], ["export", "--what", "model", "--out", f"{out}.safetensors"]):
        assert main([*words, "--run", "mine"]) == 2
        assert "it was made of embeddings, so choose a run that was trained." in capsys.readouterr().err


def test_mine_names_the_splits_that_there_are(brought, capsys):
    assert main(["mine", "--run", "mine"]) == 2
    assert capsys.readouterr().err.endswith("Run mine has no train samples; give --split test.\n")
    assert main(["mine", "--run", "mine", "--split", "test"]) == 0
    assert "None" not in capsys.readouterr().out


def test_what_was_not_measured_is_said_in_words(runs_folder, tmp_path, monkeypatch, capsys):
    from bon_core.runs import build_snapshot

    monkeypatch.setattr(build_snapshot, "MAX_NEIGHBOURS", 4)
    rows = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.savez(tmp_path / "e.npz", vectors=rows, labels=np.arange(60) // 30)
    assert main(["snapshot", "--embeddings", str(tmp_path / "e.npz"), "--run", "mine"]) == 0
    said = capsys.readouterr().out
    assert "None" not in said and said.count("not measured: a class is larger") == 2
    assert answered(capsys, "evaluate", "--run", "mine")["map@r"] is None


def test_figures_of_one_class_are_said_to_mean_nothing(runs_folder, tmp_path, capsys):
    rows = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    np.savez(tmp_path / "e.npz", vectors=rows, labels=np.zeros(30, int))
    assert main(["snapshot", "--embeddings", str(tmp_path / "e.npz"), "--run", "mine"]) == 0
    said = capsys.readouterr()
    assert "Took 30 vectors of 1 class, " in said.err and "Recall says nothing" in said.out
    assert "Recall says nothing" in answered(capsys, "evaluate", "--run", "mine")["note"]
