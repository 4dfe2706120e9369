"""The command line, read into typed options; what can be given stands in the contract."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from launch_quantization import __version__
from launch_quantization.contract import commands
from launch_quantization.contract.commands import SUB_COMMANDS, Command, Options
from launch_quantization.contract.help import help_text
from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.parser import GENERAL, AskedError, MistakeError, parse_options
from launch_quantization.contract.words import DEFAULT_TENSORFLOW, TUNE
from launch_quantization.errors import UsageError
from launch_quantization.view.streams import write_line


def run_options(argv: Sequence[str]) -> RunOptions[str]:
    """The options of the plain call.

    Raises:
        UsageError: an unknown option or word, a missing or a bad value; so do the other functions here.
        SystemExit: the help or the version was asked for, and is printed; likewise.
    """
    options: RunOptions[str] = _parse(commands.RUN, argv)
    return options


def graph_options(command: Command[Any], argv: Sequence[str]) -> RunOptions[str]:
    """Those of a sub-command on graphs, which are words without a hyphen; argv is without the sub-command's name."""
    task = ["--tune"] if command.name == TUNE else ["--task", command.name]
    graphs = ("--in_graph",) if command.name == TUNE else ("--in_graph", "--other_graph")
    options: RunOptions[str] = _parse(command, [*argv, *task], graphs)
    return options


def read_options(command: Command[Options], argv: Sequence[str]) -> Options:
    """Those of another sub-command; argv is without its name."""
    options: Options = _parse(command, argv)
    return options


def _parse(command: Command[Any], argv: Sequence[str], graphs: Sequence[str] = ()) -> Any:
    general = ("help",) if command.name else tuple(GENERAL)
    names = () if command.name else tuple(one.name for one in SUB_COMMANDS)
    try:
        return parse_options(command.program, command.table, argv, general, names, graphs)
    except MistakeError as mistake:
        raise UsageError(mistake.message, mistake.remedy) from None
    except AskedError as asked:
        # A full disk or a reader that left must not turn this into a defect.
        write_line(sys.stdout, _text(command, asked.name).removesuffix("\n"))
        raise SystemExit(0) from None


def _text(command: Command[Any], name: str) -> str:
    if name == "version":
        return f"launch_quantization {__version__}, TensorFlow {DEFAULT_TENSORFLOW} by default"
    return help_text(command, shutil.get_terminal_size((100, 24)).columns, everything=name == "help_all")
