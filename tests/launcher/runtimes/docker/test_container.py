"""The attached stream taken apart, and containers whose launcher may be gone."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_quantization.errors import EngineUnreachableError
from launch_quantization.runtimes.docker import reaper
from launch_quantization.runtimes.docker.container import Demultiplexer
from tests.launcher.fake_engine import frame

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8)


@given(FRAMES, st.lists(st.integers(1, 30), max_size=60))
def test_frames_come_out_however_they_were_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(number, payload) for number, payload in frames)
    demultiplexer = Demultiplexer()
    got = {"stdout": b"", "stderr": b""}
    for size in [*cuts, len(data)]:
        piece, data = data[:size], data[size:]
        for stream, payload in demultiplexer.feed(piece):
            got[stream] += payload
    assert got["stdout"] == b"".join(payload for number, payload in frames if number == 1)
    assert got["stderr"] == b"".join(payload for number, payload in frames if number == 2)


@pytest.mark.parametrize("data", [frame(9, b"x"), b"HTTP/1.1 500", b"\1\1\0\0\0\0\0\1x"])
def test_a_stream_that_is_none(data: bytes) -> None:
    with pytest.raises(EngineUnreachableError):
        list(Demultiplexer().feed(data))


def test_a_huge_frame_is_not_kept() -> None:
    demultiplexer = Demultiplexer()
    list(demultiplexer.feed(b"\1\0\0\0\xff\xff\xff\xff"))
    assert [len(piece) for _, piece in demultiplexer.feed(b"x" * 1000)] == [1000]


def entry(**changes: str) -> dict[str, object]:
    labels = {name.rpartition(".")[2]: value for name, value in reaper.labels("0123456789ab").items()}
    labels.update(changes)
    return {
        "Id": "c0ffee",
        "Names": ["/quantization-0123456789ab"],
        "Labels": {f"io.github.quantization.{name}": value for name, value in labels.items()},
    }


def test_a_container_of_this_process_is_alive() -> None:
    ours = reaper._read_entry(entry())
    assert ours.here
    assert ours.alive
    assert (ours.name, ours.run_id, ours.owner) == ("quantization-0123456789ab", "0123456789ab", os.getuid())


def test_a_container_of_a_dead_process() -> None:
    child = subprocess.Popen(["true"])
    process = reaper._read_process(child.pid)
    child.wait()
    assert not reaper._read_entry(entry(process=process)).alive


@pytest.mark.parametrize("process", [f"{os.getpid()}:1", "", "1", "x:y", f"{os.getpid()}"])
def test_a_recycled_pid_is_not_alive(process: str) -> None:
    assert not reaper._read_entry(entry(process=process)).alive


def test_another_boot_is_dead_here() -> None:
    assert not reaper._read_entry(entry(boot="another")).alive


@pytest.mark.parametrize(
    "changes", [{"host": socket.gethostname()}, {"host": "another"}, {"owner": str(os.getuid() + 1)}]
)
def test_what_nobody_can_know_here_counts_as_alive(changes: dict[str, str]) -> None:
    ours = reaper._read_entry(entry(boot="another", process="1:1", **changes))
    assert not ours.here
    assert ours.alive


def test_a_container_that_inherited_our_labels_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `docker commit` of a shell, and `docker run` of what came of it."""
    theirs = {**entry(boot="another"), "Names": ["/precious"]}
    client = SimpleNamespace(containers=lambda **_: [theirs, entry()])
    found = reaper.our_containers(SimpleNamespace(client=client))  # type: ignore[arg-type]
    assert [container.name for container in found] == ["quantization-0123456789ab"]


def test_a_process_that_ends_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: Path, *_: object, **__: object) -> str:
        raise ProcessLookupError

    monkeypatch.setattr(Path, "read_text", gone)
    assert reaper._read_process(os.getpid()) == ""


@pytest.mark.parametrize("labels", [None, {}, {"io.github.quantization.owner": "root"}])
def test_labels_that_are_none_are_nobodys(labels: object) -> None:
    ours = reaper._read_entry({"Id": "c0ffee", "Names": None, "Labels": labels})
    assert not ours.here
    assert ours.alive
