import json
import os
import shutil

import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.runs.snapshot import ARRAYS, Snapshot, write


@pytest.fixture
def shot(tmp_path):
    rng = np.random.default_rng(0)
    count, dim, bits = 30, 6, 4
    vectors = rng.standard_normal((count, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    arrays = {name: rng.integers(0, 2, (count,) if rank == 1 else (count, 3)) for name, (_, rank) in ARRAYS.items()}
    arrays |= {
        "ids": rng.permutation(1000)[:count],
        "vectors": vectors,
        "xy": rng.standard_normal((count, 2)),
        "hash_mean": np.zeros(dim),
        "hash_projection": rng.standard_normal((dim, bits)),
        "centroids": rng.standard_normal((2, dim)),
        "masks": np.eye(2, dim),
    }
    fields = {"face": np.array(["Lora", "Inter", "Ünal"])[rng.integers(0, 3, count)]}
    meta = {
        "step": 7,
        "epoch": 1.0,
        "class_names": ["A", "Ä"],
        "learners": 2,
        "metrics": {},
        "origin": "trained",
        "data": "small",
    }
    made = write(tmp_path / "snapshots" / "step-0000007", arrays, fields, meta)
    return made, arrays, fields


def test_what_is_written_is_read(shot):
    made, arrays, fields = shot
    opened = Snapshot.open(made.path)
    assert len(opened) == 30 and opened.step == 7 and opened.bits == 4 and opened.class_names == ["A", "Ä"]
    for name, (kind, _) in ARRAYS.items():
        assert np.array_equal(getattr(opened, name), arrays[name].astype(kind)), name
        assert isinstance(getattr(opened, name), np.memmap) and not getattr(opened, name).flags.writeable
    codes, names = opened.fields["face"]
    assert np.array_equal(np.array(names)[codes], fields["face"])
    assert [path.name for path in made.path.parent.iterdir()] == ["step-0000007"]


def test_ids_lead_to_rows_and_unknown_ids_are_left_out(shot):
    made, arrays, _ = shot
    wanted = np.concatenate([arrays["ids"][[5, 3, 29]], [5000, -1]])
    assert made.positions(wanted).tolist() == [5, 3, 29]
    assert made.position_of[int(arrays["ids"][12])] == 12
    assert made.positions(np.zeros(0, np.int64)).tolist() == []


def test_the_embedding_is_of_unit_length_again(shot):
    assert np.allclose(np.linalg.norm(shot[0].embedding().vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_file_cut_short_is_a_sentence(shot, name):
    path = shot[0].path / f"{name}.npy"
    whole = path.read_bytes()
    for damage in (b"", whole[:20], whole[:-5]):
        path.write_bytes(damage)
        with pytest.raises(InputError, match=f"{name}.npy is missing or cut short"):
            Snapshot.open(shot[0].path)
    path.unlink()
    with pytest.raises(InputError, match=f"{name}.npy is missing or cut short"):
        Snapshot.open(shot[0].path)


def test_a_file_of_another_shape_is_a_sentence(shot):
    np.save(shot[0].path / "xy.npy", np.zeros((3, 2), np.float32))
    with pytest.raises(InputError, match=r"xy\.npy holds float32 of shape \(3, 2\)"):
        Snapshot.open(shot[0].path)


def test_newer_versions_and_other_folders_are_refused(shot, tmp_path):
    path = shot[0].path / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(InputError, match="version 99"):
        Snapshot.open(shot[0].path)
    path.write_text("{")
    with pytest.raises(InputError, match="not a snapshot"):
        Snapshot.open(shot[0].path)
    with pytest.raises(InputError, match="not a snapshot"):
        Snapshot.open(tmp_path)


@pytest.mark.parametrize(("make", "words"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder")])
@pytest.mark.parametrize("origin", ["trained", "embeddings"])
def test_what_is_no_file_is_called_what_it_is_and_the_remedy_names_the_run(shot, tmp_path, make, words, origin):
    path = tmp_path / "my-run" / "snapshots" / "step-0000007"
    shutil.copytree(shot[0].path, path)
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps({**meta, "origin": origin}))
    (path / "vectors.npy").unlink()
    make(path / "vectors.npy")
    with pytest.raises(InputError) as caught:
        Snapshot.open(path)
    assert f"vectors.npy is {words}" in str(caught.value) and "missing" not in str(caught.value)
    remedy = {
        "trained": "make the snapshot anew with: snapshot --run my-run.",
        "embeddings": "delete the run and bring its vectors again with: snapshot --run my-run --embeddings FILE.",
    }
    assert str(caught.value).endswith(f"; {remedy[origin]}")
