"""One reader under atheris, which follows what the bytes make the code do: python -m tests.robustness.fuzzed npz"""

import contextlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bon_core", "zipfile", "json", "numpy.lib", "PIL"]):
    from bon_core.config import InputError
    from tests.robustness import readers


def main() -> None:
    """Exits with libFuzzer's code: 0 if nothing but InputError was raised until its time was up."""
    name, *options = sys.argv[1:]
    warnings.simplefilter("ignore")
    folder, corpus = (Path(tempfile.mkdtemp()) for _ in range(2))
    reader = readers.READERS[name](folder)
    for number, seed in enumerate(reader.seeds):
        (corpus / str(number)).write_bytes(seed)
    os.chdir(folder)

    def once(content: bytes) -> None:
        with contextlib.suppress(InputError):
            reader.read(content)
        assert not (folder / readers.EXECUTED).exists()

    atheris.Setup([sys.argv[0], *options, str(corpus)], once)
    atheris.Fuzz()


main()
