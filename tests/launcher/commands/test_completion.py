"""``launch_quantization completion``: scripts that complete in the shells they are for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launch_quantization.commands.completion import make_script
from launch_quantization.commands.options import read_options
from launch_quantization.contract.commands import COMMANDS, COMPLETION
from launch_quantization.contract.option import options_of
from launch_quantization.contract.words import SHELLS
from launch_quantization.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_is_completed_in_one_spelling(shell: str) -> None:
    script = make_script(shell)
    for command in COMMANDS:
        assert command.name in script
        for option in options_of(command.table):
            if not option.is_positional:
                # fish names a long option without its hyphens
                assert (f"-l {option.name}" if shell == "fish" else f"--{option.name}") in script, option.name
    assert "in-graph" not in script


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_can_read_it(shell: str, tmp_path: Path) -> None:
    """Where it is installed; bash always is."""
    script = tmp_path / "script"
    script.write_text(make_script(shell))
    if shell == "bash" or shutil.which(shell):
        done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--target"], ["--target_tensorflow", "--target_cpu"]),
        (["--algo", ""], ["AUTO", "DIRECT", "MA", "KL", "PERCENTILE", "MSE"]),
        (["--equalize", "f"], ["false"]),
        (["--in_graph", "ne"], ["net.pb"]),
        (["--models_zoo", ""], ["zoo"]),
        (["doc"], ["doctor"]),
        (["clean", "--im"], ["--images"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes(words: list[str], found: list[str], tmp_path: Path) -> None:
    (tmp_path / "net.pb").touch()
    (tmp_path / "zoo").mkdir()
    code = (
        'eval "$(cat)"; COMP_WORDS=(launch_quantization "$@"); COMP_CWORD=$#\n'
        '_shtab_launch_quantization launch_quantization "${COMP_WORDS[$#]}" "${COMP_WORDS[$#-1]}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", code, "bash", *words],
        input=make_script("bash"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(done.stdout.split()) == sorted(found)


def test_the_command_prints_it() -> None:
    entry = ROOT / "launcher" / "launch_quantization.py"
    done = subprocess.run(
        [sys.executable, str(entry), "completion", "bash"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == make_script("bash") + "\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: bash|zsh|fish"),
        (["fihs"], "'fihs' is none of bash, zsh, fish; did you mean fish?"),
        (["bash", "zsh"], "unexpected word 'zsh'"),
    ],
)
def test_other_shells(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_options(COMPLETION, argv)
    assert message in caught.value.message
    assert caught.value.remedy == "see launch_quantization completion --help"
