"""The options of `train`, made from the configs' settings, and the way back from options to a config or a command."""

import argparse
from dataclasses import Field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bon_core.config import MiningConfig, RunConfig
from bon_core.settings import Setting, flag_of

RESEARCH = "research"
WHY_RESEARCH = "for ablations: no study of ours (benchmarks/results) found a gain over these defaults"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """A group of options for each config of a run, and one for the settings that only research turns."""
    groups = {title: parser.add_argument_group(title) for _, _, title in _sections()}
    research = parser.add_argument_group(RESEARCH, WHY_RESEARCH)
    for section, kind, title in _sections():
        for part in fields(kind):
            _add_setting(research if _known(part).research else groups[title], section, kind, part)


def config_of(options: argparse.Namespace) -> RunConfig:
    """The settings that were given; what was not given keeps its default, groups no more than the batch has classes."""
    sections = {}
    for section, kind, _ in _sections():
        settings = {part.name: getattr(options, f"{section}.{part.name}") for part in fields(kind)}
        given = {name: value for name, value in settings.items() if value is not None}
        if section == "mining" and "groups" not in given:
            given["groups"] = max(min(MiningConfig.groups, given.get("classes", MiningConfig.classes)), 1)
        sections[section] = kind(**given)
    return RunConfig(**sections)


def spelled(options: argparse.Namespace) -> str:
    """The command that makes the same run, for its card."""
    words = ["python -m bon_core train"]
    for section, kind, _ in _sections():
        for part in fields(kind):
            value = getattr(options, f"{section}.{part.name}")
            if value is None:
                continue
            if isinstance(value, bool):
                words.append(flag_of(kind, part.name) if value else _off(part))
            else:
                words.append(
                    f"{flag_of(kind, part.name)} {value:g}"
                    if isinstance(value, float)
                    else f"{flag_of(kind, part.name)} {value}"
                )
    return " ".join([*words, f"--run {options.run}"])


def _off(part: "Field[Any]") -> str:
    return f"--no-{part.name.replace('_', '-')}"


def _known(part: "Field[Any]") -> Setting:
    return part.metadata["setting"]


def _sections() -> list[tuple[str, Any, str]]:
    """Name, class and title of each config of a run."""
    return [(part.name, get_type_hints(RunConfig)[part.name], part.metadata["title"]) for part in fields(RunConfig)]


def _add_setting(group: argparse._ArgumentGroup, section: str, kind: type, part: "Field[Any]") -> None:
    hint, default, text = get_type_hints(kind)[part.name], part.default, _known(part).help
    flag, target = flag_of(kind, part.name), f"{section}.{part.name}"
    shown = "" if default is None else f" (default: {default})"
    if hint is bool:
        if default:
            flag, text = _off(part), f"do not {text}"
        group.add_argument(flag, dest=target, action="store_const", const=not default, help=text)
    elif get_origin(hint) is Literal:
        group.add_argument(flag, dest=target, choices=get_args(hint), help=text + shown)
    else:
        plain = next(one for one in (get_args(hint) or (hint,)) if one is not type(None))
        group.add_argument(flag, dest=target, type=plain, metavar=plain.__name__.upper(), help=text + shown)
