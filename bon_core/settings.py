"""What a field of a config is, beside its type: default, bounds, and the words that say what it does."""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Setting:
    """What is known of a field of the configs beside its type and default; `--help` and the app's form say it.

    Parameters
    ----------
    help : on the command line; the default is added there
    refusal : a sentence with {value} for a value out of bounds
    low, high : the ends of the range, which may be taken themselves
    above, below : the ends of the range, which may not
    flag : on the command line; empty: made of the field's name
    label, hint : in the form, over the field and on hover; empty: not there
    research : for ablations, as no study found a gain over its default
    """

    help: str
    refusal: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    flag: str = ""
    label: str = ""
    hint: str = ""
    research: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value lies within the bounds; NaN does not."""
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def setting(default: Any, help: str, refusal: str = "", **more: Any) -> Any:
    """A field of a config: its default, and the rest of what `Setting` takes."""
    return field(default=default, metadata={"setting": Setting(help, refusal, **more)})


def setting_of(kind: type, name: str) -> Setting:
    """What is known of a field of one of the configs."""
    return next(part.metadata["setting"] for part in fields(kind) if part.name == name)


def flag_of(kind: type, name: str) -> str:
    """The option of the command line that sets a field of one of the configs."""
    return setting_of(kind, name).flag or "--" + name.replace("_", "-")


def default_of(kind: type, name: str) -> Any:
    """The default of a field of one of the configs."""
    return next(part.default for part in fields(kind) if part.name == name)


def section(kind: type, title: str) -> Any:
    """A config inside another: its defaults, and the title over its options."""
    return field(default_factory=kind, metadata={"title": title})
