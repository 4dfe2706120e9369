"""An engine that dies or lies while a job runs: one clear error, and the removal is still tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from launch_quantization.errors import (
    DeadlineError,
    EngineUnreachableError,
    ImageMissingError,
    Interrupted,
    LauncherError,
    OutOfMemoryError,
    QuantizationFailedError,
)
from launch_quantization.runtimes.docker import runtime as docker_runtime
from launch_quantization.runtimes.docker.engine import connect
from launch_quantization.runtimes.docker.image.build import LATEST
from launch_quantization.runtimes.docker.reaper import container_name, labels
from launch_quantization.runtimes.docker.runtime import DockerRuntime, reap
from tests.launcher.docker_support import make_job, make_staging
from tests.launcher.fake_engine import Answer, FakeEngine, attached, frame, reply

EXITED = {"Id": "c0ffee", "State": {"Status": "exited", "ExitCode": 0, "OOMKilled": False}}


def fake(folder: Path, **changes: Answer) -> FakeEngine:
    """An engine that runs every job at once and well, but for the changes."""
    answers: dict[str, Answer] = {
        "image": reply({"Id": "sha256:1"}),
        "create": reply({"Id": "c0ffee", "Warnings": []}, "201 Created"),
        "attach": attached(frame(1, b"hello\n")),
        "start": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "inspect": reply(EXITED),
        "stop": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "remove": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    }
    answers.update(changes)
    routes = {
        "image": "GET .*/images/.+/json",
        "create": "POST .*/containers/create",
        "attach": "POST .*/containers/.+/attach",
        "start": "POST .*/containers/.+/start",
        "inspect": "GET .*/containers/.+/json",
        "stop": "POST .*/containers/.+/stop",
        "remove": "DELETE .*/containers/.+",
    }
    return FakeEngine(folder, {route: answers[name] for name, route in routes.items()})


def run(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: list[str] | None = None,
    **fields: object,
) -> list[bytes]:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    told = [] if warnings is None else warnings
    runtime = DockerRuntime(connect(), image="an:image", warn=told.append)
    lines: list[bytes] = []
    job = make_job(folder, **fields)
    assert runtime.run(job, make_staging(folder), lambda line, _stream: lines.append(line)) == 0
    return lines


def test_an_honest_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake(tmp_path) as engine:
        assert run(engine, tmp_path, monkeypatch) == [b"hello"]
        assert len(engine.asked("DELETE .*/containers/.+")) == 1
        asked = [request.path.rpartition("/")[2].partition("?")[0] for request in engine.asked("POST .*")]
        assert asked == ["create", "attach", "start"], "attached before it starts, or output is lost"


def failed(status: int) -> bytes:
    return reply({"Id": "c0ffee", "State": {"Status": "exited", "ExitCode": status, "OOMKilled": False}})


@pytest.mark.parametrize(
    ("status", "said", "lacks"),
    [
        (1, frame(2, b"/usr/bin/python3: No module named intel_quantization\n"), "intel_quantization"),
        (127, b"", "sh"),
    ],
)
def test_an_image_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: bytes, lacks: str
) -> None:
    with (
        fake(tmp_path, attach=attached(said), inspect=failed(status)) as engine,
        pytest.raises(ImageMissingError) as caught,
    ):
        run(engine, tmp_path, monkeypatch)
    assert caught.value.message == f"the image an:image has no {lacks}: it was not built by this tool"
    assert "leave --docker-image out" in caught.value.remedy


def test_a_job_that_started_has_our_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [frame(1, b"an event\n"), frame(2, b"No module named intel_quantization\n")]
    with fake(tmp_path, attach=attached(*said), inspect=failed(1)) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        runtime = DockerRuntime(connect(), image="an:image")
        assert runtime.run(make_job(tmp_path), make_staging(tmp_path), lambda _line, _stream: None) == 1


def test_an_image_that_is_not_there_is_not_announced_as_one_to_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake(tmp_path, image=reply({"message": "No such image"}, "404 Not Found")) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        described = DockerRuntime(connect(), image="nosuch:image").describe()
        assert described.endswith("image nosuch:image, which is not there")
        assert DockerRuntime(connect(), image=LATEST).describe().endswith("image to be built")


def hang_up(_request: object) -> bytes:
    return b""


@pytest.mark.parametrize(
    "changes",
    [
        {"attach": attached(b"\1\0\0\0\0\0"), "inspect": hang_up},
        {"attach": attached(frame(1, b"hello\n")[:-3]), "inspect": hang_up},
        {"attach": attached(frame(7, b"hello\n"))},
        {"attach": attached(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")},
        {"attach": hang_up},
        {"attach": reply({"message": "gone"}, "404 Not Found")},
        {"create": hang_up},
        {"create": b"HTTP/1.1 201 Created\r\nContent-Length: 6\r\n\r\n<html>"},
        {"create": reply({"message": "no space left on device"}, "500 Internal Server Error")},
        {"start": hang_up},
        {"start": reply({"message": "cgroups: cannot find"}, "500 Internal Server Error")},
        {"inspect": reply({})},
        {"inspect": reply({"State": {"Status": "exited", "ExitCode": "a lot", "OOMKilled": False}})},
        {"inspect": reply({"State": None})},
        {"attach": attached(frame(1, b"hello\n")[:-3])},
        {"attach": attached(b"\1\0\0\0\0\0")},
    ],
)
def test_an_engine_that_dies_or_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Answer]
) -> None:
    with fake(tmp_path, **changes) as engine:
        with pytest.raises(EngineUnreachableError) as caught:
            run(engine, tmp_path, monkeypatch)
        assert engine.asked("DELETE .*/containers/.+")
    assert "\n" not in caught.value.message


UNREMOVABLE = reply({"message": "driver failed to remove"}, "500 Internal Server Error")


def test_a_removal_that_fails_costs_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    with fake(tmp_path, remove=UNREMOVABLE) as engine:
        assert run(engine, tmp_path, monkeypatch, warnings) == [b"hello"]
    assert len(warnings) == 1
    assert "driver failed to remove" in warnings[0]
    assert "launch_quantization clean" in warnings[0]


@pytest.mark.parametrize(
    ("changes", "fields", "error", "words"),
    [
        ({"inspect": hang_up}, {}, EngineUnreachableError, "looking at"),
        ({"start": reply({"message": "cgroups"}, "500 Internal Server Error")}, {}, EngineUnreachableError, "cgroups"),
        ({"stop": UNREMOVABLE}, {"timeout": 0.1}, DeadlineError, "--timeout 0.1 s"),
    ],
)
def test_the_cause_is_told_and_not_what_went_wrong_while_cleaning_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Answer],
    fields: dict[str, object],
    error: type[LauncherError],
    words: str,
) -> None:
    warnings: list[str] = []
    with fake(tmp_path, remove=UNREMOVABLE, **changes) as engine, pytest.raises(error, match=words):
        run(engine, tmp_path, monkeypatch, warnings, **fields)
    assert any("driver failed to remove" in warning for warning in warnings)


def test_a_left_over_that_cannot_be_removed_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(name: str) -> dict[str, object]:
        tags = {**labels(name), "io.github.quantization.process": "1:1"}
        return {"Id": f"id-{name}", "Names": [f"/{container_name(name)}"], "Labels": tags}

    warnings: list[str] = []
    engine = fake(tmp_path)
    engine.answers = {
        "GET .*/containers/json": reply([dead("stuck"), dead("other")]),
        "DELETE .*/containers/id-stuck": UNREMOVABLE,
        **engine.answers,
    }
    with engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        assert reap(connect(), warnings.append) == [container_name("other")]
    assert len(warnings) == 1
    assert "driver failed to remove" in warnings[0]


def test_a_job_that_goes_on_after_its_output_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_runtime, "_ENDING_SECONDS", 0.2)
    running = reply({"Id": "c0ffee", "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False}})
    with fake(tmp_path, inspect=running) as engine, pytest.raises(EngineUnreachableError, match="cut off the output"):
        run(engine, tmp_path, monkeypatch)
    assert engine.asked("DELETE .*/containers/.+")


def test_a_stream_whose_end_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_runtime, "_SILENT_SECONDS", 0.1)
    with fake(tmp_path, attach=attached(frame(1, b"hello\n"), ends=False)) as engine:
        assert run(engine, tmp_path, monkeypatch) == [b"hello"]


def test_a_container_that_somebody_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = reply({"message": "No such container: c0ffee"}, "404 Not Found")
    with (
        fake(tmp_path, inspect=gone, remove=gone) as engine,
        pytest.raises(QuantizationFailedError, match="somebody removed the container"),
    ):
        run(engine, tmp_path, monkeypatch)


@pytest.mark.parametrize("kills", [0, 1])
def test_a_kill_is_lack_of_memory_only_if_the_kernel_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    counts = iter([5, 5 + kills])
    monkeypatch.setattr(docker_runtime, "oom_kills", lambda: next(counts))
    with fake(tmp_path, inspect=failed(137)) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        runtime = DockerRuntime(connect(), image="an:image")

        def status() -> int:
            return runtime.run(make_job(tmp_path), make_staging(tmp_path), lambda _line, _stream: None)

        if kills:
            with pytest.raises(OutOfMemoryError, match="the kernel ran out of memory"):
                status()
        else:
            assert status() == 137


@pytest.mark.parametrize("status", ["404 Not Found", "409 Conflict"])
def test_a_removal_by_somebody_else_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    with fake(tmp_path, remove=reply({"message": "removal is in progress"}, status)) as engine:
        assert run(engine, tmp_path, monkeypatch) == [b"hello"]


@pytest.mark.parametrize("error", [Interrupted(2), LauncherError("from the sink"), RuntimeError("a defect")])
def test_the_container_goes_whatever_the_sink_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def sink(_line: bytes, _stream: str) -> None:
        raise error

    with fake(tmp_path) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        with pytest.raises(type(error)):
            DockerRuntime(connect(), image="an:image").run(make_job(tmp_path), make_staging(tmp_path), sink)
        assert engine.asked("DELETE .*/containers/.+")
        assert bool(engine.asked("POST .*/stop")) == isinstance(error, Interrupted)


def test_the_image_is_not_asked_for_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake(tmp_path) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        runtime = DockerRuntime(connect(), image="an:image")
        steps: list[Callable[[], object]] = [runtime.describe, lambda: runtime.ensure(lambda _line: None)]
        for step in steps:
            step()
        assert len(engine.asked("GET .*/images/.+/json")) == 1
