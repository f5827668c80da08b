"""Whether a data set can be read without asking the network: looking at a run must not download anything."""

from bon_core.base.files import path_of
from bon_core.config import DataConfig, InputError
from bon_core.datasets import huggingface, omniglot


def is_here(data: DataConfig) -> bool:
    """Whether `load_data` asks no other machine for it.

    A set on the hub counts as elsewhere also where a copy is kept: which one is current, the hub is asked. So does a
    path of another machine, as Windows writes it.
    """
    if data.name == "omniglot":
        return omniglot.is_here(data.path, data.image_size)
    place = huggingface.place_of(data.name) if huggingface.named(data.name) else data.name
    if place.replace("\\", "/").startswith("//") or (data.path or "").replace("\\", "/").startswith("//"):
        return False
    try:
        return place == data.name or path_of(place).is_dir()
    except InputError:
        return True  # a name that no path can have is refused before anything is asked
