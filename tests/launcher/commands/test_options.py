from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch_quantization import __version__
from launch_quantization.commands.options import graph_options, read_options, run_options
from launch_quantization.contract.commands import BUILD, COMMANDS, DOCTOR, ON_GRAPHS, Command
from launch_quantization.contract.parser import spellings
from launch_quantization.errors import UsageError
from tests.launcher.support import options

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("short", "long", "name"),
    [
        ("-i", "--docker-image", "docker_image"),
        ("-g", "--in_graph", "in_graph"),
        ("-o", "--out_graph", "out_graph"),
        ("-d", "--data_location", "data_location"),
        ("-z", "--models_zoo", "models_zoo"),
        ("-n", "--model_name", "model_name"),
        ("-s", "--models_source_dir", "models_source_dir"),
    ],
)
def test_every_spelling_of_the_original(short: str, long: str, name: str) -> None:
    hyphens = "--" + long[2:].replace("_", "-")
    underscores = "--" + long[2:].replace("-", "_")
    for spelling in (short, hyphens, underscores):
        assert getattr(options(spelling, "value"), name) == "value"
    assert getattr(options(f"{long}=value"), name) == "value"


def test_every_option_has_both_spellings() -> None:
    for command in COMMANDS:
        known = spellings(command.table)
        for spelling in known:
            if spelling.startswith("--"):
                assert "--" + spelling[2:].replace("_", "-") in known
                assert "--" + spelling[2:].replace("-", "_") in known


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), True),
        (("--per_channel",), True),
        (("--per_channel", "false"), False),
        (("--per-channel=no",), False),
        (("--per_channel", "True"), True),
        (("--no-per_channel",), False),
        (("--no_per_channel",), False),
        (("--no-per-channel", "--per_channel"), True),
    ],
)
def test_per_channel_is_a_real_boolean(argv: tuple[str, ...], expected: bool) -> None:
    assert options(*argv).per_channel is expected


@pytest.mark.parametrize(
    ("argv", "message", "remedy"),
    [
        (["--in_grpah", "x"], "unknown option --in_grpah", "did you mean --in_graph?"),
        (["--data-locatoin=x"], "unknown option --data-locatoin", "did you mean --data-location?"),
        (["--in"], "unknown option --in", ""),
        (["biuld"], "unexpected word 'biuld'", "did you mean build?"),
        (["--runtime", "local", "evaluate"], "evaluate has to come first", "launch_quantization evaluate"),
        (["--no-per-chanel"], "unknown option --no-per-chanel", "did you mean --no-per-channel?"),
        (["--zzzzzz"], "unknown option --zzzzzz", "see launch_quantization --help"),
    ],
)
def test_a_misspelt_option_names_the_nearest(argv: list[str], message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_options(argv)
    assert caught.value.message == message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "argv",
    [
        ("--per_channel", "perhaps"),
        ("--equalize", "perhaps"),
        ("--samples", "0"),
        ("--samples", "-1"),
        ("--samples", "1.5"),
        ("--samples", "１"),
        ("--cpus", "0"),
        ("--cpus", "nan"),
        ("--memory", "1k"),
        ("--memory", "much"),
        ("--timeout", "0"),
        ("--timeout", "inf"),
        ("--preprocess", "other"),
        ("--algo", "MAX"),
        ("--runtime", "podman"),
        ("--docker-image", "a b"),
        ("--tensorflow", "../2.14"),
        ("--target_tensorflow", "oldest"),
        ("--target_tensorflow", "1"),
        ("--target_tensorflow", "1.15.*"),
        ("--in_graph",),
    ],
)
def test_bad_values_are_usage_errors(argv: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        options(*argv)
    assert argv[0] in caught.value.message


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--memory", "much"), "--memory: 'much' is not a size such as 4g or 512m"),
        (("--docker-image=a b",), "--docker-image: 'a b' is not an image reference such as quantization:latest"),
        (("-g",), "-g: expected one argument"),
        (("--runtime", "dokcer"), "--runtime: 'dokcer' is none of auto, docker, local, bwrap; did you mean docker?"),
        (("--calibration_algorithm", "KLL"), "--calibration_algorithm: 'KLL' is none of AUTO, DIRECT, MA, KL, PER"),
    ],
)
def test_an_error_names_an_option_as_it_was_given(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(*argv)
    assert caught.value.message.startswith(message)
    assert caught.value.remedy == "see launch_quantization --help"


def test_each_switch_can_be_switched_off() -> None:
    for name in ("per_channel", "equalize", "bias_correction", "adaptive_rounding"):
        hyphens = name.replace("_", "-")
        for word in (f"--no_{name}", f"--no-{hyphens}", f"--no-{name}", f"--{hyphens}=off"):
            assert getattr(options(word), name) is False
        assert getattr(options(f"--no_{name}", f"--{name}"), name) is True


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8g", 8 << 30),
        ("512m", 512 << 20),
        ("1.5G", 3 << 29),
        ("2GiB", 2 << 30),
        ("8388608", 1 << 23),
        ("9mb", 9 << 20),
    ],
)
def test_memory(text: str, size: int) -> None:
    assert options("--memory", text).memory == size


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("0.5", 0.5)])
def test_timeout(text: str, seconds: float) -> None:
    assert options("--timeout", text).timeout == seconds


def test_no_images_to_compare_on_is_a_choice() -> None:
    assert options("--evaluate", "0").evaluate == 0
    with pytest.raises(UsageError):
        options("--evaluate", "-1")


@pytest.mark.parametrize("option", ["--algo", "--calibration_algorithm", "--calibration-algorithm"])
def test_algorithms_in_upper_and_lower_case(option: str) -> None:
    assert options(option, "kl").algo == "KL"
    assert options(option, "Percentile").algo == "PERCENTILE"
    assert options().algo is None


def test_the_version_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"launch_quantization {__version__}, TensorFlow 2.14 by default\n"


def test_names_are_separated_by_commas_and_options_repeat() -> None:
    parsed = options("--excluded_ops", "A, B,,", "--excluded-ops=C,A")
    assert parsed.excluded_ops == ("A", "B", "C")
    assert options("--allow_op", "ReadFile", "--allow-op=SaveV2,RestoreV2").allow_op == (
        "ReadFile",
        "SaveV2",
        "RestoreV2",
    )
    assert parsed.inputs == ()


@pytest.mark.parametrize("argv", [[], ["build"], ["doctor"], ["clean"], ["completion"], ["--help-all"]])
def test_help_neither_imports_docker_nor_rich(argv: list[str]) -> None:
    code = (
        "import sys; from launch_quantization.launch_quantization import main\n"
        f"sys.argv[1:] = {[*argv, '--help']!r}\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert ended.code == 0\n"
        "heavy = {'docker', 'rich', 'requests', 'platformdirs', 'difflib', 'launch_quantization.view.base'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "launch_quantization" in done.stdout


def test_the_entry_works_as_a_file_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "launch_quantization.py").write_text("raise SystemExit('the wrong launcher')")
    entry = ROOT / "launcher" / "launch_quantization.py"
    done = subprocess.run(
        [sys.executable, os.path.relpath(entry, tmp_path), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--in_graph" in done.stdout


_ENTRY = [sys.executable, str(ROOT / "launcher" / "launch_quantization.py")]


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_full_disk_where_the_output_goes_is_no_defect(stream: str, tmp_path: Path) -> None:
    """The exit code stays that of what happened, or is that of a failure; nothing is said twice."""
    argv = [*_ENTRY, "doctor"] if stream == "1" else [*_ENTRY, "--in_graph", str(tmp_path / "no.pb"), "-d", "/"]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {stream}>/dev/full', "sh", *argv], capture_output=True, text=True, check=False
    )
    assert done.returncode == (11 if stream == "1" else 3)
    assert ("No space left" in done.stderr) == (stream == "1")
    assert "internal" not in done.stderr


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["--dry-run", "--json", "--runtime", "local"]])
def test_a_full_disk_where_help_or_a_plan_goes(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "net.pb").write_bytes(b"graph")
    words = [*_ENTRY, *argv, "-g", str(tmp_path / "net.pb")]
    done = subprocess.run(["sh", "-c", '"$@" >/dev/full', "sh", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 11
    assert (
        done.stderr == "error: cannot write to <stdout>: No space left on device\n  make room where its output goes\n"
    )


def test_streams_that_the_caller_closed(tmp_path: Path) -> None:
    argv = [*_ENTRY, "--in_graph", str(tmp_path / "no.pb"), "-d", str(tmp_path)]
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *argv], check=False)
    assert done.returncode == 3


@pytest.mark.parametrize("command", [BUILD, DOCTOR])
def test_an_option_that_would_do_nothing_is_refused(command: Command[object]) -> None:
    with pytest.raises(UsageError):
        read_options(command, ["-i", "quantization:latest"])


@pytest.mark.parametrize("text", ["1.15", "2.14.0"])
def test_target(text: str) -> None:
    assert options("--target-tensorflow", text).target_tensorflow == text
    assert options().target_tensorflow is None


@pytest.mark.parametrize(
    ("argv", "task", "graphs", "tune"),
    [
        (["evaluate", "a.pb"], "evaluate", ("a.pb", None), False),
        (["compare", "a.pb", "b.pb", "--samples", "3"], "compare", ("a.pb", "b.pb"), False),
        (["benchmark", "--in_graph", "a.pb"], "benchmark", ("a.pb", None), False),
        (["evaluate", "--runtime", "local", "a.pb", "-d", "x", "b.pb"], "evaluate", ("a.pb", "b.pb"), False),
        (["tune", "a.pb", "--max_drop", "2"], "quantize", ("a.pb", None), True),
    ],
)
def test_sub_commands_on_graphs(argv: list[str], task: str, graphs: tuple[str, str | None], tune: bool) -> None:
    (command,) = [one for one in ON_GRAPHS if one.name == argv[0]]
    found = graph_options(command, argv[1:])
    assert (found.task, (found.in_graph, found.other_graph), found.tune) == (task, graphs, tune)


@pytest.mark.parametrize(("name", "words"), [("tune", ["a", "b"]), ("evaluate", ["a", "b", "c"])])
def test_more_graphs_than_a_sub_command_takes(name: str, words: list[str]) -> None:
    (command,) = [one for one in ON_GRAPHS if one.name == name]
    with pytest.raises(UsageError, match="takes"):
        graph_options(command, words)
