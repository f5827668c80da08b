"""The folder that TensorBoard's Embedding Projector opens: tensors.tsv, metadata.tsv, sprite.png and a config.

The first two also load at projector.tensorflow.org. Nothing of TensorBoard is needed to write them.
"""

from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.files import whole_folder
from bon_core.exports.folders import folder_for
from bon_core.exports.pictures import images_of, pictures
from bon_core.exports.tables import points
from bon_core.runs.run import Run

TENSORS, METADATA, SPRITE, CONFIG = "tensors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"
MAX_POINTS = 100_000  # the projector reads no more rows
SPRITE_SIDE = 8192  # px of a sprite sheet, as browsers take it
LEAST_PICTURE = 8  # px; smaller ones show nothing


def write(run: Run, out: str) -> dict[str, Any]:
    """Write the newest snapshot into the folder `out`, with a sprite of the pictures where there are any.

    Of more than MAX_POINTS samples, that many are drawn by chance, always the same ones.

    Raises
    ------
    InputError
        If there is no snapshot, or the folder holds something else.
    """
    shot = run.snapshot()
    folder = folder_for(out, TENSORS, METADATA, SPRITE, CONFIG)
    rows = np.arange(len(shot))
    if len(rows) > MAX_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_POINTS, replace=False))
    images = images_of(run, shot)
    columns = int(np.ceil(np.sqrt(len(rows))))
    size = 0 if images is None else min(images.size, SPRITE_SIDE // columns)
    with whole_folder(folder) as temporary:
        _write_tensors(temporary / TENSORS, np.asarray(shot.vectors[rows], np.float32))
        _write_metadata(temporary / METADATA, {name: values[rows] for name, values in points(shot).items()})
        if images is not None and size >= LEAST_PICTURE:
            _write_sprite(temporary / SPRITE, pictures(images, shot.ids[rows], size), columns, size)
        (temporary / CONFIG).write_text(_config(run.name, size), encoding="utf-8")
    return {
        "run": run.name,
        "points": len(rows),
        "of": len(shot),
        "pictures": f"{size} px" if size >= LEAST_PICTURE else "none",
        "folder": str(folder),
        "open_with": f"tensorboard --logdir {folder}",
    }


def _write_tensors(path: Path, vectors: np.ndarray) -> None:
    import pyarrow as pa
    from pyarrow import csv

    table = pa.table({str(number): column for number, column in enumerate(np.round(vectors, 5).T)})
    csv.write_csv(table, path, csv.WriteOptions(include_header=False, delimiter="\t"))


def _write_metadata(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Tab-separated without quotes, which the projector would show; white space in a name becomes a blank."""
    texts = [[_plain(value) for value in (name, *values.tolist())] for name, values in columns.items()]
    path.write_text("".join("\t".join(row) + "\n" for row in zip(*texts, strict=True)), encoding="utf-8")


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())


def _write_sprite(path: Path, cells: Any, columns: int, size: int) -> None:
    """All pictures on one sheet, row by row."""
    from PIL import Image

    sheet: np.ndarray | None = None
    for place, cell in enumerate(cells):
        if sheet is None:
            sheet = np.zeros((columns * size, columns * size, *cell.shape[2:]), np.uint8)
        y, x = divmod(place, columns)
        sheet[y * size : (y + 1) * size, x * size : (x + 1) * size] = cell
    assert sheet is not None, "there are no pictures"
    Image.fromarray(sheet).save(path)


def _config(name: str, size: int) -> str:
    dims = f"single_image_dim: {size} single_image_dim: {size}"
    sprite = f'  sprite {{ image_path: "{SPRITE}" {dims} }}\n' if size >= LEAST_PICTURE else ""
    return (
        f'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "{TENSORS}"\n  metadata_path: "{METADATA}"\n'
        f"{sprite}}}\n"
    )
