"""Images from a folder or a zip: a sub-folder is a class, with optional train/, test/ and validation/ above them."""

import collections
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from bon_core.base.files import reason_of
from bon_core.base.intake import Intake, counted, listed
from bon_core.config import InputError, check
from bon_core.datasets.class_folders import ClassFolders, Place, class_folders, notes
from bon_core.datasets.image_files import FORMATS, OTHER, ImageFile, Listing, image_files
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.labelled import SPLIT_NAMES
from bon_core.datasets.picture_files import PictureFiles
from bon_core.datasets.splits import SPLIT_SEED, TEST_SHARE, class_disjoint

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SIZE = 64  # pixels, unless asked otherwise
MAX_IMAGES = 5_000_000
MAX_MEMORY = 2 << 30  # bytes of all images at their final size; of a folder with more, they stay on disk
MAX_FILES = 64 << 30  # bytes of all image files in a zip, unpacked
LOOKED_AT = 256  # images that stay on disk: how many of them say whether all are grey
MAX_FILE = 512 << 20  # bytes of one image file, unpacked
MAX_PIXELS = 80_000_000  # of one image as stored; a small file can claim to hold a huge picture
LOOSE = "images outside of class folders"


def load(path: str | Path, image_size: int | None = None, class_level: int | None = None) -> ImageSet:
    """Read every image below `path`, cut to its central square and resized.

    Without train/ and test/ (or val/, or as people call them), half the classes (by a fixed seed) are the test part; so
    they are where most classes are in several parts, as in a set made for classification. A single folder around
    everything is passed through. The set is grey if every image is. The field "file" keeps each image's path. Where all
    images take more than MAX_MEMORY, they stay on disk as PictureFiles, and a damaged one is noticed when its turn
    comes.

    Parameters
    ----------
    path : a folder, or a .zip of one
    image_size : pixels a side; IMAGE_SIZE if None
    class_level : which folder is the class, counted from 1 below the parts; None: the first

    Raises
    ------
    InputError
        If it is not clear what are parts and classes, there are fewer than two classes or no class with two images,
        two parts share a few classes, a file cannot be read as an image, or a limit above is exceeded; also what
        `image_files` refuses.
    """
    path = Path(path)
    with image_files(path) as listing:
        names = [file.name for file in listing.files]
        layout = class_folders(path, names, class_level)
        found = {name: layout.place(name) for name in names}
        places = {name: place for name, place in found.items() if place is not None}
        check(
            bool(places) or layout.level == 1,
            f"No image of {path} lies in {layout.level} folders; give a smaller --class-level.",
        )
        return assemble(
            path.resolve().name.removesuffix(".zip"),
            path,
            listing.files,
            places,
            image_size or IMAGE_SIZE,
            lasting=path.is_dir(),
            intake=_intake(listing, layout, places, asked=class_level is not None),
        )


def _intake(listing: Listing, layout: ClassFolders, places: Mapping[str, Place], *, asked: bool) -> Intake:
    """What the folders say, and what was passed over; counts come later."""
    classes = {class_name for _, class_name in places.values()}
    read = {place for _, place in filter(None, map(layout.place, listing.passed_over.get(OTHER, [])))}
    unread = sorted(read - classes)
    return Intake(
        took="",
        source=f"parts from the folders {listed(sorted(layout.parts))}" if layout.parts else "",
        passed_over={LOOSE: len(listing.files) - len(places)} | listing.counts(),
    ).noting(
        f"no image could be read of {counted(len(unread), 'folders')}: {listed(unread)}" if unread else "",
        *notes(layout, places, asked=asked),
    )


def assemble(
    name: str,
    source: str | Path,
    files: list[ImageFile],
    places: Mapping[str, Place],
    size: int,
    *,
    lasting: bool,
    intake: Intake,
) -> ImageSet:
    """The set of those `files` that have a place. `lasting` ones can be opened later and so may stay on disk; `intake`
    says what is known of the source and lacks the counts.

    Raises InputError as `load` does; `source` is what its sentences call it.
    """
    files = [file for file in files if file.name in places]
    pooled = _for_classification(places)
    _check_classes(source, places, pooled, intake)
    _check_limits(source, files, size, lasting)
    stay = len(files) * size * size * 3 > MAX_MEMORY
    class_names = sorted({class_name for _, class_name in places.values()})
    labels = np.searchsorted(class_names, [places[file.name][1] for file in files])
    parts = [places[file.name][0] for file in files]
    fields = {"file": np.array([file.name for file in files], dtype=np.dtypes.StringDType())}  # some are long
    if pooled:
        fields["part"] = np.array(["" if part is None else SPLIT_NAMES[part] for part in parts])
    if pooled or None in parts:
        split = class_disjoint(labels, test_share=TEST_SHARE, seed=SPLIT_SEED)
    else:
        split = np.array(parts, np.uint8)
    drawn = "half of the classes are kept for testing" if pooled or None in parts else ""
    why = ", as most classes are in several parts" if pooled else ""
    took = f"{counted(len(files), 'images')} of {counted(len(class_names), 'classes')}, {size} px"
    images: Any = _on_disk(files, size) if stay else _decode_all(files, size)  # what stays behaves as an array
    return ImageSet(
        name=name,
        images=images,
        labels=labels,
        class_names=tuple(class_names),
        split=split,
        ids=np.arange(len(files)),
        fields=fields,
        intake=replace(intake, took=took).noting(f"{drawn}{why}" if drawn else ""),
    )


def open_picture(stream: IO[bytes]) -> "Image.Image":
    """The picture in a file of one of FORMATS and of MAX_PIXELS or fewer; its pixels are not read yet.

    Raises
    ------
    InputError
        If it is too large. Pillow raises a dozen types more on damaged files, then and when the pixels are read.
    """
    from PIL import Image

    image = Image.open(stream, formats=tuple(FORMATS))
    pixels = image.width * image.height
    check(pixels <= MAX_PIXELS, f"it has {pixels:,} pixels, more than {MAX_PIXELS:,}")
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


def _for_classification(places: Mapping[str, Place]) -> bool:
    """Whether most classes are in several parts, which then do not say what is kept for testing here."""
    parts_of = collections.Counter(class_name for _, class_name in set(places.values()))
    return sum(count > 1 for count in parts_of.values()) > len(parts_of) / 2


def _check_classes(path: str | Path, places: Mapping[str, Place], pooled: bool, intake: Intake) -> None:
    counts = collections.Counter(class_name for _, class_name in places.values())
    passed = intake.passed()
    check(
        len(counts) >= 2,
        f"{path} has images of {counted(len(counts), 'classes')}{f' ({passed})' if passed else ''}, but 2 or more are"
        " needed; put the images of each class into a sub-folder of its own.",
    )
    check(
        max(counts.values()) >= 2,
        f"No class in {path} has 2 images, so nothing can be retrieved; put all images of a class into one sub-folder.",
    )
    used: collections.defaultdict[str, set] = collections.defaultdict(set)
    for part, class_name in places.values():
        used[class_name].add(part)
    shared = sorted(class_name for class_name, its_parts in used.items() if len(its_parts) > 1)
    if shared and not pooled:
        first, second = sorted(used[shared[0]])[:2]
        raise InputError(
            f"The class {shared[0]!r} (and {len(shared) - 1} more) is in both {SPLIT_NAMES[first]} and"
            f" {SPLIT_NAMES[second]} of {path}, but a class must be in one part only; put all class folders side by"
            " side, without parts, to have whole classes split."
        )


def _check_limits(path: str | Path, files: list[ImageFile], size: int, lasting: bool) -> None:
    memory = len(files) * size * size * 3
    check(
        len(files) <= MAX_IMAGES,
        f"{path} holds {len(files):,} images, but at most {MAX_IMAGES:,} are read; use fewer images.",
    )
    check(
        memory <= MAX_MEMORY or lasting,
        f"{path} holds {len(files):,} images, which at {size} px is more than the {MAX_MEMORY / 2**30:g} GiB that are"
        " read from a zip; unpack it and name the folder, whose images may stay on disk.",
    )
    largest = max(files, key=lambda file: file.size)
    check(
        largest.size <= MAX_FILE,
        f"{largest.name} unpacks to {largest.size / 2**20:,.0f} MiB, but an image file may have"
        f" {MAX_FILE / 2**20:g} MiB; save it smaller.",
    )
    total = sum(file.size for file in files)
    check(
        total <= MAX_FILES or lasting,
        f"{path} unpacks to {total / 2**30:,.1f} GiB, but at most {MAX_FILES / 2**30:g} GiB are read; use fewer or"
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


def _on_disk(files: list[ImageFile], size: int) -> PictureFiles:
    """The images, decoded when they are asked for; grey if those are that were looked at."""
    some = files[:: -(-len(files) // LOOKED_AT)]
    grey = all(_is_grey(file) for file in some)
    return PictureFiles(files, (size, size) if grey else (size, size, 3), partial(_decode_one, size=size, grey=grey))


def _is_grey(file: ImageFile) -> bool:
    try:
        with file.open() as stream, open_picture(stream) as image:
            return _has_no_colour(image)
    except Exception:  # it is noticed when its turn comes
        return True


def _decode_one(file: ImageFile, *, size: int, grey: bool) -> np.ndarray:
    """One image that stays on disk. Raises InputError if it cannot be read."""
    try:
        return _decode(file, size, grey)
    except Exception as error:  # as above
        raise InputError(f"{file.name} cannot be read as an image: {_reason(error)}; replace it.") from error


def _reason(error: Exception) -> str:
    """Why a file is no picture, in words that end without a full stop."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}, or torn at its start"
    return reason_of(error)


def _decode(file: ImageFile, size: int, grey: bool | None = None) -> np.ndarray:
    """(size, size) uint8 if the image is to be `grey`, or is, where None leaves that open; else (size, size, 3)."""
    with file.open() as stream, open_picture(stream) as image:
        image.draft(None, (2 * size, 2 * size))  # a JPEG can be read at half or a quarter of its size, much faster
        return prepare(image, size=size, grey=_has_no_colour(image) if grey is None else grey)


def _has_no_colour(image: "Image.Image") -> bool:
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")
