"""The command line: train, evaluate, embed, snapshot, mine, export, app, doctor.

This file only reads words into settings; what the commands do is in commands.py, imported once a command is chosen,
so that `--help` answers at once. Exit codes: 0 done, 1 a mistake of ours or a trouble that doctor found, 2 wrong input
(one sentence says what), 130 interrupted.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from bon_core.base import streams
from bon_core.base.extras import remedy, require
from bon_core.base.surroundings import check_room, read_names_as_utf8
from bon_core.cli.options import add_settings, config_of, spelled
from bon_core.config import InputError, check

TOOLS = {  # of export --to; each is a file of bon_core/exports
    "tensorboard": "curves, into a folder (extra [tensorboard])",
    "projector": "vectors and pictures for TensorBoard's projector, into a folder",
    "atlas": "map, neighbours and pictures for Embedding Atlas, as .parquet",
    "lancedb": "vectors and all that is known of them, as a vector database in a folder (extra [lancedb])",
}
WHY_NONE = {  # figures that were not measured, in words; JSON has null
    **dict.fromkeys(("r_precision", "map@r"), "not measured: a class is larger than the number of neighbours searched"),
    "nmi": "not measured: too many samples and classes to cluster",
    "search_recall": "not measured",
    "trained": "not measured",
    "file": "none; --out FILE writes every pair",
}
TRACEBACK = "BON_TRACEBACK"  # in the environment: mistakes of ours end in a traceback

EXAMPLES = """examples:
  python -m bon_core train --data glyphs --miner bon --learners 4 --epochs 10 --run first
  python -m bon_core train --data glyphs --miner uniform --learners 1 --epochs 10 --run baseline
  python -m bon_core train --run first --resume
  python -m bon_core evaluate --run first --json
  python -m bon_core snapshot --embeddings vectors.npz --run my-vectors
  python -m bon_core mine --run first --negatives 5 --out hard.csv
  python -m bon_core export --run first --to tensorboard --out curves --follow
  python -m bon_core app
  python -m bon_core doctor
"""

MINED = """columns of the file, one row a pair; anchor, positive, negative, hardest are ids of samples:
  anchor, anchor_class
  positive, positive_distance    nearest other sample of the anchor's class; -1 if it has none
  negative, negative_class       a sample of another class in the anchor's hash bucket
  distance, rank                 to the anchor; rank 1 is the hardest of all negatives, by exact search
  copy                           the two lie at the same place: a copy under another label, or one mislabelled
  hardest, hardest_class, hardest_distance, hardest_copy    the exact hardest negative of the anchor
  anchor_file, positive_file, negative_file, hardest_file   where the images came from files
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    streams.reopen()
    try:
        return _run(arguments)
    except BrokenPipeError:
        return 1
    finally:
        streams.flush()


def _run(arguments: Sequence[str] | None) -> int:
    if arguments is None:
        read_names_as_utf8()
    options = _parser().parse_args(arguments)
    # Threads that wait by spinning make a step ten times slower once another process wants a core, such as the app
    # that shows this training. Has to be said before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        check_room()
        result = _COMMANDS[options.command](options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        where = error.filename or "A file"
        reason = error.strerror or error
        print(
            f"{where} cannot be read or written ({reason}); check the path, its rights and the room.", file=sys.stderr
        )
        return 2
    except MemoryError:
        print("There is not enough memory for this; take fewer samples, or a larger machine.", file=sys.stderr)
        return 2
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (sentence := remedy(error.name)):
            print(sentence, file=sys.stderr)
            return 2
        if os.environ.get(TRACEBACK):
            raise
        print(
            f"This is a mistake of the program, not yours ({type(error).__name__}: {error}); set {TRACEBACK}=1 to see"
            " where it happened, and report it.",
            file=sys.stderr,
        )
        return 1
    if options.json and result:  # of many processes that train, one has a result
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print(result)
    return 1 if result.get("troubles") else 0


def _train(options: argparse.Namespace) -> dict[str, Any]:
    require("train", "Training")
    from bon_core.datasets import lasting_name
    from bon_core.runs.run import seconds_alive
    from bon_core.training import experiment

    if options.resume:
        return experiment.resume(options.run, queue=options.queue, spent=seconds_alive())
    config = config_of(options)
    lasting = replace(config.data, name=lasting_name(config.data.name))  # the app looks from another folder
    config = replace(config, data=lasting)
    command, began = spelled(options), seconds_alive()
    return experiment.train(options.run, config, queue=options.queue, command=command, spent=began)


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from bon_core.cli import commands

    return commands.evaluate(options.run, data=options.data, device=options.device)


def _embed(options: argparse.Namespace) -> dict[str, Any]:
    from bon_core.cli import commands

    return commands.embed(options.run, data=options.data, out=options.out, device=options.device)


def _snapshot(options: argparse.Namespace) -> dict[str, Any]:
    require("train", "Making a map")
    from bon_core.cli import commands
    from bon_core.training import experiment

    if options.embeddings:
        return commands.snapshot_embeddings(options.run, options.embeddings)
    return experiment.snapshot(options.run, device=options.device)


def _mine(options: argparse.Namespace) -> dict[str, Any]:
    from bon_core.cli import commands

    return commands.mine(options.run, split=options.split, count=options.negatives, seed=options.seed, out=options.out)


def _export(options: argparse.Namespace) -> dict[str, Any]:
    from bon_core.cli import commands
    from bon_core.runs import store

    check(not options.follow or options.to == "tensorboard", "--follow goes with --to tensorboard; add that.")
    if not options.to:
        return commands.export(options.run, what=options.what, out=options.out)
    from bon_core import exports

    run = store.open_run(options.run)
    if options.follow:
        return exports.tensorboard.write(run, options.out, follow=True)
    return exports.WRITERS[options.to](run, options.out)


def _app(options: argparse.Namespace) -> dict[str, Any]:
    from bon_core import explorer

    explorer.serve(host=options.host, port=options.port, browser=options.browser)
    return {}


def _doctor(options: argparse.Namespace) -> dict[str, Any]:
    from bon_core.cli import doctor

    return doctor.report(doctor.examine())


_COMMANDS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "train": _train,
    "evaluate": _evaluate,
    "embed": _embed,
    "snapshot": _snapshot,
    "mine": _mine,
    "export": _export,
    "app": _app,
    "doctor": _doctor,
}


class _Parser(argparse.ArgumentParser):
    """Answers a wrong option with one sentence, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[0].upper()}{message[1:]}; see {self.prog} --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bon" if Path(sys.argv[0]).stem == "bon" else "python -m bon_core",
        description="Deep metric learning with Bag of Negatives and divide and conquer: train, look, take away.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def verb(name: str, text: str, run_help: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.add_argument("--run", required=True, metavar="NAME", help=run_help)
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        return made

    train = verb("train", "train a network; progress on the terminal and in the app", "name of the new run")
    train.add_argument("--resume", action="store_true", help="continue the run where its checkpoint is")
    train.add_argument("--queue", action="store_true", help="wait until earlier runs have ended")
    add_settings(train)

    evaluate = verb("evaluate", "retrieval metrics on held-out classes", "a trained run")
    embed = verb("embed", "embed images with a trained run, as .npz or .parquet", "a trained run")
    embed.add_argument("--out", required=True, metavar="FILE", help="file to write: .npz or .parquet")
    for made in (evaluate, embed):
        made.add_argument("--data", metavar="SET", help="another data set than the run's own: a name or a path")
    snapshot = verb("snapshot", "make what the explorer shows", "a trained run, or with --embeddings a new name")
    snapshot.add_argument("--embeddings", metavar="FILE", help="explore these vectors: .npz, .npy or .parquet")
    for made in (evaluate, embed, snapshot):
        made.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")

    mine = verb("mine", "list hard negatives, found by hashing, beside the exact ones", "a run with a snapshot")
    mine.epilog, mine.formatter_class = MINED, argparse.RawDescriptionHelpFormatter
    mine.add_argument("--split", choices=("train", "test", "validation"), default="train", help="default: train")
    mine.add_argument(
        "--negatives",
        type=int,
        default=5,
        metavar="K",
        help="negatives an anchor, the nearest in its bucket; default: 5",
    )
    mine.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the draw from a large bucket; default: 0"
    )
    mine.add_argument("--out", metavar="FILE", help="write every pair to .csv or .parquet")

    export = verb("export", "write a run to a file, or in the format of another tool", "a run with a snapshot")
    target = export.add_mutually_exclusive_group()
    target.add_argument("--what", choices=("points", "mined", "model"), default="points", help="default: points")
    target.add_argument("--to", choices=TOOLS, help="; ".join(f"{name}: {text}" for name, text in TOOLS.items()))
    export.add_argument("--follow", action="store_true", help="tensorboard: go on as long as the run is at work")
    text = ".csv or .parquet; .safetensors for the model; with --to what that tool reads"
    export.add_argument("--out", required=True, metavar="PATH", help=text)

    text = "open the explorer in a browser; Ctrl-C ends it"
    app = verbs.add_parser("app", help=text, description=text, allow_abbrev=False)
    app.add_argument("--host", default="localhost", help="address to listen on; default: localhost, for this machine")
    app.add_argument("--port", type=int, default=8501, metavar="N", help="default: 8501")
    app.add_argument("--no-browser", dest="browser", action="store_false", help="only serve it")
    app.set_defaults(json=False)

    text = "what is installed, which device is used, whether the bundled files are whole, and what is wrong"
    doctor = verbs.add_parser("doctor", help=text, description=text, allow_abbrev=False)
    doctor.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _print(result: dict[str, Any], indent: str = "") -> None:
    width = max((len(name) for name in result), default=0)
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print(value, indent + "  ")
        elif isinstance(value, list):
            print("\n".join([f"{indent}{name:<{width}}  {value[0] if value else 'none'}", *value[1:]]))
        else:
            value = WHY_NONE.get(name, "none") if value is None else value
            print(f"{indent}{name:<{width}}  {f'{value:.4f}' if isinstance(value, float) else value}")
