"""``launch_quantization completion``: a script that completes options in a shell, by shtab."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from launch_quantization.contract.command_options import CompletionOptions
from launch_quantization.contract.commands import PROGRAM, RUN, SUB_COMMANDS
from launch_quantization.contract.option import options_of
from launch_quantization.contract.parser import GENERAL, make_parser
from launch_quantization.view.streams import write_line


def print_completion(options: CompletionOptions) -> int:
    """Print the script for the shell that is named; returns 0."""
    write_line(sys.stdout, make_script(options.shell))
    return 0


def make_script(shell: str) -> str:
    """The script for bash, zsh or fish."""
    import shtab

    script: str = shtab.complete(_whole_parser(), shell=shell)
    return script


def _whole_parser() -> argparse.ArgumentParser:
    """One with the sub-commands in it, as shtab reads it; nothing is parsed by it."""
    parser = make_parser(PROGRAM, RUN.table, tuple(GENERAL), shown_only=True)
    _add_hints(parser, RUN.table)
    commands = parser.add_subparsers(dest="command", parser_class=argparse.ArgumentParser)
    for command in SUB_COMMANDS:
        inner = make_parser(command.program, command.table, shown_only=True)
        _add_hints(inner, command.table)
        commands.add_parser(command.name, help=command.summary, parents=[inner], add_help=False)
    return parser


def _add_hints(parser: argparse.ArgumentParser, table: Any) -> None:
    """Tell shtab which options take files or folders, and which one of a few words."""
    import shtab

    by_name = {option.name: option.value for option in options_of(table)}
    for action in parser._actions:
        kind = by_name.get(action.dest)
        if kind is None or action.nargs == 0:
            continue
        if kind.choices or kind.is_switch:
            action.choices = kind.choices or ("true", "false")
        elif kind.hint:
            # shtab reads an attribute that argparse knows nothing of
            vars(action)["complete"] = shtab.DIRECTORY if kind.hint == "directory" else shtab.FILE
