"""--help and --help-all: one spelling of each option, by what a user wants to do."""

from __future__ import annotations

import re

import pytest

from launch_quantization.commands.options import run_options
from launch_quantization.contract.commands import ON_GRAPHS, RUN, SUB_COMMANDS, Command
from launch_quantization.contract.failures import FAILURES
from launch_quantization.contract.help import help_text
from launch_quantization.contract.option import options_of

SHORT = help_text(RUN, 100, everything=False)
ALL = help_text(RUN, 100, everything=True)


def shown(text: str) -> list[str]:
    """The options that stand at the beginning of a line."""
    return re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE)


def test_what_is_needed_every_day_stands_first() -> None:
    assert shown(SHORT)[:3] == ["--in_graph", "--out_graph", "--data_location"]
    assert len(SHORT.splitlines()) <= 70
    assert shown(SHORT)[-3:] == ["--help", "--help-all", "--version"]


def test_all_options_stand_in_one_spelling_in_the_long_one() -> None:
    names = [f"--{option.name}" for option in options_of(RUN.table)]
    assert sorted(shown(ALL)) == sorted([*names, "--help", "--help-all", "--version"])
    assert set(shown(SHORT)) < set(shown(ALL))
    assert "--in-graph" not in ALL
    assert "--no_" not in ALL
    for failure in FAILURES:
        assert re.search(rf"\b{failure.code}\s+{failure.kind.split('_')[0]}", ALL)


@pytest.mark.parametrize("width", [10, 80, 100, 500])
@pytest.mark.parametrize("everything", [False, True])
def test_it_fits_the_terminal(width: int, everything: bool) -> None:
    usage, _, rest = help_text(RUN, width, everything=everything).partition("\n\n")
    assert usage.startswith("usage: launch_quantization --in_graph")
    assert max(map(len, rest.splitlines())) <= max(min(width, 110), 79)


@pytest.mark.parametrize("command", ON_GRAPHS, ids=lambda command: command.name)
def test_a_sub_command_on_graphs_shows_what_is_needed_every_day(command: Command[object]) -> None:
    text = help_text(command, 100, everything=False)
    usage = text.splitlines()[0]
    assert usage.startswith(f"usage: launch_quantization {command.name} A.pb ")
    assert usage.endswith("[options]")
    assert ("[B.pb]" in usage) == (command.name != "tune")
    assert shown(text)[:-1] == shown(SHORT)[:-3]
    assert command.description in text


OTHERS = [command for command in SUB_COMMANDS if command not in ON_GRAPHS]


@pytest.mark.parametrize("command", OTHERS, ids=lambda command: command.name)
def test_a_sub_command_has_a_help_of_its_own(command: Command[object]) -> None:
    text = help_text(command, 80, everything=False)
    names = [option.shown for option in options_of(command.table)]
    assert all(name in text for name in names)
    assert text.startswith(f"usage: launch_quantization {command.name} [options]")


@pytest.mark.parametrize(("word", "text"), [("--help", SHORT), ("-h", SHORT), ("--help-all", ALL), ("--help_all", ALL)])
def test_it_is_printed(
    word: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        run_options(["--samples", "3", word])
    assert ended.value.code == 0
    assert capsys.readouterr().out == text
