"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawers each (Lake et al., Science 2015).

The official split is class-disjoint: background trains (964 characters), evaluation tests (659).
"""

import hashlib
import http
import http.client
import io
import os
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np

from bon_core.base.files import path_of, read_npz
from bon_core.base.paths import DOWNLOADS
from bon_core.config import InputError, check
from bon_core.datasets.image_set import TEST, TRAIN, ImageSet

ROOT = DOWNLOADS / "omniglot"
IMAGE_SIZE = 28  # pixels, unless asked otherwise; the drawings have 105
BASE_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
SHA256 = MappingProxyType(
    {
        "images_background.zip": "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        "images_evaluation.zip": "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
    }
)
CHUNK = 1 << 16  # bytes read at a time
TIMEOUT_S = 30  # seconds without an answer


def load(
    root: str | Path | None = None,
    image_size: int | None = None,
    *,
    base_url: str = BASE_URL,
    sha256: Mapping[str, str] = SHA256,
) -> ImageSet:
    """All drawings as grey images, ink = 255; fields "alphabet" and "drawer".

    Parameters
    ----------
    root : folder with the official zips, or with omniglot_28.npz and omniglot_png.zip (both zips in one); what is
        missing is downloaded into it. None: data/cache/omniglot
    image_size : pixels a side; IMAGE_SIZE if None
    base_url, sha256 : where the official zips are, and their checksums by file name

    Raises
    ------
    InputError
        If the zips are neither there nor can be downloaded, or a file is damaged.
    """
    root, size = path_of(root) if root else ROOT, image_size or IMAGE_SIZE
    check(not root.is_file(), f"The place of Omniglot, {root}, is a file; give the folder that it lies in.")
    packed, png, decoded = root / "omniglot_28.npz", root / "omniglot_png.zip", root / f"omniglot-{size}px.npz"
    if packed.is_file() and size == 28:
        return _from_packed(packed)
    if png.is_file():
        return _from_zips([png], size)
    if decoded.is_file():
        return ImageSet.load(decoded)
    zips = [download(f"{base_url}/{name}", root / name, digest) for name, digest in sha256.items()]
    images = _from_zips(zips, size)
    if os.access(root, os.W_OK):
        images.save(decoded)  # decoding takes five seconds, reading this a fraction of one
    return images


def is_here(root: str | Path | None = None, image_size: int | None = None) -> bool:
    """Whether `load` finds all that it needs in the folder, so that nothing is downloaded."""
    root, size = path_of(root) if root else ROOT, image_size or IMAGE_SIZE
    whole = [*(["omniglot_28.npz"] if size == 28 else []), "omniglot_png.zip", f"omniglot-{size}px.npz"]
    return any((root / name).is_file() for name in whole) or all((root / name).is_file() for name in SHA256)


def download(url: str, path: Path, sha256: str) -> Path:
    """Fetch `url` to `path` unless it is there, going on where an interrupted download stopped.

    Until it is whole and its checksum is right, the file is called `path` + ".part".

    Raises
    ------
    InputError
        If the server cannot be reached or refuses, or the checksum is wrong.
    """
    if path.is_file():
        check(
            _sha256(path) == sha256,
            f"{path} is not the official file (its sha256 differs); delete it to have it downloaded again.",
        )
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"{url} cannot be downloaded ({error}); try again later to go on where it stopped, or put the file"
            f" at {path}."
        ) from error
    if _sha256(part) != sha256:
        part.unlink()
        raise InputError(f"What {url} sent is not the official file (its sha256 differs) and was deleted; try again.")
    part.replace(path)
    return path


def _fetch(url: str, part: Path) -> None:
    """Append what `part` lacks of `url`, or start anew if the server cannot send a piece."""
    from tqdm import tqdm

    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the checksum tells whether all is well
        raise
    with response:
        resumes = response.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if resumes else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        bar = tqdm(desc=part.stem, total=total, initial=have, unit="B", unit_scale=True, leave=False, disable=None)
        with part.open("ab" if resumes else "wb") as file, bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise OSError(f"the connection ended after {part.stat().st_size:,} of {total:,} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_packed(path: Path) -> ImageSet:
    """omniglot_28.npz: all drawings at 28 px with their columns."""
    arrays = read_npz(path)
    columns = ("images", "label", "alphabet", "drawer", "is_evaluation", "char_names", "alphabet_names")
    missing = [key for key in columns if key not in arrays]
    check(not missing, f"{path} lacks the array {', '.join(missing)}; copy the file again.")
    return _image_set(
        arrays["images"],
        arrays["char_names"][arrays["label"]],
        arrays["alphabet_names"][arrays["alphabet"]],
        arrays["drawer"].astype(np.str_),
        arrays["is_evaluation"],
    )


def _from_zips(paths: list[Path], size: int) -> ImageSet:
    """Entries .../images_background|images_evaluation/ALPHABET/CHARACTER/NUMBER_DRAWER.png, 0 = ink."""
    from tqdm import tqdm

    rows = []  # (tested, alphabet, character, file stem, image)
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.namelist() if entry.endswith(".png")]
                for entry in tqdm(entries, desc="Reading drawings", unit="image", leave=False, disable=None):
                    part, alphabet, character, file = PurePosixPath(entry).parts[-4:]
                    image = _drawing(archive.read(entry), size)
                    rows.append((part == "images_evaluation", alphabet, character, PurePosixPath(file).stem, image))
        except (zipfile.BadZipFile, zlib.error, ValueError, OSError) as error:
            raise InputError(f"{path} is damaged ({error}); delete it to have it downloaded again.") from error
    check(bool(rows), f"There are no drawings in {', '.join(map(str, paths))}; delete it to have it downloaded again.")
    rows.sort(key=lambda row: row[:4])
    tested, alphabets, characters, stems, images = zip(*rows, strict=True)
    return _image_set(
        np.stack(images),
        np.array([f"{alphabet}/{character}" for alphabet, character in zip(alphabets, characters, strict=True)]),
        np.array(alphabets),
        np.array([str(int(stem.rsplit("_")[-1])) for stem in stems]),
        np.array(tested),
    )


def _drawing(file: bytes, size: int) -> np.ndarray:
    """A drawing as (size, size) uint8, ink = 255, each pixel the mean of those that it covers."""
    from PIL import Image

    with Image.open(io.BytesIO(file)) as image:
        ink = image.convert("L").point(lambda value: 255 - value)
    return np.asarray(ink.resize((size, size), Image.Resampling.BOX))


def _image_set(
    images: np.ndarray, characters: np.ndarray, alphabets: np.ndarray, drawers: np.ndarray, tested: np.ndarray
) -> ImageSet:
    class_names, labels = np.unique(characters, return_inverse=True)
    return ImageSet(
        name="omniglot",
        images=images,
        labels=labels,
        class_names=tuple(str(name) for name in class_names),
        split=np.where(tested, TEST, TRAIN).astype(np.uint8),
        ids=np.arange(len(images)),
        fields={"alphabet": alphabets, "drawer": drawers},
    )
