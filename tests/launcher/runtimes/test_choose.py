from __future__ import annotations

from dataclasses import replace

import pytest

from launch_quantization.commands.options import run_options
from launch_quantization.contract.words import AUTO, RUNTIMES, TRIED
from launch_quantization.errors import BuildError, EngineUnreachableError, UsageError
from launch_quantization.runtimes import choose
from launch_quantization.runtimes.choose import load_kinds, ready_runtime, try_kinds
from launch_quantization.runtimes.docker.kind import Docker
from launch_quantization.runtimes.kind import Kind
from launch_quantization.runtimes.local.kind import Local
from tests.launcher.commands.test_quantize import FakeRuntime, good

OPTIONS = run_options(["-g", "net.pb", "-d", "images"])


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, message: str) -> None:
        self.lines.append(message)

    warn = note


def test_each_name_of_the_contract_is_a_folder_with_a_kind_of_that_name() -> None:
    assert [kind.name for kind in load_kinds(AUTO)] == list(TRIED)
    kinds = [kind for name in RUNTIMES if name != AUTO for kind in load_kinds(name)]
    assert [kind.name for kind in kinds] == [name for name in RUNTIMES if name != AUTO]
    for kind in kinds:
        assert load_kinds(kind.name) == [kind]
        for text in (kind.where, kind.makes, kind.need):
            assert text


def test_the_needs_of_kinds_are_findings_of_their_own() -> None:
    kinds = [kind for name in RUNTIMES if name != AUTO for kind in load_kinds(name)]
    assert len({kind.need for kind in kinds}) == len(kinds)


def test_auto_goes_on_and_says_why() -> None:
    asked: list[tuple[str, str, str]] = []

    def attempt(kind: Kind) -> str:
        if kind.name == "docker":
            raise EngineUnreachableError("no engine", "start one")
        return kind.name

    found = try_kinds(OPTIONS, attempt, lambda kind, other, why: asked.append((kind.name, other.name, why)))
    assert found == "local"
    assert asked == [("docker", "local", "no engine")]


def test_the_last_ones_error_is_the_users() -> None:
    def attempt(kind: Kind) -> str:
        raise EngineUnreachableError(f"no {kind.name}", "")

    with pytest.raises(EngineUnreachableError, match="no local"):
        try_kinds(OPTIONS, attempt, lambda *_: None)


def test_what_another_runtime_would_not_mend_ends_it() -> None:
    tried: list[str] = []

    def attempt(kind: Kind) -> str:
        tried.append(kind.name)
        raise BuildError("a step failed", "")

    with pytest.raises(BuildError, match="a step failed"):
        try_kinds(OPTIONS, attempt, lambda *_: None)
    assert tried == ["docker"]


def test_who_names_one_gets_no_other() -> None:
    def attempt(kind: Kind) -> str:
        raise EngineUnreachableError(f"no {kind.name}", "")

    with pytest.raises(EngineUnreachableError, match="no docker"):
        try_kinds(replace(OPTIONS, runtime="docker"), attempt, lambda *_: None)


def test_options_are_looked_at_before_any_runtime() -> None:
    def attempt(kind: Kind) -> str:
        raise AssertionError("not to be tried")

    with pytest.raises(UsageError, match="no such variant"):
        try_kinds(replace(OPTIONS, tensorflow="0.1"), attempt, lambda *_: None)


def test_a_runtime_that_cannot_be_made_ready_is_left_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lacking(FakeRuntime):
        def ensure(self, log: object) -> None:
            raise EngineUnreachableError("the engine went away", "")

    there = FakeRuntime(good)
    monkeypatch.setattr(Docker, "open", lambda *_: Lacking(good))
    monkeypatch.setattr(Local, "open", lambda *_: there)
    told = Told()
    assert ready_runtime(OPTIONS, told, "0123456789ab", lambda _line: None) is there
    assert "not in a container, but in a local environment: the engine went away" in told.lines


def test_a_new_runtime_needs_its_folder_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module is found by name: nothing else lists runtimes."""

    class Made(Local):
        name = "made_up"

    module = type("module", (), {"KIND": Made()})
    monkeypatch.setattr(choose, "TRIED", (*TRIED, "made_up"))
    loaded = choose.importlib.import_module
    monkeypatch.setattr(
        choose.importlib, "import_module", lambda name: module if name.endswith(".made_up.kind") else loaded(name)
    )
    assert [kind.name for kind in load_kinds()][-1] == "made_up"
