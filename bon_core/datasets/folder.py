"""Images from a folder or a zip: a sub-folder is a class, with optional train/, test/ and validation/ above them."""

import collections
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np

from bon_core.config import InputError, check
from bon_core.datasets.image_files import ImageFile, image_files
from bon_core.datasets.image_set import SPLIT_NAMES, TEST, TRAIN, VALIDATION, ImageSet
from bon_core.datasets.splits import class_disjoint
from bon_core.files import reason_of

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SIZE = 64  # pixels, unless asked otherwise
PART_FOLDERS = {"train": TRAIN, "test": TEST, "validation": VALIDATION, "val": VALIDATION}
TEST_SHARE, SPLIT_SEED = 0.5, 0  # of the classes, where the folder has no parts
MOST_IMAGES = 1_000_000
MOST_MEMORY = 8 << 30  # bytes of all images at their final size
MOST_FILES = 64 << 30  # bytes of all image files, unpacked
MOST_FILE = 512 << 20  # bytes of one image file, unpacked
MOST_PIXELS = 80_000_000  # of one image as stored; a small file can claim to hold a huge picture
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # whatever a file is called; for others Pillow may run
# another program, as Ghostscript for PostScript


def load(path: str | Path, image_size: int | None = None) -> ImageSet:
    """Read every image below `path`, cut to its central square and resized.

    Without train/ and test/, half the classes (by a fixed seed) are the test part. A single folder around everything is
    passed through. The set is grey if every image is. The field "file" keeps each image's path.

    Parameters
    ----------
    path : a folder, or a .zip of one
    image_size : pixels a side; IMAGE_SIZE if None

    Raises
    ------
    InputError
        If there are fewer than two classes or no class with two images, two parts share a class, a file cannot be read
        as an image, or a limit above is exceeded; also what `image_files` refuses.
    """
    path, size = Path(path), image_size or IMAGE_SIZE
    with image_files(path) as files:
        places = _places(path, [file.name for file in files])
        files = [file for file in files if file.name in places]
        _check_classes(path, places)
        _check_limits(path, files, size)
        images = _decode_all(files, size)
    class_names = sorted({class_name for _, class_name in places.values()})
    labels = np.searchsorted(class_names, [places[file.name][1] for file in files])
    parts = [places[file.name][0] for file in files]
    split = (
        class_disjoint(labels, test_share=TEST_SHARE, seed=SPLIT_SEED) if None in parts else np.array(parts, np.uint8)
    )
    return ImageSet(
        name=path.resolve().name.removesuffix(".zip"),
        images=images,
        labels=labels,
        class_names=tuple(class_names),
        split=split,
        ids=np.arange(len(files)),
        fields={"file": np.array([file.name for file in files])},
    )


def open_picture(stream: IO[bytes]) -> "Image.Image":
    """The picture in a file of one of FORMATS and of MOST_PIXELS or fewer; its pixels are not read yet.

    Raises
    ------
    InputError
        If it is too large. Pillow raises a dozen types more on damaged files, then and when the pixels are read.
    """
    from PIL import Image

    image = Image.open(stream, formats=FORMATS)
    pixels = image.width * image.height
    check(pixels <= MOST_PIXELS, f"it has {pixels:,} pixels, more than {MOST_PIXELS:,}")
    return image


def prepare(image: "Image.Image", *, size: int, grey: bool) -> np.ndarray:
    """One picture as a network sees it: upright, on white, its central square, (size, size[, 3]) uint8.

    Raises
    ------
    InputError
        If the picture is of floating point numbers, which have no agreed black and white.
    """
    from PIL import Image, ImageOps

    check(image.mode != "F", "it holds floating point numbers; save it with 8 or 16 bits")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits a pixel, whatever the mode is called
        image = Image.fromarray((np.clip(np.asarray(image, np.int64), 0, 65535) // 257).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if grey else "RGB")
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))


def _places(path: Path, names: list[str]) -> dict[str, tuple[int | None, str]]:
    """Part (None: not given) and class of each file that lies in a class folder."""
    parts = {name: PurePosixPath(name).parts for name in names}
    while len({p[0] for p in parts.values()}) == 1 and all(len(p) > 2 for p in parts.values()):
        parts = {name: p[1:] for name, p in parts.items()}  # a single folder around everything
    parts = {name: p for name, p in parts.items() if len(p) > 1}
    tops = {p[0].lower() for p in parts.values()}
    if len(tops) < 2 or not tops <= set(PART_FOLDERS):
        return {name: (None, p[0]) for name, p in parts.items()}
    check(
        {"train", "test"} <= tops,
        f"{path} has the parts {' and '.join(sorted(tops))}, but train and test are both needed; rename one, or put all"
        " class folders side by side to have them split.",
    )
    return {name: (PART_FOLDERS[p[0].lower()], p[1]) for name, p in parts.items() if len(p) > 2}


def _check_classes(path: Path, places: dict[str, tuple[int | None, str]]) -> None:
    counts = collections.Counter(class_name for _, class_name in places.values())
    check(
        len(counts) >= 2,
        f"{path} has images of {len(counts)} classes, but 2 or more are needed; put the images of each class into a"
        " sub-folder of its own.",
    )
    check(
        max(counts.values()) >= 2,
        f"No class in {path} has 2 images, so nothing can be retrieved; put all images of a class into one sub-folder.",
    )
    used = collections.defaultdict(set)
    for part, class_name in places.values():
        used[class_name].add(part)
    shared = sorted(class_name for class_name, its_parts in used.items() if len(its_parts) > 1)
    if shared:
        first, second = sorted(used[shared[0]])[:2]
        raise InputError(
            f"The class {shared[0]!r} (and {len(shared) - 1} more) is in both {SPLIT_NAMES[first]} and"
            f" {SPLIT_NAMES[second]} of {path}, but a class must be in one part only; put all class folders side by"
            " side, without parts, to have whole classes split."
        )


def _check_limits(path: Path, files: list[ImageFile], size: int) -> None:
    memory = len(files) * size * size * 3
    check(
        len(files) <= MOST_IMAGES and memory <= MOST_MEMORY,
        f"{path} holds {len(files):,} images, which at {size} px is more than the {MOST_IMAGES:,} images or"
        f" {MOST_MEMORY / 2**30:g} GiB that are read at once; use fewer images or a smaller image size.",
    )
    largest = max(files, key=lambda file: file.size)
    check(
        largest.size <= MOST_FILE,
        f"{largest.name} unpacks to {largest.size / 2**20:,.0f} MiB, but an image file may have"
        f" {MOST_FILE / 2**20:g} MiB; save it smaller.",
    )
    total = sum(file.size for file in files)
    check(
        total <= MOST_FILES,
        f"{path} unpacks to {total / 2**30:,.1f} GiB, but at most {MOST_FILES / 2**30:g} GiB are read; use fewer or"
        " smaller images.",
    )


def _decode_all(files: list[ImageFile], size: int) -> np.ndarray:
    """(N, size, size) uint8 if every image is grey, else (N, size, size, 3)."""
    from tqdm import tqdm

    images, unreadable, reason = [], [], ""
    for file in tqdm(files, desc="Reading images", unit="image", leave=False, disable=None):
        try:
            images.append(_decode(file, size))
        except Exception as error:  # Pillow's decoders raise a dozen types on damaged files
            unreadable.append(file.name)
            reason = reason or _reason(error)
    if unreadable:
        others = f" (and {len(unreadable) - 1} more: {', '.join(unreadable[1:4])}, ...)" if unreadable[1:] else ""
        raise InputError(f"{unreadable[0]}{others} cannot be read as an image: {reason}; remove or replace it.")
    if all(image.ndim == 2 for image in images):
        return np.stack(images)
    return np.stack([image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2) for image in images])


def _reason(error: Exception) -> str:
    """Why a file is no picture, in words that end without a full stop."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}, or torn at its start"
    return reason_of(error)


def _decode(file: ImageFile, size: int) -> np.ndarray:
    with file.open() as stream, open_picture(stream) as image:
        image.draft(None, (2 * size, 2 * size))  # a JPEG can be read at half or a quarter of its size, much faster
        grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
        return prepare(image, size=size, grey=grey)
