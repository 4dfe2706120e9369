"""Jobs in real containers: what they may do, how they end, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launch_quantization.errors import (
    BadInputError,
    DeadlineError,
    EngineUnreachableError,
    ImageMissingError,
    Interrupted,
    OutOfMemoryError,
    OutputRefusedError,
    QuantizationFailedError,
)
from launch_quantization.runtimes.docker import profile
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.docker.runtime import DockerRuntime, our_containers, reap
from launch_quantization.view.listener import Listener
from launch_quantization.view.plain import PlainView
from tests.launcher.docker_support import any_image, make_job, make_staging

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def runtime(engine: Engine) -> Iterator[DockerRuntime]:
    """A runtime of which nothing may be left after the test."""
    runtime = DockerRuntime(engine, image=any_image(engine))
    runtime.ensure(lambda _line: None)
    yield runtime
    assert runtime.container_name not in [container.name for container in our_containers(engine)]


class Lines(list[tuple[str, str]]):
    """A LineSink that keeps what it is given, as (stream, text)."""

    def __call__(self, line: bytes, stream: str) -> None:
        self.append((stream, line.decode("utf-8", errors="replace")))

    def of(self, stream: str) -> list[str]:
        return [text for name, text in self if name == stream]


def run(runtime: DockerRuntime, folder: Path, script: str, **fields: object) -> tuple[int, Lines]:
    lines = Lines()
    return runtime.run(make_job(folder, script, **fields), make_staging(folder), lines), lines


def test_output_and_status(runtime: DockerRuntime, tmp_path: Path) -> None:
    status, lines = run(runtime, tmp_path, "echo one; echo two >&2; printf 'no end'; exit 7")
    assert status == 7
    assert lines.of("stdout") == ["one", "no end"]
    assert lines.of("stderr") == ["two"]


def test_a_job_that_makes_no_progress(runtime: DockerRuntime, tmp_path: Path) -> None:
    stage = '{"event": "stage", "name": "calibrate", "index": 3, "total": 6}'
    with pytest.raises(DeadlineError, match="no progress for 2 s, in stage 3/6, calibrate"):
        run(runtime, tmp_path, f"echo '{stage}'; while :; do echo busy; sleep 0.2; done", stall_timeout=2.0)


@pytest.mark.parametrize(
    "script",
    [
        "head -c 9000000 /dev/zero > /workspace/output/x; sleep 30",
        "i=0; while :; do head -c 100000 /dev/zero > /workspace/output/$i; i=$((i + 1)); done",
    ],
)
def test_a_job_that_fills_the_disk(runtime: DockerRuntime, tmp_path: Path, script: str) -> None:
    with pytest.raises(OutputRefusedError, match="more than 8 MiB into the output"):
        run(runtime, tmp_path, script, output_limit=8 << 20)


def test_no_file_may_be_larger_than_the_room(runtime: DockerRuntime, tmp_path: Path) -> None:
    """What is written between two looks, or into a file that has no name any more, is limited, too."""
    script = "ulimit -c 0; cd /workspace/output; head -c 900000000 /dev/zero > x; echo $?; wc -c < x; rm x"
    _, lines = run(runtime, tmp_path, script, output_limit=8 << 20, memory=64 << 20)
    assert lines.of("stdout") == ["153", str(16 << 20)]


@pytest.mark.parametrize("doing", ["kill", "remove"])
def test_a_container_that_somebody_else_ends(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path, doing: str
) -> None:
    """Neither is lack of memory, and both say what it was."""
    listener = Listener(PlainView(quiet=True))

    def end(line: bytes, stream: str) -> None:
        listener(line, stream)
        if doing == "kill":
            engine.client.kill(runtime.container_name)
        else:
            engine.client.remove_container(runtime.container_name, force=True)

    with pytest.raises(QuantizationFailedError) as caught:
        listener.check(runtime.run(make_job(tmp_path, "echo here; sleep 30"), make_staging(tmp_path), end))
    assert ("killed from outside" if doing == "kill" else "somebody removed") in caught.value.message
    assert "--memory" not in caught.value.remedy


def test_what_a_running_job_looks_like_from_outside(engine: Engine, runtime: DockerRuntime, tmp_path: Path) -> None:
    seen: list[dict[str, object]] = []

    def inspect(_line: bytes, _stream: str) -> None:
        seen.append(engine.client.inspect_container(runtime.container_name))

    runtime.run(make_job(tmp_path, "echo here; sleep 1"), make_staging(tmp_path), inspect)
    (state,) = seen
    host = state["HostConfig"]
    assert isinstance(host, dict)
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["NetworkMode"] == "none"
    assert "no-new-privileges" in host["SecurityOpt"]
    assert not host["Privileged"]
    assert host["Init"]
    assert host["PidsLimit"] == profile.PROCESSES
    assert host["Memory"] > 0
    assert state["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"  # type: ignore[index]
    modes = {mount["Destination"]: mount["RW"] for mount in state["Mounts"]}  # type: ignore[attr-defined]
    assert modes == {
        "/workspace/pretrained_model/in.pb": False,
        "/workspace/dataset": False,
        "/workspace/output": True,
    }


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /usr/x",
        "touch /workspace/dataset/x",
        "echo x > /workspace/pretrained_model/in.pb",
        "python3 -c \"import socket; socket.create_connection(('192.0.2.1', 80), 2)\"",
        "chown 1:1 /workspace/output",
        "mount -t tmpfs x /mnt",
        "printf '#!/bin/sh\\n' > /tmp/x; chmod +x /tmp/x; /tmp/x",
    ],
)
def test_what_a_job_may_not(runtime: DockerRuntime, tmp_path: Path, attempt: str) -> None:
    status, _ = run(runtime, tmp_path, attempt)
    assert status != 0


def test_what_a_job_may(runtime: DockerRuntime, tmp_path: Path) -> None:
    script = "cd /workspace && cat pretrained_model/in.pb && ls dataset && touch output/new /tmp/x && echo $HOME"
    status, lines = run(runtime, tmp_path, script)
    assert (status, lines.of("stderr")) == (0, [])
    made = tmp_path / "staging/output/new"
    assert (made.stat().st_uid, made.stat().st_gid) == (os.getuid(), os.getgid())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a job as somebody else")
def test_any_uid_will_do(runtime: DockerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "_choose_user", lambda _engine: "54321:12345")
    (make_staging(tmp_path) / "output").chmod(0o777)
    status, lines = run(runtime, tmp_path, "touch /workspace/output/new && id -u && python3 -c 'import tempfile'")
    assert (status, lines.of("stdout")) == (0, ["54321"])
    assert (tmp_path / "staging/output/new").stat().st_uid == 54321


@pytest.mark.parametrize("name", ["a b", "a:b:ro", "a,b", 'a"b', "ü€", "-d", "a=b,readonly", "$(x)'"])
def test_any_path_is_mounted(runtime: DockerRuntime, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    job = make_job(folder, "cat /workspace/pretrained_model/*.pb; echo; cat /workspace/dataset/*; echo done")
    odd = job.in_graph.rename(folder / f"{name}.pb")  # type: ignore[union-attr]
    odd.write_text("graph")
    (folder / "data" / name).write_text("image")
    job = replace(job, in_graph=odd)
    lines = Lines()
    assert runtime.run(job, make_staging(folder), lines) == 0
    assert lines.of("stdout") == ["graph", "image", "done"] or lines.of("stdout") == ["graph", "imagedone"]
    command = runtime.plan(job, folder / "none")["command"]
    pasted = subprocess.run(command, capture_output=True, text=True, check=True)  # type: ignore[call-overload]
    assert "graph" in pasted.stdout
    assert "image" in pasted.stdout


def test_out_of_memory(runtime: DockerRuntime, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError, match="64 MiB"):
        run(runtime, tmp_path, "exec python3 -c 'x = bytearray(1 << 28)'", memory=64 << 20)


def test_out_of_memory_in_a_child_only(runtime: DockerRuntime, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError):
        run(runtime, tmp_path, "python3 -c 'x = bytearray(1 << 28)'; exit 3", memory=64 << 20)


def test_a_job_that_got_over_it_is_a_success(runtime: DockerRuntime, tmp_path: Path) -> None:
    assert run(runtime, tmp_path, "python3 -c 'x = bytearray(1 << 28)'; exit 0", memory=64 << 20)[0] == 0


@pytest.mark.parametrize("script", ["sleep 1000", "while :; do echo x; done", "exec >&- 2>&-; sleep 1000"])
def test_the_deadline(runtime: DockerRuntime, tmp_path: Path, script: str) -> None:
    with pytest.raises(DeadlineError, match="--timeout 1 s"):
        run(runtime, tmp_path, script, timeout=1.0)


def test_a_job_that_closes_its_output_is_waited_for(runtime: DockerRuntime, tmp_path: Path) -> None:
    status, _ = run(runtime, tmp_path, "exec >&- 2>&-; sleep 1; exit 5")
    assert status == 5


def test_an_endless_line_and_bytes_that_are_no_text(runtime: DockerRuntime, tmp_path: Path) -> None:
    lines: list[bytes] = []
    script = "head -c 1000000 /dev/zero | tr '\\0' x; echo; printf '\\377\\376\\n'; echo end"
    assert (
        runtime.run(make_job(tmp_path, script), make_staging(tmp_path), lambda line, _stream: lines.append(line)) == 0
    )
    assert [len(line) for line in lines] == [65536, 2, 3]
    assert lines[1] == b"\xff\xfe"


def test_a_missing_image(engine: Engine) -> None:
    with pytest.raises(ImageMissingError, match="no-such-image:1"):
        DockerRuntime(engine, image="no-such-image:1").ensure(lambda _line: None)


def test_an_image_removed_in_between(engine: Engine, tmp_path: Path) -> None:
    name = f"quantization-test:gone{os.getpid()}"
    engine.client.tag(any_image(engine), *name.split(":"))
    runtime = DockerRuntime(engine, image=name)
    runtime.ensure(lambda _line: None)
    engine.client.remove_image(name)
    with pytest.raises(ImageMissingError):
        run(runtime, tmp_path, "true")


def test_an_image_that_is_none_of_ours(runtime: DockerRuntime, tmp_path: Path) -> None:
    with pytest.raises(ImageMissingError, match="not built by this tool"):
        run(runtime, tmp_path, "exit 127")


def test_an_input_that_vanished(runtime: DockerRuntime, tmp_path: Path) -> None:
    job = make_job(tmp_path)
    (tmp_path / "in.pb").unlink()
    with pytest.raises(BadInputError, match=r"in\.pb is gone"):
        runtime.run(job, make_staging(tmp_path), Lines())


def test_an_engine_that_does_not_see_our_files(
    runtime: DockerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remote engine looks like this: the path is here, and not there."""
    job = make_job(tmp_path)
    (tmp_path / "in.pb").unlink()
    monkeypatch.setattr(Path, "exists", lambda _path: True)
    with pytest.raises(EngineUnreachableError, match="cannot see the files of this machine"):
        runtime.run(job, make_staging(tmp_path), Lines())


def test_an_interruption_stops_gracefully(runtime: DockerRuntime, tmp_path: Path) -> None:
    script = "trap 'touch /workspace/output/asked; exit' TERM; echo ready; sleep 1000 & wait"

    def interrupt(_line: bytes, _stream: str) -> None:
        raise Interrupted(signal.SIGINT)

    with pytest.raises(Interrupted):
        runtime.run(make_job(tmp_path, script), make_staging(tmp_path), interrupt)
    assert (tmp_path / "staging/output/asked").exists()


def test_a_second_interruption_kills(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job ignores SIGTERM; the second signal arrives while the engine waits for it to end."""
    monkeypatch.setattr("launch_quantization.runtimes.docker.container.GRACE_SECONDS", 1000)
    before = signal.signal(signal.SIGINT, _raise)
    stopped: list[bool] = []

    def second() -> None:
        while not stopped:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    def first(_line: bytes, _stream: str) -> None:
        stopped.append(True)
        raise Interrupted(signal.SIGINT)

    sender = threading.Thread(target=second)
    sender.start()
    try:
        with pytest.raises(Interrupted):
            runtime.run(
                make_job(tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done"), make_staging(tmp_path), first
            )
    finally:
        sender.join()
        signal.signal(signal.SIGINT, before)


def _raise(signum: int, _frame: object) -> None:
    raise Interrupted(signum)


_LAUNCHER = """\
import sys
from pathlib import Path
from launch_quantization.runtimes.docker.runtime import DockerRuntime
from launch_quantization.runtimes.docker.engine import connect
from tests.launcher.docker_support import any_image, make_job, make_staging
engine = connect()
runtime = DockerRuntime(engine, image=any_image(engine), run_id=sys.argv[2])
folder = Path(sys.argv[1])
runtime.run(make_job(folder, "echo ready; sleep 1000"), make_staging(folder), lambda line, _: print(line, flush=True))
"""


def test_what_a_killed_launcher_left_is_reaped_and_a_live_one_is_spared(engine: Engine, tmp_path: Path) -> None:
    killed, alive = (_start_launcher(tmp_path / name, f"{os.getpid():08x}{name}") for name in ("dead", "live"))
    try:
        killed.kill()
        killed.wait()
        assert f"quantization-{os.getpid():08x}dead" in reap(engine, print)
        assert f"quantization-{os.getpid():08x}live" in [container.name for container in our_containers(engine)]
    finally:
        alive.kill()
        alive.wait()
        reap(engine, print)


def _start_launcher(folder: Path, run_id: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, str(folder), run_id],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"b'ready'\n"
    return process


def test_the_plan_is_json(runtime: DockerRuntime, tmp_path: Path) -> None:
    plan = json.loads(json.dumps(runtime.plan(make_job(tmp_path), tmp_path)))
    assert plan["runtime"] == "docker"
    assert plan["command"][:2] == ["docker", "run"]
    assert plan["image_ready"] is True
    shell = runtime.plan(make_job(tmp_path, debug=True), tmp_path)["command"]
    assert {"--interactive", "--tty"} <= set(shell)  # type: ignore[call-overload]
