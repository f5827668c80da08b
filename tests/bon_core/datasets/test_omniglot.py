import hashlib
import http.server
import io
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bon_core.config import InputError
from bon_core.datasets import omniglot

SHARED = Path(__file__).parents[4] / "shared" / "data" / "omniglot"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data/omniglot is not there")


def drawing(seed: int) -> bytes:
    """A 105 px drawing of 1 bit, 0 = ink, as the official files have it."""
    paper = np.random.default_rng(seed).integers(0, 2, (105, 105)).astype(bool)
    file = io.BytesIO()
    Image.fromarray(paper).save(file, "PNG")
    return file.getvalue()


def small_zip(part: str, alphabet: str, characters: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for character in range(1, characters + 1):
            for drawer in (2, 1):
                name = f"{part}/{alphabet}/character{character:02d}/07{character:02d}_{drawer:02d}.png"
                archive.writestr(name, drawing(10 * character + drawer))
    return file.getvalue()


class Mirror:
    """A server on this machine that can break off an answer, and counts what was asked of it."""

    def __init__(self, files: dict[str, bytes]):
        self.files, self.ranges, self.break_after, self.knows_ranges = files, [], None, True
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                mirror.ranges.append(wanted)
                content = mirror.files.get(self.path.rsplit("/", 1)[-1])
                if content is None:
                    self.send_error(404)
                    return
                start = int(wanted[len("bytes=") : -1]) if wanted and mirror.knows_ranges else 0
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                stop = len(content) if mirror.break_after is None else start + mirror.break_after
                self.wfile.write(content[start:stop])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/python"
        self.sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mirror():
    made = Mirror(
        {
            "images_background.zip": small_zip("images_background", "Greek", 3),
            "images_evaluation.zip": small_zip("images_evaluation", "Angelic", 2),
        }
    )
    yield made
    made.server.shutdown()
    made.server.server_close()


def fetch(mirror: Mirror, root: Path, size: int | None = None):
    return omniglot.load(root, size, base_url=mirror.url, sha256=mirror.sha256)


def test_download_and_read(mirror, tmp_path):
    images = fetch(mirror, tmp_path / "root")
    assert len(images) == 10 and images.size == 28
    assert images.class_names[:3] == ("Angelic/character01", "Angelic/character02", "Greek/character01")
    assert {images.class_names[label] for label in images.part("test").labels} == set(images.class_names[:2])
    assert images.fields["alphabet"].tolist() == ["Greek"] * 6 + ["Angelic"] * 4
    assert images.fields["drawer"].tolist() == ["1", "2"] * 5
    paper = np.asarray(Image.open(io.BytesIO(drawing(11))))
    assert abs(images.images[0].mean() - 255 * (1 - paper.mean())) < 1  # ink is bright


def test_second_time_nothing_is_downloaded(mirror, tmp_path):
    first = fetch(mirror, tmp_path)
    asked = len(mirror.ranges)
    again, larger = fetch(mirror, tmp_path), fetch(mirror, tmp_path, 35)
    assert len(mirror.ranges) == asked == 2
    assert (again.images == first.images).all() and (again.labels == first.labels).all()
    assert larger.size == 35


def test_interrupted_download_goes_on_where_it_stopped(mirror, tmp_path):
    mirror.break_after = 400
    with pytest.raises(InputError, match=r"connection ended after 400 of .*; try again later to go on"):
        fetch(mirror, tmp_path)
    assert (tmp_path / "images_background.zip.part").stat().st_size == 400
    with pytest.raises(InputError, match="ended after 800"):
        fetch(mirror, tmp_path)
    mirror.break_after = None
    assert len(fetch(mirror, tmp_path)) == 10
    assert mirror.ranges == [None, "bytes=400-", "bytes=800-", None]
    assert not list(tmp_path.glob("*.part"))


def test_server_that_knows_no_ranges_sends_all_again(mirror, tmp_path):
    mirror.break_after = 400
    with pytest.raises(InputError):
        fetch(mirror, tmp_path)
    mirror.break_after, mirror.knows_ranges = None, False
    assert len(fetch(mirror, tmp_path)) == 10


def test_whole_part_file_needs_no_more(mirror, tmp_path):
    (tmp_path / "images_background.zip.part").write_bytes(mirror.files["images_background.zip"])
    assert len(fetch(mirror, tmp_path)) == 10


def test_corrupted_download_is_refused_and_deleted(mirror, tmp_path):
    mirror.files["images_evaluation.zip"] = mirror.files["images_evaluation.zip"][:-1] + b"?"
    with pytest.raises(InputError, match=r"images_evaluation.zip sent is not the official file"):
        fetch(mirror, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images_background.zip"]


def test_file_of_another_kind_is_refused_but_kept(mirror, tmp_path):
    (tmp_path / "images_background.zip").write_bytes(b"something of the user's")
    with pytest.raises(InputError, match=r"not the official file .* delete it"):
        fetch(mirror, tmp_path)
    assert (tmp_path / "images_background.zip").exists()
    assert mirror.ranges == []


def test_offline_and_missing_say_where_to_put_the_file(mirror, tmp_path):
    with pytest.raises(InputError, match=r"404.*put the file at .*none.zip"):
        omniglot.load(tmp_path, base_url=mirror.url, sha256={"none.zip": "0"})
    mirror.server.shutdown()
    mirror.server.server_close()
    with pytest.raises(InputError, match=r"cannot be downloaded .*put the file at .*images_background.zip"):
        fetch(mirror, tmp_path)


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "omniglot_28.npz").touch()
    with pytest.raises(InputError, match=r"omniglot_28.npz, is a file; give the folder"):
        omniglot.load(tmp_path / "omniglot_28.npz")


def test_damaged_zip(tmp_path):
    (tmp_path / "omniglot_png.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is damaged"):
        omniglot.load(tmp_path)


def test_packed_file_without_a_column(tmp_path):
    np.savez(tmp_path / "omniglot_28.npz", images=np.zeros((1, 28, 28), np.uint8))
    with pytest.raises(InputError, match="lacks the array label"):
        omniglot.load(tmp_path)


@needs_shared
def test_official_split_and_counts():
    images = omniglot.load(SHARED)
    assert len(images) == 32_460 and images.size == 28 and images.channels == 1
    train, test = images.part("train"), images.part("test")
    assert (len(np.unique(train.labels)), len(train)) == (964, 19_280)
    assert (len(np.unique(test.labels)), len(test)) == (659, 13_180)
    assert len(np.unique(images.fields["alphabet"])) == 50
    assert (np.bincount(images.labels) == 20).all()
    assert 0.05 < (images.images > 127).mean() < 0.2  # ink is bright and there is little of it


@needs_shared
def test_packed_and_official_drawings_are_the_same(tmp_path):
    """Some characters, read from PNGs in the official layout, equal those of the packed file."""
    wanted = ("Greek/character01/", "Angelic/character03/")
    with (
        zipfile.ZipFile(SHARED / "omniglot_png.zip") as whole,
        zipfile.ZipFile(tmp_path / "omniglot_png.zip", "w") as some,
    ):
        for name in whole.namelist():
            if any(character in name for character in wanted):
                some.writestr(name, whole.read(name))
    from_png, packed = omniglot.load(tmp_path), omniglot.load(SHARED)
    for name in from_png.class_names:
        ours = from_png.images[from_png.labels == from_png.class_names.index(name)]
        theirs = packed.images[packed.labels == packed.class_names.index(name)]
        assert ours.shape == (20, 28, 28) and (ours == theirs).all()
