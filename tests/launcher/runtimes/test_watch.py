"""A job that gets nowhere, or fills the disk, is ended and told where it was; one that gets on is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch_quantization.errors import DeadlineError, OutputRefusedError, QuantizationFailedError
from launch_quantization.job.job import Job
from launch_quantization.runtimes import watch as module
from launch_quantization.runtimes.watch import Room, Watch, output_limit, output_room
from tests.launcher.support import RESULT, line


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def watch(*rooms: Room, **fields: object) -> Watch:
    return Watch(lambda _line, _stream: None, Job(None, None, None, **fields), rooms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ([], "at its start"),
        ([line("stage", name="calibrate", index=3, total=6)], "in stage 3/6, calibrate"),
        ([line("progress", stage="calibrate", done=7, total=100, unit="images")], "after calibrate 7/100 images"),
        ([line("progress", stage="calibrate", done=7, total=None, unit="images")], "after calibrate 7 images"),
        ([line("log", level="info", message="a SavedModel")], "after it said: a SavedModel"),
        ([line("result", **RESULT)], "after its result"),
    ],
)
def test_where_a_job_came_to_a_halt(clock: list[float], said: list[bytes], where: str) -> None:
    watched = watch(stall_timeout=600.0)
    for one in said:
        watched(one, "stdout")
    clock[0] = 599.0
    watched.check()
    for noise in (b"still at it", line("stage", name="calibrate", index=3, total=6)):
        watched(noise, "stderr")  # whatever is printed there is no progress
    watched(b"garbage", "stdout")
    clock[0] = 601.0
    with pytest.raises(DeadlineError) as caught:
        watched.check()
    assert caught.value.message == f"the job made no progress for 10 min, {where}"
    assert "--stall_timeout" in caught.value.remedy


def test_saying_the_same_again_is_no_progress(clock: list[float]) -> None:
    watched = watch(stall_timeout=10.0)
    for second in range(5):
        clock[0] = float(second)
        watched(line("progress", stage="calibrate", done=1, total=2, unit="images"), "stdout")
    clock[0] = 10.5
    with pytest.raises(DeadlineError, match="for 10 s, after calibrate 1/2"):
        watched.check()


def test_a_job_that_gets_on_may_take_for_ever(clock: list[float]) -> None:
    watched = watch()
    for done in range(100):
        clock[0] += 3000.0
        watched.check()
        watched(line("progress", stage="calibrate", done=done, total=100, unit="images"), "stdout")


def test_no_patience_is_no_limit(clock: list[float]) -> None:
    watched = watch(stall_timeout=0.0)
    clock[0] = 1e9
    watched.check()


def room(folder: Path, limit: int) -> Room:
    return Room((folder,), limit, "the output", "allow more")


def test_what_a_job_writes_is_counted_wherever_it_is(tmp_path: Path, clock: list[float]) -> None:
    watched = watch(room(tmp_path, 1 << 20))
    deep = tmp_path / "a" / ".b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "link").symlink_to("/usr")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    clock[0] = 2.0
    watched.check()
    (deep / "x").write_bytes(os.urandom(2 << 20))
    watched.check()  # not looked at again yet
    clock[0] = 4.0
    with pytest.raises(OutputRefusedError, match="more than 1 MiB into the output") as caught:
        watched.check()
    assert caught.value.remedy == "allow more"


def test_many_small_files(tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILES", 20)
    watched = watch(room(tmp_path, 1 << 30))
    for number in range(21):
        (tmp_path / str(number)).touch()
    clock[0] = 2.0
    with pytest.raises(OutputRefusedError, match="more than 20 files"):
        watched.check()


def test_a_folder_that_hides_what_is_in_it(tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.os, "scandir", closed)
    watched = watch(room(tmp_path, 1))
    clock[0] = 2.0
    with pytest.raises(OutputRefusedError, match="nobody can look into"):
        watched.check()


def test_a_folder_that_has_gone(tmp_path: Path, clock: list[float]) -> None:
    watched = watch(room(tmp_path / "gone", 1))
    clock[0] = 2.0
    watched.check()


def test_an_endless_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 1000)
    watched = watch()
    for _ in range(500):
        watched(b"y", "stderr")
    with pytest.raises(QuantizationFailedError, match="printed more than"):
        watched(b"y", "stderr")


def test_the_room_follows_the_graph(tmp_path: Path) -> None:
    graph = tmp_path / "net.pb"
    graph.write_bytes(bytes(1000))
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(bytes(10))
    (folder / "variables" / "data").write_bytes(bytes(90))
    out = tmp_path / "out.pb"
    base = module.OUTPUT_BYTES
    assert output_limit(Job(graph, out, None)) == base + 4000
    assert output_limit(Job(folder, out, None)) == base + 400
    assert output_limit(Job(graph, out, None, intermediate=True)) == base + 40_000
    assert output_limit(Job(tmp_path / "gone.pb", out, None)) == base
    assert output_room(Job(graph, out, None, output_limit=5), tmp_path).limit == 5
