"""The shell: a real terminal on a real container, and the same without a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from launch_quantization.runtimes.docker import shell
from launch_quantization.runtimes.docker.container import Attachment
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.docker.runtime import our_containers

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[4]
PATIENCE = 60
"""Seconds after which what is waited for counts as not coming."""

_SHELL = """\
import sys
from pathlib import Path
from launch_quantization import signals
from launch_quantization.runtimes.docker.runtime import DockerRuntime
from launch_quantization.runtimes.docker.engine import connect
from launch_quantization.errors import Interrupted
from tests.launcher.docker_support import any_image, make_job, make_staging
signals.install()
engine = connect()
folder = Path(sys.argv[1])
runtime = DockerRuntime(engine, image=any_image(engine), run_id=sys.argv[2])
try:
    sys.exit(runtime.shell(make_job(folder, debug=True), make_staging(folder)))
except Interrupted as interruption:
    sys.exit(interruption.exit_code)
"""


@pytest.fixture
def argv(tmp_path: Path, engine: Engine) -> Iterator[list[str]]:
    """A launcher that opens a shell; its container must be gone after the test."""
    run_id = f"shell{secrets.token_hex(4)}"
    yield [sys.executable, "-c", _SHELL, str(tmp_path), run_id]
    assert f"quantization-{run_id}" not in [container.name for container in our_containers(engine)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def piped(argv: list[str], commands: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv, input=commands, env=environment(), cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False
    )


def test_commands_from_a_pipe(argv: list[str]) -> None:
    done = piped(argv, b"echo out; echo err >&2; pwd; test -t 0 || echo no terminal; exit 42\n")
    assert done.stdout == b"out\n/workspace\nno terminal\n"
    assert done.stderr == b"err\n"
    assert done.returncode == 42


def test_the_end_of_the_input_ends_the_shell(argv: list[str]) -> None:
    assert piped(argv, b"").returncode == 0


def test_much_in_both_directions_at_once(argv: list[str]) -> None:
    """Who only sends, or only reads, blocks here."""
    done = piped(argv, b"exec cat\n" + b"0123456789abcdef" * 200_000)
    assert len(done.stdout) == 3_200_000


def test_a_reader_that_goes_away(argv: list[str]) -> None:
    process = subprocess.Popen(
        argv, env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"yes\n")
    process.stdin.flush()
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    assert process.wait(PATIENCE) == 128 + signal.SIGPIPE
    process.stdin.close()


@dataclass
class Terminal:
    """A terminal with the launcher in it."""

    pid: int
    descriptor: int
    unread: bytes = b""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.descriptor, text.encode())

    def expect(self, text: str) -> str:
        """Read until ``text`` has appeared; returns all up to there. What follows it is kept for the next time."""
        wanted = text.encode()
        until = time.monotonic() + PATIENCE
        while wanted not in self.unread:
            assert time.monotonic() < until, f"{text!r} did not come; this did: {self.unread!r}"
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.unread += os.read(self.descriptor, 65536)
        before, _, self.unread = self.unread.partition(wanted)
        return before.decode() + text

    def resize(self, rows: int, columns: int) -> None:
        """Drag the window's corner."""
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def status(self) -> int:
        """Wait for the launcher to end; its exit status."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(OSError):  # the other side is gone
                if select.select([self.descriptor], [], [], 0.1)[0]:
                    os.read(self.descriptor, 65536)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("the launcher does not end")


@pytest.fixture
def terminal(argv: list[str]) -> Iterator[Terminal]:
    # Both ends are made first, so that the size is set before the launcher asks for it.
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    process = subprocess.Popen(
        argv, env=environment(), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    before = termios.tcgetattr(theirs)
    terminal = Terminal(process.pid, ours)
    terminal.expect("workspace")
    yield terminal
    process.terminate()
    process.wait(PATIENCE)
    assert termios.tcgetattr(theirs) == before, "the terminal is left as it was found"
    os.close(ours)
    os.close(theirs)


def test_a_terminal(terminal: Terminal) -> None:
    """Words are typed with quotes inside, so that what is expected is output, and not the echo of the keys."""
    terminal.type("stty size; echo $TERM; echo ü''€\r")
    shown = terminal.expect("ü€\r\n")
    assert "33 101\r\n" in shown
    assert "xterm-256color\r\n" in shown
    terminal.resize(44, 120)
    terminal.type("until [ \"$(stty size)\" = '44 120' ]; do sleep 0.1; done; echo resi''zed\r")
    terminal.expect("resized")
    # The program itself says that it has begun: Ctrl-C between two commands would be the shell's own.
    terminal.type("sh -c 'echo slee\"\"ping; exec sleep 1000'\r")
    terminal.expect("sleeping")
    terminal.type("\x03")  # Ctrl-C is the shell's
    terminal.expect("workspace")  # what is typed before the prompt is there may be dropped by the terminal
    terminal.type("echo awa''ke\r")
    terminal.expect("awake")
    terminal.type("\x10\x10")  # Ctrl-P twice: two lines back, and not the engine's detach keys
    terminal.expect("ping; exec sleep 1000")
    terminal.type("\x15echo it''works\r")
    terminal.expect("itworks")
    terminal.type("exit 42\r")
    assert terminal.status() == 42


def test_a_flood_leaves_room_for_keys() -> None:
    """Where the engine is faster than the terminal there is always more to show."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        shown = []

        def show(data: bytes) -> None:
            shown.append(data)
            assert len(shown) < 10, "nothing but the flood is looked at"
            theirs.send(data)

        theirs.send(b"flood")
        ours.setblocking(False)
        assert shell._show_some(Attachment(ours), show)
        theirs.shutdown(socket.SHUT_WR)
        assert shell._show_some(Attachment(ours), shown.append)
        assert not shell._show_some(Attachment(ours), shown.append)


def test_ctrl_c_stops_a_flood(terminal: Terminal) -> None:
    terminal.type("yes fl''ood\r")
    terminal.expect("flood\r\n")
    terminal.type("\x03")
    terminal.expect("workspace")
    terminal.type("echo awa''ke; exit 7\r")
    terminal.expect("awake")
    assert terminal.status() == 7


def test_a_signal_ends_the_terminal(terminal: Terminal) -> None:
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
