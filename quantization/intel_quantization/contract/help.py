"""What --help says: of each option one spelling and a phrase, by what a user wants to do."""

from __future__ import annotations

import textwrap
from typing import Any, Iterable, List, Sequence, Tuple

from .commands import ON_GRAPHS, PROGRAM, SUB_COMMANDS, TUNE_COMMAND, Command
from .failures import FAILURES
from .groups import GROUPS
from .option import ADVANCED, Option, options_of
from .parser import GENERAL

_COLUMN = 28
_LEAST, _MOST = 60, 110
"""Characters of a line."""


def help_text(command: Command[Any], width: int, *, everything: bool) -> str:
    """The help of a command.

    Args:
        command: the plain call or a sub-command.
        width: of the terminal.
        everything: also what is not needed every day; a sub-command with few options shows all of them.
    """
    width = min(max(width, _LEAST), _MOST)
    plain = not command.name
    few = not plain and command not in ON_GRAPHS
    options = [one for one in options_of(command.table) if everything or few or one.level != ADVANCED]
    parts = [_usage(command), command.description]
    for group in GROUPS:
        rows = [(_shown(option), option.help) for option in options if option.group is group]
        if rows:
            note = [textwrap.fill(group.note, width, initial_indent="  ")] if group.note and everything else []
            parts.append("\n".join([group.title + ":", *note, *_columns(rows, width)]))
    general = [(", ".join(words[:2]) if name == "help" else words[0], text) for name, (words, text) in GENERAL.items()]
    parts.append("\n".join(["and:", *_columns(general if plain else general[:1], width)]))
    if plain:
        rows = [(one.name, one.summary) for one in SUB_COMMANDS]
        parts.append("\n".join(["sub-commands, each with its own --help:", *_columns(rows, width)]))
        parts.append(_epilog(width, everything))
    return "\n\n".join(parts) + "\n"


def _usage(command: Command[Any]) -> str:
    if command.name:
        graphs = ["A.pb"] if command is TUNE_COMMAND else ["A.pb", "[B.pb]"]
        words = [*(graphs if command in ON_GRAPHS else ()), "[options]"]
        words += [one.metavar for one in options_of(command.table) if one.is_positional]
        return "usage: %s %s" % (command.program, " ".join(words))
    names = "|".join(one.name for one in SUB_COMMANDS)
    return "usage: %s --in_graph PATH --data_location PATH [options]\n       %s %s [options]" % (
        PROGRAM,
        PROGRAM,
        names,
    )


def _shown(option: Option) -> str:
    return option.short + ", " + option.shown if option.short else option.shown


def _columns(rows: Iterable[Tuple[str, str]], width: int) -> List[str]:
    """What stands left, and beside it, or below where it is too long, what stands right."""
    lines: List[str] = []
    for left, right in rows:
        wrapped = textwrap.wrap(right, width - _COLUMN, break_on_hyphens=False)
        if len(left) + 4 > _COLUMN:
            lines.append("  " + left)
        else:
            lines.append(("  " + left).ljust(_COLUMN) + wrapped.pop(0))
        lines += [" " * _COLUMN + line for line in wrapped]
    return lines


def _epilog(width: int, everything: bool) -> str:
    if not everything:
        return textwrap.fill("Exit code 0 means done; --help-all names the others.", width)
    return textwrap.fill(
        "Each option may be spelt with hyphens or underscores. Exit codes: 0 done, %s, 129/130/131/141/143 signals; "
        "--debug returns the shell's own." % _codes(),
        width,
    )


def _codes() -> str:
    words: Sequence[str] = ["%d %s" % (one.code, one.kind.replace("_", " ")) for one in FAILURES]
    return ", ".join(words)
