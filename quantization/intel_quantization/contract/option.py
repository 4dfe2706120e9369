"""A row of the table of options."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, NamedTuple, Optional, Tuple

from .values import Value

EVERYDAY, ADVANCED = "everyday", "advanced"
"""Levels: --help has the everyday options only, --help-all and the docs have all."""


class Group(NamedTuple):
    """What a user wants to do with some options.

    Attributes:
        title: continues "options that ...".
        note: what holds for all of them.
    """

    title: str
    note: str = ""


class Place(NamedTuple):
    """Where below the workspace a path of the user appears.

    Attributes:
        folder: a file appears in it, under its own name, which tells what it holds; a folder is it.
        named: a folder appears in it under its own name, too.
    """

    folder: str
    named: bool = False


class Option(NamedTuple):
    """One option.

    Attributes:
        name: with underscores; the attribute of the options and of the job, and the key in the job's JSON.
        value: its type.
        help: what it does, in a phrase.
        group: with which it is shown.
        default: what it is if it is not given.
        short: ``-x``; empty: there is none.
        also: other names.
        level: EVERYDAY or ADVANCED.
        place: of a path that is mounted.
        is_positional: given without its name.
    """

    name: str
    value: Value
    help: str
    group: Group
    default: Any = None
    short: str = ""
    also: Tuple[str, ...] = ()
    level: str = ADVANCED
    place: Optional[Place] = None
    is_positional: bool = False

    @property
    def spellings(self) -> Tuple[str, ...]:
        """All that are taken: ``-x``, ``--a_b`` (as intel-quantization 1.1 wrote them), ``--a-b``."""
        if self.is_positional:
            return (self.name,)
        found = [self.short] if self.short else []
        for name in (self.name,) + self.also:
            found += ["--" + name, "--" + name.replace("_", "-")]
        return tuple(dict.fromkeys(found))

    @property
    def shown_spellings(self) -> Tuple[str, ...]:
        """Those that are shown: ``-x`` and ``--a_b``."""
        if self.is_positional:
            return (self.name,)
        return ((self.short,) if self.short else ()) + ("--" + self.name,)

    @property
    def negations(self) -> Tuple[str, ...]:
        """What switches a switch off: ``--no_a_b``, ``--no-a-b``, ``--no-a_b``."""
        if not self.value.is_switch:
            return ()
        name = self.name
        return tuple(dict.fromkeys(("--no_" + name, "--no-" + name.replace("_", "-"), "--no-" + name)))

    @property
    def metavar(self) -> str:
        """What stands for its value; empty for a flag."""
        return "" if self.value.is_flag else self.value.metavar or "|".join(self.value.choices)

    @property
    def shown(self) -> str:
        """The one spelling that is shown, with what stands for its value."""
        if self.is_positional:
            return self.metavar
        value = " " + self.metavar if self.metavar else ""
        return "--" + self.name + (" [BOOL]" if self.value.is_switch else value)


def option(
    value: Value,
    text: str,
    group: Group,
    *,
    default: Any = None,
    short: str = "",
    also: Tuple[str, ...] = (),
    level: str = ADVANCED,
    place: Optional[Place] = None,
    is_positional: bool = False,
) -> Any:
    """A field of a dataclass that is an option; the arguments are those of Option.

    Raises:
        ValueError: a flag that is on by default could not be switched off, nor a switch on that is off.
    """
    if value.is_switch and default is not True:
        raise ValueError("%r: a SWITCH is on by default; what is off by default is a FLAG" % text)
    if value.is_flag and default is not False:
        raise ValueError("%r: a FLAG is off by default; what is on by default is a SWITCH" % text)
    row = Option("", value, text, group, default, short, also, level, place, is_positional)
    return field(default=default, metadata={"option": row})


def options_of(table: Any) -> Tuple[Option, ...]:
    """The options of a dataclass, in order."""
    return tuple(one.metadata["option"]._replace(name=one.name) for one in fields(table) if "option" in one.metadata)
