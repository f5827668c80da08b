"""The explorer from a script or a notebook: `bon_core.explore(embeddings, labels)`; and from the terminal: `bon app`.

The app is a process of its own, which ends with the one that started it.
"""

import hashlib
import html
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import numpy as np

from bon_core.base import paths
from bon_core.base.extras import require
from bon_core.base.files import path_of, reason_of
from bon_core.base.intake import Intake, counted, listed, print_report
from bon_core.base.surroundings import check_room
from bon_core.config import InputError, check
from bon_core.datasets.embeddings import EmbeddingSet, check_vectors
from bon_core.datasets.folder import MAX_MEMORY, open_picture, prepare
from bon_core.datasets.image_set import TEST, ImageSet
from bon_core.datasets.labelled import split_codes
from bon_core.runs import store
from bon_core.runs.run import Run

HOST, PORT = "localhost", 8501
LARGEST_PICTURE = 96  # px a side that the views can use
TIMEOUT_S = 60  # seconds that the app may take to answer, on a busy machine
FRAME = 760  # px that a notebook gives the app
IN_NOTEBOOK = "BON_IN_NOTEBOOK"  # in the environment of an app that a notebook shows: other sites may frame it
WITH_PARENT = "BON_WITH_PARENT"  # in the environment of an app that ends with the process that started it
PICTURES_RULE = "(samples, height, width) grey or (samples, height, width, 3) colour, 4 with transparency"
SMALL_FLOATS = ("bfloat16", "float8")  # beginnings of types that NumPy itself does not know


@dataclass(frozen=True)
class Explorer:
    """An open explorer, showing one run."""

    run: str
    url: str
    _server: "_Server"

    def stop(self) -> None:
        """End the app. The run stays; `explore` with the same arrays opens it again at once."""
        self._server.stop()

    def wait(self) -> None:
        """Stay until the app ends, or Ctrl-C is pressed, which ends it."""
        try:
            self._server.process.wait()
        except KeyboardInterrupt:
            self.stop()

    def __repr__(self) -> str:
        return f"Explorer of run {self.run}: {self.url}"

    def _repr_html_(self) -> str:
        url = html.escape(self.url)
        return (
            f'<a href="{url}" target="_blank">Open the explorer in a tab of its own</a> (run {html.escape(self.run)})'
            f'<iframe src="{url}" width="100%" height="{FRAME}" style="border:0"></iframe>'
        )


def explore(
    embeddings: Any,
    labels: Any,
    images: Any = None,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    split: Any = None,
    fields: Mapping[str, Any] | None = None,
    browser: bool | None = None,
    wait: bool | None = None,
) -> Explorer:
    """Open the explorer on arrays.

    They are measured and mapped once, into a run of its own; the same arrays again open that run at once. What was
    taken is said in a line on standard error.

    Parameters
    ----------
    embeddings : (N, D) numbers, brought to unit length: NumPy, a torch tensor, or what NumPy can read
    labels : (N,) whole numbers or text
    images : (N, H, W) or (N, H, W, 3) uint8, (N, H, W, 4) with transparency, laid on white; or N paths of image
        files, PIL images or such arrays of any sizes; shown as their central square
    name : of the run; by default one made of the arrays' content
    class_names : P names, for labels 0 to P - 1
    split : (N,) of "train", "test", "validation" or 0, 1, 2; neighbours are searched within a part. Default: all test
    fields : further columns (N,) to colour by, by name; many different numbers become a ramp
    browser : open a browser; by default not from a notebook, which shows the app itself, and not without a display
    wait : stay until the app ends; by default from a script, not from a notebook or a prompt

    Returns
    -------
    Explorer, with .url, .run, .stop() and .wait(); it ends with this process

    Raises
    ------
    InputError
        If an array cannot be read or has another shape, type or number of rows than said above, a row has no direction,
        the name is that of a run of other arrays, or the app does not start.
    """
    require("app", "The explorer")
    check_room()
    found = _embedding_set(embeddings, labels, class_names, fields or {})
    count = len(found)
    parts = np.full(count, TEST, dtype=np.uint8) if split is None else _codes(split, count)
    pictures, note = (None, "") if images is None else _pictures(images, found)
    intake = found.report.noting(note)
    found = replace(found, intake=intake)
    digest = _digest(found, parts, pictures)
    run = _known_run(name or f"arrays-{digest[:8]}", digest)
    if run is None:
        run = _new_run(name or f"arrays-{digest[:8]}", found, parts, pictures, digest)
    print_report(intake)
    server = _running()
    opened = Explorer(run.name, f"{server.address}/map?run={quote(run.name)}", server)
    if browser or (browser is None and _has_display() and not _in_notebook()):
        webbrowser.open(opened.url)
    if wait or (wait is None and not _interactive()):
        print(f"{opened}\nCtrl-C ends it.", file=sys.stderr)
        opened.wait()
    return opened


def serve(*, host: str = HOST, port: int = PORT, browser: bool = True) -> None:
    """Run the app in the foreground until it is ended.

    Raises
    ------
    InputError
        If the port is none, or taken, or the app cannot be started.
    """
    check(1 <= port <= 65535, f"The port is {port}, but must be from 1 to 65535; choose another with --port.")
    try:
        with socket.socket() as listener:
            taken = listener.connect_ex(("127.0.0.1" if host == HOST else host, port)) == 0
    except (OSError, UnicodeError) as error:
        raise InputError(f"There is no address {host!r} here ({error}); choose another with --host.") from error
    check(not taken, f"Port {port} is taken by another program; choose another with --port.")
    require("app", "The explorer")
    process = subprocess.Popen(_command(host, port, headless=not browser), cwd=paths.HOME, env=_environment())
    try:
        process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C has reached it, too
    check(process.returncode in (0, -2, 130), f"The app ended with code {process.returncode}; its words are above.")


@dataclass
class _Server:
    """The app as a process, and the folder of runs that it shows."""

    process: subprocess.Popen
    address: str
    folder: Path

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


_server: _Server | None = None


def _running() -> _Server:
    """The app that this process has started, or a new one on a free port."""
    global _server
    folder = paths.runs_folder().resolve()
    if _server is not None and _server.process.poll() is None:
        if _server.folder == folder:
            return _server
        _server.stop()
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            _command(HOST, port, headless=True),
            cwd=paths.HOME,
            env=_environment() | ({IN_NOTEBOOK: "1"} if _in_notebook() else {}),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a notebook is for the cell
        )
        _server = _Server(process, f"http://{HOST}:{port}", folder)
        _wait_for_answer(_server, words)
    return _server


def _wait_for_answer(server: _Server, words: IO[bytes]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while server.process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    server.stop()
    words.seek(0)
    lines = words.read().decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    raise InputError(f"The app did not start ({last}); run python -m bon_core doctor.")


def _command(host: str, port: int, *, headless: bool) -> list[str]:
    options = {"address": host, "port": port, "headless": str(headless).lower()}
    if host != HOST:
        options["allowedHosts"] = "*"  # the address that others use is not known here
    return [
        *(sys.executable, "-m", "streamlit", "run", str(paths.HOME / "app" / "main.py")),
        *(f"--server.{key}={value}" for key, value in options.items()),
    ]


def _environment() -> dict[str, str]:
    return {**os.environ, "BON_RUNS": str(paths.runs_folder().resolve()), WITH_PARENT: "1"}


def _embedding_set(
    embeddings: Any, labels: Any, class_names: Sequence[str] | None, fields: Mapping[str, Any]
) -> EmbeddingSet:
    vectors = _array(embeddings, "embeddings")
    check_vectors(vectors)
    count = len(vectors)
    found = _column(labels, "labels", count)
    check(
        found.dtype.kind in "iuUb",
        f"The labels are {found.dtype}, but must be whole numbers or text; convert them first.",
    )
    columns = {str(key): _column(values, f"field {key}", count) for key, values in fields.items()}
    took = (
        f"{counted(count, 'vectors')} of {counted(len(np.unique(found)), 'classes')}, {vectors.shape[1]:,} dimensions"
    )
    return EmbeddingSet.of(
        vectors,
        found,
        class_names=None if class_names is None else [*map(str, class_names)],
        fields={name: column if column.dtype.kind in "iuf" else column.astype(str) for name, column in columns.items()},
        intake=Intake(took=took).noting(f"fields to colour by: {listed(columns)}" if columns else ""),
    )


def _codes(split: Any, count: int) -> np.ndarray:
    """(N,) uint8 from names or codes."""
    return split_codes(_column(split, "split", count), "The split")


def _column(values: Any, what: str, count: int) -> np.ndarray:
    """(N,) numbers or text."""
    column = _array(values, what)
    if column.dtype.kind == "O" and all(isinstance(value, str) for value in column.ravel()):
        column = column.astype(str)
    check(
        column.shape == (count,) and column.dtype.kind != "O",
        f"There are {count} embeddings, but the {what} are {column.dtype} of shape {column.shape}; give one number or"
        " text for each.",
    )
    return column


def _array(values: Any, what: str) -> np.ndarray:
    try:
        if hasattr(values, "detach"):  # a tensor of PyTorch, on whatever device
            values = values.detach().cpu()
            if str(values.dtype).removeprefix("torch.").startswith(SMALL_FLOATS):
                values = values.float()
        found = np.asarray(values)
        return found.astype(np.float32) if found.dtype.name.startswith(SMALL_FLOATS) else found
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"The {what} cannot be read as an array ({reason_of(error)}); pass a NumPy array.") from error


def _pictures(images: Any, embeddings: EmbeddingSet) -> tuple[ImageSet, str]:
    """Square pictures of at most LARGEST_PICTURE px with the ids of the embeddings, and a note on what was done to
    them. They are all of one part, as a part may share its classes here.
    """
    count = len(embeddings)
    given: Any = list(images) if isinstance(images, list | tuple) else _array(images, "images")
    many = len(given) if isinstance(given, list) or given.ndim else 1
    check(
        many == count,
        f"There are {count} embeddings but {many} images; give one image for each, in the same order.",
    )
    if all(map(_is_pil, given)) and len({(image.size, image.mode) for image in given}) == 1:
        given = np.stack([np.asarray(image) for image in given]) if given[0].mode in ("L", "RGB", "RGBA") else given
    pixels, note = _one_by_one(given) if _differ(given) else _square(_array(given, "images"))
    found = ImageSet(
        name="pictures",
        images=pixels,
        labels=embeddings.labels,
        class_names=embeddings.class_names,
        split=np.full(count, TEST, dtype=np.uint8),
        ids=embeddings.ids,
    )
    return found, note


def _is_path(image: Any) -> bool:
    return isinstance(image, str | os.PathLike)


def _is_pil(image: Any) -> bool:
    return hasattr(image, "getbands")


def _differ(given: Any) -> bool:
    """Whether these are files, PIL images or arrays of several shapes, rather than one array."""
    if isinstance(given, np.ndarray) and given.dtype.kind != "O":
        return given.dtype.kind == "U"
    return any(_is_path(one) or _is_pil(one) for one in given) or len({np.shape(one) for one in given}) > 1


def _one_by_one(given: Sequence[Any]) -> tuple[np.ndarray, str]:
    """Files, PIL images and arrays as (N, S, S, 3), or (N, S, S) if all are grey, and what was done to them."""
    check(
        len(given) * LARGEST_PICTURE**2 * 3 <= MAX_MEMORY,
        f"{len(given):,} images at {LARGEST_PICTURE} px are more than the {MAX_MEMORY / 2**30:g} GiB that are held at"
        " once; leave the images out, or explore a part.",
    )
    found = [_picture_of(one) if _is_path(one) else _shrunk(number, one) for number, one in enumerate(given)]
    note = f"images are shown as their central squares at {LARGEST_PICTURE} px"
    return np.stack(found), note


def _shrunk(number: int, image: Any) -> np.ndarray:
    """A PIL image or an array as (S, S, 3)."""
    from PIL import Image

    try:
        if not _is_pil(image):
            array = _array(image, f"image {number}")
            _check_pixels(array[None])
            image = Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
        return prepare(image, size=LARGEST_PICTURE, grey=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).rstrip(".") if isinstance(error, InputError) else reason_of(error)
        raise InputError(f"The image {number} cannot be shown ({reason}); replace it.") from error


def _picture_of(path: str | os.PathLike) -> np.ndarray:
    file = path_of(Path(path))
    check(file.is_file(), f"There is no image {file}; check the path.")
    try:
        with file.open("rb") as stream, open_picture(stream) as image:
            return prepare(image, size=LARGEST_PICTURE, grey=False)
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged files
        raise InputError(f"{file} cannot be read as an image ({reason_of(error)}); replace it.") from error


def _check_pixels(images: np.ndarray) -> None:
    """Raise InputError unless these are pixels (N, H, W[, 1, 3 or 4]) uint8."""
    shape, kind = images.shape, images.dtype
    first = len(shape) == 4 and shape[1] in (1, 3, 4) and shape[3] not in (1, 3, 4)
    remedy = "move the axes with numpy.moveaxis(images, 1, -1)" if first else "reshape them, or give PIL images"
    check(
        len(shape) in (3, 4) and shape[3:] in ((), (1,), (3,), (4,)) and 0 not in shape,
        f"The images have shape {shape}, but must be {PICTURES_RULE}; {remedy}.",
    )
    check(
        kind == np.uint8,
        f"The images are {kind}, but must be uint8 from 0 to 255; scale and convert them, for instance with"
        " (255 * images).astype(numpy.uint8).",
    )


def _square(images: np.ndarray) -> tuple[np.ndarray, str]:
    """(N, H, W[, 1, 3 or 4]) to (N, S, S[, 3]), S at most LARGEST_PICTURE; and what was done to them."""
    _check_pixels(images)
    images = images[..., 0] if images.shape[3:] == (1,) else images
    shape, size = images.shape, min(max(images.shape[1:3]), LARGEST_PICTURE)
    if shape[1] == shape[2] == size and shape[3:] != (4,):
        return images, ""
    from PIL import Image

    done = [f"images are shown as their central squares at {size} px"] if shape[1:3] != (size, size) else []
    done += ["transparent images are laid on white"] if shape[3:] == (4,) else []
    pixels = np.stack([prepare(Image.fromarray(image), size=size, grey=images.ndim == 3) for image in images])
    return pixels, " and ".join(done)


def _digest(embeddings: EmbeddingSet, split: np.ndarray, pictures: ImageSet | None) -> str:
    """Of all that the run will show."""
    found, columns = hashlib.sha256(), embeddings.fields
    arrays = [embeddings.vectors, embeddings.labels, np.array(embeddings.class_names), split]
    arrays += [] if pictures is None else [pictures.images]
    for array in (*arrays, np.array([*columns], dtype=str), *columns.values()):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data if array.size else b"")
    return found.hexdigest()


def _known_run(name: str, digest: str) -> Run | None:
    """The run of that name, if it was made of the same input; None if there is none."""
    run = Run(paths.runs_folder() / store.check_name(name))
    if not run.path.exists():
        return None
    made_of = run.snapshot().meta.get("digest") if run.snapshots() else None
    check(
        made_of == digest,
        f"There is already a run named {name}, of other data; choose another name, or leave it out.",
    )
    return run


def _new_run(
    name: str,
    embeddings: EmbeddingSet,
    split: np.ndarray,
    pictures: ImageSet | None,
    digest: str,
) -> Run:
    from tqdm import tqdm

    from bon_core.runs.from_embeddings import run_of_embeddings

    path = store.new_path(name)
    with tqdm(total=100, desc="Preparing the map", bar_format="{desc}{percentage:3.0f} %") as bar:

        def progress(share: float, text: str) -> None:
            bar.set_description(text.capitalize(), refresh=False)
            bar.update(round(100 * share) - bar.n)

        run_of_embeddings(
            path,
            embeddings,
            split,
            data="arrays",
            images=pictures,
            digest=digest,
            progress=progress,
        )
        progress(1.0, "ready")
    return Run(path)


def _has_display() -> bool:
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _interactive() -> bool:
    """At a prompt of Python or IPython, or in a notebook: what was opened lives on there."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
