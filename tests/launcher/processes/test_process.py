from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from launch_quantization import signals
from launch_quantization.errors import DeadlineError, Interrupted, OutOfMemoryError, OutputRefusedError
from launch_quantization.processes import process, supervisor
from launch_quantization.processes.process import Limits, run_supervised

ROOT = Path(__file__).resolve().parents[3]


class Sink:
    """Collects lines; can act on one of them."""

    def __init__(self, on: bytes = b"", act: object = None) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self._on, self._act = on, act

    def __call__(self, line: bytes, stream: str) -> None:
        self.lines.append((stream, line))
        if line == self._on:
            self._act()  # type: ignore[operator]


def run(script: str, sink: Sink, check: Callable[[], None] = lambda: None, **limits: float) -> int:
    """Run a bash script under the supervisor."""
    return run_supervised(
        ["bash", "-c", script],
        variables={"PATH": os.environ["PATH"]},
        directory=ROOT,
        on_line=sink,
        limits=Limits(**limits),  # type: ignore[arg-type]
        check=check,
    )


def alive(mark: str) -> list[str]:
    """Processes whose command line holds the mark."""
    found = []
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdigit() and mark.encode() in (directory / "cmdline").read_bytes():
                found.append(directory.name)
        except OSError:
            continue
    return found


def interrupt() -> None:
    raise Interrupted(signal.SIGINT)


def test_output_and_status() -> None:
    sink = Sink()
    assert run("echo out; echo err >&2; printf end; exit 3", sink) == 3
    assert sorted(sink.lines) == [("stderr", b"err"), ("stdout", b"end"), ("stdout", b"out")]


def test_a_file_may_only_be_so_large(tmp_path: Path) -> None:
    sink = Sink()
    script = f"ulimit -c 0; head -c 9000000 /dev/zero > {tmp_path}/x; echo $?; wc -c < {tmp_path}/x"
    assert run(script, sink, file_size=1 << 20) == 0
    assert sink.lines[-2:] == [("stdout", b"153"), ("stdout", b"1048576")]


def test_a_check_that_fails_ends_the_command() -> None:
    def check() -> None:
        raise OutputRefusedError("too much")

    mark = "31.4159"
    with pytest.raises(OutputRefusedError):
        run(f"sleep {mark}", Sink(), check=check)
    assert alive(mark) == []


@pytest.mark.parametrize(("signum", "status"), [("KILL", 137), ("TERM", 143), ("SEGV", 139)])
def test_a_death_by_signal(signum: str, status: int) -> None:
    assert run(f"ulimit -c 0; kill -{signum} $$", Sink()) == status


def test_only_the_given_environment_and_no_stdin() -> None:
    sink = Sink()
    assert run("echo ${HOME-unset}; read line || echo eof", sink) == 0
    assert sink.lines == [("stdout", b"unset"), ("stdout", b"eof")]


def test_a_command_that_is_not_there() -> None:
    sink = Sink()
    status = run_supervised(["/no/such/thing"], variables={}, directory=ROOT, on_line=sink)
    assert status == 127
    assert b"/no/such/thing" in sink.lines[0][1]


def test_nothing_the_job_left_behind_survives() -> None:
    mark = f"4242.{os.getpid()}"
    stubborn = f"setsid bash -c 'trap \"\" TERM; sleep {mark}; :'"
    assert run(f"setsid sleep {mark} & ({stubborn}) & sleep 0.2", Sink()) == 0
    assert alive(mark) == []


def test_the_deadline() -> None:
    with pytest.raises(DeadlineError, match=r"0\.3 s"):
        run("trap '' TERM; while :; do sleep 0.1; done", Sink(), timeout=0.3)


def test_memory_of_children_counts() -> None:
    hog = f"{sys.executable} -c 'b = bytearray(200 << 20); import time; time.sleep(1000)'"
    with pytest.raises(OutOfMemoryError, match="100 MiB"):
        run(f"({hog}) & wait", Sink(), memory=100 << 20)


def test_memory_below_the_limit_is_fine() -> None:
    assert run("sleep 0.5", Sink(), memory=100 << 20) == 0


def test_cpus() -> None:
    sink = Sink()
    assert run("nproc", sink, cpus=1) == 0
    assert sink.lines == [("stdout", b"1")]
    everything = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
    assert process._cpu_list(10_000) == everything
    assert process._cpu_list(0.5) == everything.partition(",")[0]


def test_an_interruption_lets_the_job_end_gracefully(tmp_path: Path) -> None:
    sink = Sink(b"ready", interrupt)
    with pytest.raises(Interrupted):
        run(f"trap 'echo bye > {tmp_path}/said; exit' TERM; echo ready; while :; do sleep 0.1; done", sink)
    assert (tmp_path / "said").read_text() == "bye\n"


def test_a_signal_while_the_job_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"4242.{os.getpid()}"
    real = subprocess.Popen
    before = signal.getsignal(signal.SIGINT)
    started = []

    def popen(*args: object, **more: object) -> subprocess.Popen[bytes]:
        started.append(real(*args, **more))  # type: ignore[call-overload]
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]  # type: ignore[no-any-return]

    monkeypatch.setattr(subprocess, "Popen", popen)
    signals.install()
    try:
        with pytest.raises(Interrupted):
            run(f"sleep {mark}", Sink())
    finally:
        signal.signal(signal.SIGINT, before)
    assert started[0].poll() is not None
    assert alive(mark) == []


def test_a_second_interruption_kills() -> None:
    mark = f"4343.{os.getpid()}"
    before = signal.getsignal(signal.SIGINT)
    signals.install()
    again = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    sink = Sink(b"ready", lambda: (again.start(), interrupt()))
    try:
        with pytest.raises(Interrupted):
            run(f"trap '' TERM; echo ready; while :; do sleep {mark}; done", sink)
    finally:
        again.join()
        signal.signal(signal.SIGINT, before)
    assert alive(mark) == []


def test_a_killed_launcher_takes_its_job_along(tmp_path: Path) -> None:
    mark = f"4444.{os.getpid()}"
    code = (
        "from launch_quantization.processes.process import run_supervised\nimport os, pathlib\n"
        f"run_supervised(['bash', '-c', 'trap \"\" TERM; echo ready; sleep {mark}'], variables=dict(os.environ),"
        "directory=pathlib.Path('.'), on_line=lambda line, stream: print('ready', flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        launcher.stdout.readline()
        assert alive(mark)
        launcher.kill()
    while alive(mark):  # the supervisor gives the job its grace first; pytest-timeout bounds this
        pass


def test_a_flood_of_output_is_read_to_the_end() -> None:
    sink = Sink()
    assert run("for i in $(seq 1000); do echo $i; echo $i >&2; done; head -c 300000 /dev/zero", sink) == 0
    assert [line for stream, line in sink.lines if stream == "stderr"] == [b"%d" % i for i in range(1, 1001)]
    assert max(len(line) for _, line in sink.lines) == 65536


def test_the_table_of_processes() -> None:
    table = supervisor.process_table()
    assert table[os.getpid()] == os.getppid()
    assert os.getpid() in supervisor.children(table)[os.getppid()]
