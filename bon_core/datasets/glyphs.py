"""The bundled glyphs: characters in many typefaces. Its card, data/glyphs.md, says how it was made."""

from bon_core.base.files import path_of
from bon_core.base.paths import HOME
from bon_core.config import check
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.sizes import resized

FILE = HOME / "data" / "glyphs.npz"


def load(path: str | None = None, image_size: int | None = None) -> ImageSet:
    """The glyphs, 32 px unless `image_size` says otherwise, from data/glyphs.npz or the .npz file at `path`.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    file = path_of(path) if path else FILE
    check(
        file.is_file(),
        f"The glyphs are not at {file}; copy glyphs.npz there, or rebuild it with python -m data.build_glyphs.",
    )
    return resized(ImageSet.load(file), image_size)
