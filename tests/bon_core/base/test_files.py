import errno
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bon_core.base import files
from bon_core.base.files import (
    check_text,
    leftovers,
    path_of,
    read_npz,
    scratch,
    sweep,
    whole_file,
    whole_folder,
    write_text,
)
from bon_core.config import InputError


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "folder"
    for content in ("first", "second"):
        with whole_folder(path) as temporary:
            (temporary / content).write_text(content)
            assert not (path / content).exists()
    assert [file.name for file in path.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_folder(tmp_path):
    path = tmp_path / "folder"
    with whole_folder(path) as temporary:
        (temporary / "kept").touch()
    with pytest.raises(RuntimeError), whole_folder(path) as temporary:
        (temporary / "half").touch()
        raise RuntimeError
    assert [file.name for file in path.iterdir()] == ["kept"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_must_be_new_does_not_replace_one_made_meanwhile(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(OSError), whole_folder(path, new=True) as temporary:
        (temporary / "second").touch()
        path.mkdir()
        (path / "first").touch()
    assert [file.name for file in path.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_was_deleted_is_not_brought_back(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "deleted" / "audit" / "part", "x")
    assert not list(tmp_path.iterdir())


def test_the_content_is_on_disk_before_the_name_is(tmp_path, monkeypatch):
    """A power cut after the rename must not find a name without its content."""
    order = []
    monkeypatch.setattr(files.os, "fsync", lambda handle: order.append(os.path.isdir(f"/dev/fd/{handle}")))
    write_text(tmp_path / "a.txt", "content")
    assert order == [False, True]  # the file before the rename, its folder afterwards


def test_what_a_kill_leaves_is_found_and_swept(tmp_path):
    (tmp_path / "snapshots").mkdir()
    writers = [whole_file(tmp_path / "check.point"), whole_folder(tmp_path / "snapshots" / "step-0000001")]
    for writer in writers:
        writer.__enter__()  # and never left
    kept = [tmp_path / "kept", tmp_path / ".hidden", tmp_path / "snapshots" / "step-0000002"]
    for path in kept:
        path.touch()
    assert len(leftovers(tmp_path)) == 2
    sweep(tmp_path)
    assert leftovers(tmp_path) == [] and all(path.exists() for path in kept)


@pytest.mark.parametrize("text", ["nul\0", "x" * 5000, "~nobody-of-that-name/x", "caf\udce9"])
def test_what_cannot_be_a_path_is_said(text):
    with pytest.raises(InputError, match="cannot be a path here"):
        path_of(text)


def test_a_path_need_not_exist(tmp_path):
    (tmp_path / "file").touch()
    assert path_of(str(tmp_path / "file" / "below")) == tmp_path / "file" / "below"
    assert path_of("~").is_absolute()


def test_pickled_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "bad.npz", images=np.array([{"run": "me"}], dtype=object))
    with pytest.raises(InputError, match="pickled Python objects"):
        read_npz(tmp_path / "bad.npz")


def test_npz_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_FILE", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", bytes(2 << 20))
    with pytest.raises(InputError, match="unpacks to"):
        read_npz(tmp_path / "bomb.npz")


def test_half_a_surrogate_pair_is_no_text(tmp_path):
    check_text(tmp_path, ["ж", "<b>", ""])
    with pytest.raises(InputError, match="no valid Unicode text"):
        check_text(tmp_path, ["a", "\ud800"])


def test_a_large_array_is_in_a_file_that_the_system_may_take_back(monkeypatch):
    monkeypatch.setattr(files, "IN_MEMORY", 1 << 20)
    before = own_memory()
    array = scratch((1 << 14, 1 << 10))  # 64 MiB
    array[:] = np.arange(1 << 14)[:, None]
    assert array.dtype == np.float32 and array.flags.writeable
    assert own_memory() - before < 16 << 20
    assert (array[:, 7] == np.arange(1 << 14)).all()


def test_where_no_file_can_be_had_an_array_is_in_memory(monkeypatch):
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    array = scratch((3, 5))
    array[:] = 1
    assert array.sum() == 15 and array.base is None


def own_memory() -> int:
    """Bytes that belong to this process alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
