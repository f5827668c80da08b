"""Images of a Hugging Face data set, from the hub or from a folder that `save_to_disk` wrote. Extra: huggingface.

hf:OWNER/NAME or hf:FOLDER, then options after commas, as in hf:uoft-cs/cifar100,label=fine_label,split=train+test
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bon_core.base.files import path_of, reason_of
from bon_core.base.intake import Intake, listed
from bon_core.config import InputError, check
from bon_core.datasets import folder
from bon_core.datasets.image_files import ImageFile
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.labelled import PART_NAMES

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "hf:"
OPTIONS = ("split", "image", "label", "config", "revision")
LABELS = ("label", "labels", "class", "target", "fine_label", "character", "category")  # what people call that column
BATCH = 1000  # rows looked at together


def named(name: str) -> bool:
    """Whether `name` is that of a Hugging Face data set."""
    return name.startswith(PREFIX)


def place_of(name: str) -> str:
    """OWNER/NAME or FOLDER of hf:NAME,OPTIONS."""
    return name.removeprefix(PREFIX).partition(",")[0]


def load(name: str, image_size: int | None = None) -> ImageSet:
    """All images of the splits, cut to their central square and resized.

    Splits called train, test, val or as people call them are parts, as in a folder of images: where most classes are in
    several, half of the classes are kept for testing instead, and the field "part" says where an image came from. No
    code of the data set is run.

    Parameters
    ----------
    name : hf:OWNER/NAME or hf:FOLDER, with any of
        split=A+B: default: those of such names, or all
        image=COLUMN: default: the only column of images
        label=COLUMN: default: the only column of class labels, or one of LABELS
        config=NAME, revision=COMMIT: of a data set on the hub
    image_size : pixels a side; folder.IMAGE_SIZE if None

    Raises
    ------
    InputError
        If the package datasets is not installed, there is no such data set, split or column, or a label is missing; and
        what `folder.load` refuses.
    """
    place, options = _spelled(name)
    parts, left_out = _splits(name, place, options)
    first = next(iter(parts.values()))
    image, label = _columns(name, first, options)
    files: list[ImageFile] = []
    places: dict[str, folder.Place] = {}
    for part, rows in parts.items():
        code = PART_NAMES.get(part.lower()) if len(parts) > 1 else None
        found = _files(part, rows, image)
        places |= {file.name: (code, text) for file, text in zip(found, _labels(name, rows, label), strict=True)}
        files += found
    stem = place.rstrip("/").rpartition("/")[2]
    unused = [column for column in first.column_names if column not in (image, label)]
    passed_over = {"splits": left_out, "columns": unused}
    intake = Intake(
        took="",
        source=f"images from the column {image}, labels from {label}, splits {listed(parts)}",
        passed_over={f"{kind} ({listed(names)})": len(names) for kind, names in passed_over.items()},
    )
    return folder.assemble(stem, name, files, places, image_size or folder.IMAGE_SIZE, lasting=True, intake=intake)


def _spelled(name: str) -> tuple[str, dict[str, str]]:
    """Where the data set is, and the options given."""
    place, *given = name.removeprefix(PREFIX).split(",")
    check(bool(place), f"{name!r} names no data set; write {PREFIX}OWNER/NAME or {PREFIX}FOLDER.")
    options = {key: value for key, _, value in (text.partition("=") for text in given)}
    strange = [key for key, value in options.items() if key not in OPTIONS or not value]
    check(
        not strange,
        f"{name!r} has the option {strange[:1]}, but options are {', '.join(f'{key}=...' for key in OPTIONS)}; separate"
        " them by commas.",
    )
    return place, options


def _splits(name: str, place: str, options: Mapping[str, str]) -> tuple[dict[str, "Dataset"], list[str]]:
    """The splits asked for, by name, and the names of the others."""
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"{name!r} is read by the package datasets, which is not installed; run: pip install datasets."
        ) from error
    local = path_of(place).is_dir()
    try:
        if local:
            found = datasets.load_from_disk(str(path_of(place)))
        else:
            found = datasets.load_dataset(place, options.get("config"), revision=options.get("revision"))
    except Exception as error:  # the hub's client raises a dozen types
        remedy = "save it with save_to_disk" if local else "check its name, config and the network"
        raise InputError(f"The data set {place} cannot be read ({reason_of(error)}); {remedy}.") from error
    parts = {"all": found} if isinstance(found, datasets.Dataset) else dict(found)
    usual = [part for part in parts if part.lower() in PART_NAMES]
    wanted = options["split"].split("+") if "split" in options else usual or list(parts)
    missing = [part for part in wanted if part not in parts]
    check(not missing, f"The data set {place} has no split {missing[:1]}; it has {', '.join(parts)}.")
    return {part: parts[part] for part in wanted}, [part for part in parts if part not in wanted]


def _columns(name: str, rows: "Dataset", options: Mapping[str, str]) -> tuple[str, str]:
    """The columns of images and of labels."""
    import datasets

    kinds = rows.features
    images = [column for column, kind in kinds.items() if isinstance(kind, datasets.Image)]
    labels = [column for column, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    if len(labels) != 1:
        labels = [column for column in LABELS if column in kinds][:1] or labels
    found: list[str] = []
    for option, candidates in (("image", images), ("label", labels)):
        asked = [options[option]] if option in options else candidates
        check(
            len(asked) == 1 and asked[0] in kinds,
            f"The {option} column of {name!r} is not clear; its columns are {', '.join(kinds)}: add ,{option}=COLUMN.",
        )
        found += asked
    check(
        found[0] in images,
        f"The column {found[0]} of {name!r} is {type(kinds[found[0]]).__name__}, not images; add ,image=COLUMN.",
    )
    return found[0], found[1]


def _files(part: str, rows: "Dataset", image: str) -> list[ImageFile]:
    """Every image as a file that is read out of the data set when it is opened."""
    import datasets
    import pyarrow as pa
    import pyarrow.compute as pc

    column = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    sizes: list[int] = []
    for batch in column.with_format("arrow").iter(BATCH):
        content = batch[image].combine_chunks() if isinstance(batch[image], pa.ChunkedArray) else batch[image]
        sizes += pc.fill_null(pc.binary_length(pc.struct_field(content, "bytes")), 0).to_pylist()

    def opener(row: int) -> Callable[[], IO[bytes]]:
        return lambda: _opened(column[row][image])

    return [ImageFile(name=f"{part}/{row}", size=size, open=opener(row)) for row, size in enumerate(sizes)]


def _opened(content: Mapping[str, Any]) -> IO[bytes]:
    """The bytes of an image, or the local file that it names."""
    return io.BytesIO(content["bytes"]) if content["bytes"] is not None else Path(content["path"]).open("rb")


def _labels(name: str, rows: "Dataset", label: str) -> list[str]:
    """The class of each row, in words."""
    import datasets

    kind = rows.features[label]
    values = rows.select_columns([label])[:][label]
    check(
        all(isinstance(value, str | int) for value in values),
        f"The column {label} of {name!r} has values that are no text or whole number, or is empty in some rows; choose"
        " another column with ,label=COLUMN, or splits that have labels with ,split=NAME.",
    )
    if not isinstance(kind, datasets.ClassLabel):
        return [str(value) for value in values]
    check(
        all(0 <= value < len(kind.names) for value in values),
        f"The column {label} of {name!r} is {min(values)} in some rows, which is no class; choose splits that have"
        " labels with ,split=NAME.",
    )
    return [kind.names[value] for value in values]
