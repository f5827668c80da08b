import os
import stat
import zipfile
from pathlib import Path

import pytest

from bon_core.config import InputError
from bon_core.datasets.image_files import FORMATS, SUFFIXES, image_files


def names_in(path: Path) -> list[str]:
    with image_files(path) as listing:
        return [file.name for file in listing.files]


def passed_over(path: Path) -> dict[str, int]:
    with image_files(path) as listing:
        return listing.counts()


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
    with image_files(path) as listing:
        files = listing.files
        assert [file.open().read() for file in files] == [b"a/1.png", b"a/2.png"]
        assert [file.size for file in files] == [7, 7]


def test_links_in_a_folder_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "elsewhere" / "deeper").mkdir(parents=True)
    for name in ("1.png", "deeper/2.png"):
        (tmp_path / "elsewhere" / name).write_bytes(b"x")
    inside = tmp_path / "set" / "a"
    inside.mkdir(parents=True)
    (inside / "1.png").write_bytes(b"x")
    (inside / "out.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    (inside / "dead.png").symlink_to(inside / "none.png")
    (inside / "up").symlink_to(tmp_path)
    (inside / "root").symlink_to("/")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deeper" / "back").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deeper" / "round").symlink_to(tmp_path / "set")
    assert names_in(tmp_path / "set") == ["a/1.png", "a/out.png", "b/1.png", "b/deeper/2.png"]
    assert passed_over(tmp_path / "set") == {"links to nowhere": 1, "links back to a folder around them": 4}


def test_two_folders_that_link_to_each_other_end(tmp_path):
    for one, other in ("ab", "ba"):
        (tmp_path / one).mkdir()
        (tmp_path / one / "1.png").write_bytes(b"x")
        (tmp_path / one / "link").symlink_to(tmp_path / other)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to(tmp_path / "a")
    assert names_in(tmp_path / "set") == ["a/1.png", "a/link/1.png"]


def test_what_is_passed_over_is_counted_by_reason(tmp_path):
    names = ["a/1.png", "a/2.txt", "b/3.TXT", "b/4.heic", "b/none", "a/.5.png", "__MACOSX/a/1.png", ".DS_Store"]
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    expected = {"files of other kinds (.txt 2, .heic 1, none 1)": 4, "images under hidden names": 2}
    assert passed_over(make_zip(tmp_path / "set.zip", *names)) == expected
    os.mkfifo(tmp_path / "set" / "a" / "pipe.png")
    assert passed_over(tmp_path / "set") == expected | {"files of special kinds, such as pipes": 1}


def test_every_ending_of_a_safe_decoder_is_read():
    from PIL import Image

    Image.init()
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS}
    assert known - set(SUFFIXES) == {".pfm", ".avifs"}  # floating point, and sequences
    assert set(SUFFIXES) <= known


def test_names_in_a_zip_are_of_bounded_length(tmp_path):
    with pytest.raises(InputError, match=r"a name of 5,006 characters \('a/nnn.*…'\), .* 4,096 are read; rename"):
        names_in(make_zip(tmp_path / "long.zip", "a/1.png", f"a/{'n' * 5000}.png"))


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
    assert passed_over(tmp_path / "set.zip") == {"links in the zip": 1}


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
