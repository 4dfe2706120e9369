"""A base image of Debian packages in place of one that cannot be pulled, and what is said where that cannot be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from launch_quantization.commands.cli import main
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.docker.image import base as base_image
from launch_quantization.runtimes.docker.image.base import SCRIPT, BaseUnavailableError, with_base
from launch_quantization.runtimes.docker.kind import Docker
from launch_quantization.stream.lines import BuildLog
from tests.launcher.commands.test_quantize import FakeRuntime, good
from tests.launcher.runtimes.docker.test_profile import ENGINE
from tests.launcher.tiny_context import LOCAL_BASE, VARIANT, make_tiny_context

PULLED = "cannot pull python:3.11: no route to host"


@pytest.fixture
def able(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny context on a machine that has all it takes, and a script that says it has made the base."""
    root = make_tiny_context(tmp_path / "context")
    monkeypatch.setattr(base_image, "context_root", lambda: root)
    monkeypatch.setattr("launch_quantization.building.context.context_root", lambda: root)
    monkeypatch.setattr(base_image.shutil, "which", lambda command: f"/usr/bin/{command}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    script = root / SCRIPT
    script.parent.mkdir()
    script.write_text("echo base: on $DOCKER_HOST >&2\ntouch made\n")
    return root


def lacking(root: Path, engine: Engine = ENGINE) -> Callable[[], str]:
    """A build that works once the script was there."""

    def build() -> str:
        if not (root / "made").exists():
            raise BaseUnavailableError(PULLED, "name another", engine, VARIANT)
        return "the tag"

    return build


def test_the_base_is_made_and_the_build_goes_on(able: Path) -> None:
    log: list[str] = []
    assert with_base(lacking(able), log.append) == "the tag"
    assert log == [f"Making {LOCAL_BASE} from Debian packages", "base: on unix:///nowhere.sock"]


def test_a_build_that_has_its_base_makes_none(able: Path) -> None:
    assert with_base(lambda: "the tag", print) == "the tag"
    assert not (able / "made").exists()


def refused(root: Path, engine: Engine = ENGINE) -> BaseUnavailableError:
    with pytest.raises(BaseUnavailableError) as caught:
        with_base(lacking(root, engine), lambda _line: None)
    assert caught.value.exit_code == 6
    assert caught.value.message.startswith(f"{PULLED}; and no base can be made of Debian packages here: ")
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("missing", ["docker", "debootstrap"])
def test_a_command_that_is_missing_is_named(able: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(base_image.shutil, "which", lambda command: None if command == missing else "/usr/bin/it")
    assert refused(able).message.endswith(f": the command {missing} is missing")


def test_an_ordinary_user_is_told_that_it_needs_root(able: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refused(able).message.endswith(": that needs root")


def test_an_old_python_is_not_among_debians_packages(able: Path) -> None:
    (able / f"image/requirements/tensorflow-{VARIANT}.in").write_text("# python: 3.7\n")
    assert refused(able).message.endswith(f": Debian has Python 3.11, and TensorFlow {VARIANT} needs 3.7")


def test_the_engine_of_another_machine_is_left_alone(able: Path) -> None:
    assert "is on another machine" in refused(able, replace(ENGINE, remote=True)).message


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo base: error: debootstrap failed >&2; exit 1", "debootstrap failed"),
        ("exit 3", f"{SCRIPT} ended with status 3"),
    ],
)
def test_a_script_that_fails_says_why(able: Path, script: str, said: str) -> None:
    (able / SCRIPT).write_text(script)
    assert refused(able).message.endswith(f": {said}")


def test_a_mirror_that_does_not_answer_is_given_up(able: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_image, "_LONGEST_SECONDS", 1)
    (able / SCRIPT).write_text("sleep 60")
    assert "took longer than" in refused(able).message


class Baseless(FakeRuntime):
    """A Docker runtime whose base image cannot be had."""

    def ensure(self, log: BuildLog) -> None:
        raise BaseUnavailableError(PULLED, "name another", ENGINE, VARIANT)


@pytest.fixture
def arguments(able: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of a run whose container has no base, and cannot get one."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(Docker, "open", lambda *_: Baseless(good))
    monkeypatch.setattr(
        "launch_quantization.runtimes.local.kind.LocalRuntime", lambda variant, ca_bundle, insist: FakeRuntime(good)
    )
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    out = tmp_path / "out.pb"
    return ["-g", str(tmp_path / "net.pb"), "-d", str(tmp_path / "images"), "-o", str(out), "--tensorflow", VARIANT]


def test_auto_goes_on_locally(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "local environment" in line]
    assert line == (
        f"not in a container, but in a local environment: {PULLED}; and no base can be made of Debian packages here: "
        "that needs root"
    )
    assert (tmp_path / "out.pb").exists()


def test_auto_makes_the_base(
    arguments: list[str], able: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Ready(FakeRuntime):
        def ensure(self, log: BuildLog) -> None:
            lacking(able)()

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Docker, "open", lambda *_: Ready(good))
    assert main(arguments) == 0
    shown = capsys.readouterr().err
    assert f"  Making {LOCAL_BASE} from Debian packages\n" in shown
    assert "local environment" not in shown


def test_who_asks_for_docker_gets_the_error(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--runtime", "docker"]) == 6
    assert f"error: {PULLED}\n  name another\n" in capsys.readouterr().err
    assert not (tmp_path / "out.pb").exists()


@pytest.mark.parametrize(("runtime", "code"), [("auto", 0), ("docker", 6)])
def test_a_build_ahead_of_runs_does_the_same(
    able: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], runtime: str, code: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("launch_quantization.runtimes.docker.engine.connect", lambda: ENGINE)
    monkeypatch.setattr(
        "launch_quantization.runtimes.docker.image.build.ensure_image", lambda *_args, **_options: lacking(able)()
    )
    made: list[str] = []

    class Local:
        def __init__(self, variant: str, ca_bundle: Path | None) -> None:
            self.environment = self
            self.path = "/the/environment"

        def ensure(self, log: BuildLog, *, force: bool) -> None:
            made.append("local")

    monkeypatch.setattr("launch_quantization.runtimes.local.kind.LocalRuntime", Local)
    assert main(["build", "--runtime", runtime, "--tensorflow", VARIANT]) == code
    shown = capsys.readouterr()
    if code:
        assert f"error: {PULLED}" in shown.err
        assert made == []
    else:
        assert f"making a local environment instead of an image: {PULLED}" in shown.err
        assert shown.out.endswith("/the/environment\n")
