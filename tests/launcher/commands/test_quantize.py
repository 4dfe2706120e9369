"""The plain call from argv to files in place, with a runtime that only pretends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launch_quantization import signals
from launch_quantization.commands.cli import main
from launch_quantization.errors import EngineUnreachableError, Interrupted, OutOfMemoryError
from launch_quantization.job.job import Job
from launch_quantization.output.runs import runs_root
from launch_quantization.runtimes.docker.kind import Docker
from launch_quantization.stream.lines import BuildLog, LineSink
from tests.launcher.support import RESULT, VERDICT, graph, leave_output, line


class FakeRuntime:
    """Does to the staging directory what ``inside`` says, and ends with its status."""

    name = "fake"

    def __init__(self, inside: Callable[[Path, LineSink], int]) -> None:
        self._inside = inside

    def describe(self) -> str:
        return "a runtime that only pretends"

    def ensure(self, log: BuildLog) -> None:
        log("building \x1b[31mnothing")

    def run(self, job: Job, staging: Path, on_line: LineSink) -> int:
        return self._inside(staging / "output", on_line)

    def shell(self, job: Job, staging: Path) -> int:
        assert staging.is_dir()
        return 42

    def is_ready(self) -> bool:
        return True

    def identity(self) -> dict[str, object]:
        return {"runtime": self.name, "tensorflow": "2.14", "packages": [], "revision": "1234"}

    def plan(self, job: Job, staging: Path) -> dict[str, object]:
        return {"runtime": self.name, "command": ["run", "a b", "--job", "{}"]}


def good(output: Path, on_line: LineSink) -> int:
    leave_output(output, files={"out.pb": graph("new graph"), "out.report.html": b"<html>"})
    on_line(line("stage", name="read", index=1, total=6), "stdout")
    on_line(line("result", **RESULT), "stdout")
    on_line(line("end", exit_code=0), "stdout")
    return 0


@pytest.fixture
def signals_raise() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in signals.SIGNALS}
    signals.install()
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.usefixtures("signals_raise")
@pytest.mark.parametrize(
    ("step", "in_place"), [("output.collect._hash_file", False), ("output.placement._Move._sync", True)]
)
def test_an_interruption_while_results_are_collected(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str, in_place: bool
) -> None:
    """Checking may take long and can be interrupted; moving cannot, and then the message must not deny it."""

    def interrupted(*_: object) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "0" * 64

    monkeypatch.setattr(f"launch_quantization.{step}", interrupted)
    assert call(old, monkeypatch, good) == 130
    assert old.read_bytes() == (graph("new graph") if in_place else b"old graph")
    assert ("already in place" in capsys.readouterr().err) == in_place
    assert nothing_left(old)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output of an earlier run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "out.pb").write_bytes(b"old graph")
    return tmp_path / "results" / "out.pb"


def call(old: Path, monkeypatch: pytest.MonkeyPatch, inside: Callable[[Path, LineSink], int], *more: str) -> int:
    monkeypatch.setattr(Docker, "open", lambda *_: FakeRuntime(inside))
    root = old.parent.parent
    return main(["-g", str(root / "net.pb"), "-d", str(root / "images"), "-o", str(old), *more])


def nothing_left(old: Path) -> bool:
    return not list(runs_root().iterdir()) and not [path for path in old.parent.iterdir() if path.name.startswith(".")]


def untouched(old: Path) -> bool:
    return list(old.parent.iterdir()) == [old] and old.read_bytes() == b"old graph"


def looking(code: int, word: str | None, *texts: str) -> Callable[[Path, LineSink], int]:
    """What a task that leaves no files does."""

    def inside(_output: Path, on_line: LineSink) -> int:
        verdict = None if word is None else {**VERDICT, "word": word}
        told = {"task": "evaluate", "graphs": ["net.pb"], "verdict": verdict, "lines": list(texts), "accuracy": None}
        on_line(line("looked", **told), "stdout")
        on_line(line("end", exit_code=code), "stdout")
        return code

    return inside


@pytest.mark.parametrize(("word", "code"), [(None, 0), ("held", 0), ("broken", 12)])
def test_a_look_at_graphs_is_printed_and_leaves_nothing(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str | None, code: int
) -> None:
    inside = looking(code, word, "top-1 80.00 on 500 images", "\x1b[31mred")
    monkeypatch.setattr(Docker, "open", lambda *_: FakeRuntime(inside))
    root = old.parent.parent
    graphs = [str(root / "net.pb"), str(root / "net.pb")]
    assert main(["evaluate", *graphs, "-d", str(root / "images")]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == "top-1 80.00 on 500 images"
    assert "\x1b" not in lines[-1]
    assert (VERDICT["text"] in lines) == (word is not None)
    assert untouched(old)
    assert nothing_left(old)


def test_a_look_with_json_is_an_event(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Docker, "open", lambda *_: FakeRuntime(looking(0, None, "a line")))
    assert main(["benchmark", str(old.parent.parent / "net.pb"), "--json"]) == 0
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events if event["event"] != "log"] == ["looked", "end"]
    assert next(event for event in events if event["event"] == "looked")["lines"] == ["a line"]


def broken(output: Path, on_line: LineSink) -> int:
    leave_output(output, files={"out.pb": graph("new graph"), "out.report.html": b"<html>"})
    on_line(line("result", **{**RESULT, "verdict": VERDICT}), "stdout")
    on_line(line("end", exit_code=12), "stdout")
    return 12


def test_a_graph_that_lost_too_much_is_delivered_with_its_own_exit_code(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(old, monkeypatch, broken) == 12
    assert old.read_bytes() == graph("new graph")
    assert VERDICT["text"] in capsys.readouterr().out
    assert nothing_left(old)


def test_a_good_run(old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(old, monkeypatch, good) == 0
    assert old.read_bytes() == graph("new graph")
    assert nothing_left(old)
    shown = capsys.readouterr()
    assert "a runtime that only pretends\n  building nothing\n[1/6] read\n" in shown.err
    assert str(old) in shown.out


def bad_input(output: Path, on_line: LineSink) -> int:
    leave_output(output)
    on_line(line("error", kind="bad_input", message="the graph is cut off", remedy="copy it again"), "stdout")
    return 3


def out_of_memory(output: Path, on_line: LineSink) -> int:
    raise OutOfMemoryError("too much", "use less")


def interrupted(output: Path, on_line: LineSink) -> int:
    leave_output(output)
    raise Interrupted(signal.SIGTERM)


def lying(output: Path, on_line: LineSink) -> int:
    good(output, on_line)
    (output / "out.pb").unlink()
    (output / "out.pb").symlink_to("/etc/passwd")
    return 0


def silent(output: Path, on_line: LineSink) -> int:
    return 1


@pytest.mark.parametrize(
    ("inside", "code", "words"),
    [
        (bad_input, 3, "error: the graph is cut off\n  copy it again\n"),
        (out_of_memory, 9, "error: too much\n  use less\n"),
        (interrupted, 143, "error: interrupted by SIGTERM"),
        (lying, 11, "error: the job's output is refused"),
        (silent, 8, "error: the job ended with status 1"),
    ],
)
def test_failures(
    old: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    inside: Callable[[Path, LineSink], int],
    code: int,
    words: str,
) -> None:
    assert call(old, monkeypatch, inside) == code
    assert untouched(old)
    assert nothing_left(old)
    assert words in capsys.readouterr().err


def test_json_ends_with_the_launchers_own_end(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(old, monkeypatch, lying, "--json") == 11
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events[-2:]] == ["error", "end"]
    assert (events[-2]["kind"], events[-1]["exit_code"]) == ("output_refused", 11)
    assert [event["event"] for event in events].count("end") == 1


@pytest.mark.parametrize(("inside", "code"), [(good, 0), (bad_input, 3)])
def test_a_staging_directory_that_cannot_be_removed_costs_neither_results_nor_the_cause(
    old: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    inside: Callable[[Path, LineSink], int],
    code: int,
) -> None:
    real = os.rmdir

    def stuck(path: object, **more: int) -> None:
        if str(path).endswith(".quantizing"):
            raise OSError(16, "Device or resource busy")
        real(path, **more)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(os, "rmdir", stuck)
    assert call(old, monkeypatch, inside) == code
    told = capsys.readouterr().err
    assert "warning: cannot remove" in told
    assert told.count("error: ") == (1 if code else 0)
    assert (old.read_bytes() == graph("new graph")) == (code == 0)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(old.parent.parent / "cache"))
    assert not nothing_left(old)
    assert call(old, monkeypatch, good) == 0
    assert nothing_left(old)


def bad_image(output: Path, on_line: LineSink) -> int:
    on_line(line("error", kind="bad_input", message="/workspace/dataset/a.png is cut off", remedy=""), "stdout")
    return 3


def test_only_people_are_told_of_host_paths(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(old, monkeypatch, bad_image) == 3
    assert f"error: {old.parent.parent}/images/a.png is cut off\n" in capsys.readouterr().err
    assert call(old, monkeypatch, bad_image, "--json") == 3
    assert '"/workspace/dataset/a.png is cut off"' in capsys.readouterr().out


def no_room(output: Path, on_line: LineSink) -> int:
    message = "cannot write /workspace/output/out.pb: No space left on device"
    on_line(line("error", kind="output_refused", message=message, remedy="make room there"), "stdout")
    return 11


def test_no_room_inside_is_told_as_no_room_here(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(old, monkeypatch, no_room) == 11
    told = f"error: cannot write {old}: No space left on device\n  make room there\n"
    assert told in capsys.readouterr().err


def test_usage_errors_are_events_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--in_grahp", "x"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out.splitlines()[0])["kind"] == "usage"
    assert shown.err == "error: unknown option --in_grahp\n  did you mean --in_graph?\n"


def test_debug_returns_the_shells_own_code(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(old, monkeypatch, good, "--debug") == 42
    assert untouched(old)
    assert nothing_left(old)


def test_a_dry_run_changes_nothing(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(old, monkeypatch, good, "--dry-run") == 0
    plan, _, command = capsys.readouterr().out.rpartition("\n\n")
    assert command == "run 'a b' --job '{}'\n"
    assert json.loads(plan)["job"]["out_graph"] == "output/out.pb"
    assert [mount["target"] for mount in json.loads(plan)["mounts"]] == [
        "/workspace/pretrained_model/net.pb",
        "/workspace/dataset",
    ]
    assert untouched(old)
    assert call(old, monkeypatch, good, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["line"] == command.rstrip()


def test_auto_says_why_it_is_local(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object) -> None:
        raise EngineUnreachableError("no Docker engine answers at unix:///nowhere", "start it")

    monkeypatch.setattr(Docker, "open", unreachable)
    root = old.parent.parent
    call_ = ["-g", str(root / "net.pb"), "-o", str(old), "--dry-run"]
    assert main(call_) == 0
    assert "not in a container, but in a local environment: no Docker engine answers" in capsys.readouterr().err
    assert main([*call_, "--runtime", "docker"]) == 4
    assert "start it" in capsys.readouterr().err


def test_an_unknown_variant_is_a_usage_error(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = old.parent.parent
    assert main(["-g", str(root / "net.pb"), "-d", str(root / "images"), "-o", str(old), "--tensorflow", "2.41"]) == 2
    assert "2.41" in capsys.readouterr().err
    assert untouched(old)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_ca_that_is_none_is_refused_though_nothing_is_built(
    old: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    root = old.parent.parent
    named = root / "ca.pem"
    if content is not None:
        named.write_bytes(content)
    paths = ["-g", str(root / "net.pb"), "-d", str(root / "images"), "-o", str(old)]
    for argv in (paths, [*paths, "--runtime", "local", "--dry-run"], ["build"]):
        assert main([*argv, "--ca_bundle", str(named)]) == 2
        assert f"--ca-bundle {named}: " in capsys.readouterr().err
    assert untouched(old)


def test_more_memory_than_there_is_is_refused_before_anything_is_made(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = old.parent.parent
    paths = ["-g", str(root / "net.pb"), "-d", str(root / "images"), "-o", str(old)]
    for option, value in (("--memory", "999999g"), ("--cpus", "999")):
        assert main([*paths, "--runtime", "local", option, value]) == 2
        assert f"at most {option}" in capsys.readouterr().err
    assert untouched(old)


def test_two_launchers_on_one_output(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def second(output: Path, on_line: LineSink) -> int:
        assert call(old, monkeypatch, good) == 13
        return good(output, on_line)

    assert call(old, monkeypatch, second) == 0
    assert "another launcher is writing out.pb" in capsys.readouterr().err
    assert os.listdir(runs_root()) == []
