import stat
import zipfile
from pathlib import Path

import pytest

from bon_core.config import InputError
from bon_core.datasets.image_files import image_files


def names_in(path: Path) -> list[str]:
    with image_files(path) as files:
        return [file.name for file in files]


def make_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name.encode())
    return path


def test_folder_and_zip_list_the_same_files_in_the_same_order(tmp_path):
    wanted = ["a/1.png", "a/2.JPG", "b/c/3.tif"]
    others = ["a/notes.txt", ".hidden/4.png", "b/.5.png", "__MACOSX/a/1.png"]
    for name in reversed(wanted + others):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    assert names_in(tmp_path / "set") == wanted
    assert names_in(make_zip(tmp_path / "set.zip", *reversed(wanted + others))) == wanted


def test_files_open_as_their_content(tmp_path):
    path = make_zip(tmp_path / "set.zip", "a/1.png", "a/2.png")
    with image_files(path) as files:
        assert [file.open().read() for file in files] == [b"a/1.png", b"a/2.png"]
        assert [file.size for file in files] == [7, 7]


def test_links_out_of_the_folder_are_passed_over(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "2.png").write_bytes(b"x")
    inside = tmp_path / "set" / "a"
    inside.mkdir(parents=True)
    (inside / "1.png").write_bytes(b"x")
    (inside / "out.png").symlink_to(tmp_path / "secret.png")
    (inside / "in.png").symlink_to(inside / "1.png")
    (inside / "dead.png").symlink_to(inside / "none.png")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere")
    assert names_in(tmp_path / "set") == ["a/1.png", "a/in.png"]


@pytest.mark.parametrize("name", ["../up.png", "a/../../up.png", "/etc/up.png", "a\\..\\up.png", "C:/up.png"])
def test_zip_that_names_files_outside_itself(tmp_path, name):
    with pytest.raises(InputError, match="outside itself"):
        names_in(make_zip(tmp_path / "bad.zip", "a/1.png", name))


def test_links_in_a_zip_are_passed_over(tmp_path):
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(make_zip(tmp_path / "set.zip", "a/1.png"), "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert names_in(tmp_path / "set.zip") == ["a/1.png"]


def test_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "set.zip", "a/1.png")
    content = bytearray(path.read_bytes())
    for signature, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag in the local and in the central header
        content[content.index(signature) + flag] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"encrypted \(first at 'a/1.png'\)"):
        names_in(path)


def test_no_zip(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match="not a whole zip"):
        names_in(tmp_path / "bad.zip")
    with pytest.raises(InputError, match="no folder or zip"):
        names_in(tmp_path / "none")
