"""--debug: a shell in the workspace, on a terminal and on a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import PATIENCE, Launcher, leftovers


class Terminal:
    """A launcher on a pseudo-terminal, and the person in front of it."""

    def __init__(self, argv: list[str], environment: dict[str, str], rows: int, columns: int) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execvpe(argv[0], argv, environment)
        self.resize(rows, columns)
        self._seen = ""

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size, as a terminal emulator does."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def expect(self, text: str) -> str:
        """Wait until ``text`` is shown after what was expected before; returns all up to it."""
        until = time.monotonic() + PATIENCE
        while text not in self._seen:
            assert time.monotonic() < until, f"{text!r} never came: {self._seen!r}"
            if select.select([self._fd], [], [], 1.0)[0]:
                self._seen += self._read()
        before, _, self._seen = self._seen.partition(text)
        return before

    def _read(self) -> str:
        try:
            chunk = os.read(self._fd, 65536)
        except OSError as error:  # EIO: nobody has the other end open any more
            raise AssertionError(f"the terminal closed: {self._seen!r}") from error
        return chunk.decode(errors="replace")

    def exit_code(self) -> int:
        """Read to the end and wait for the launcher."""
        while True:
            try:
                if not os.read(self._fd, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def signal(self, signum: int) -> None:
        """Send a signal to the launcher itself."""
        os.kill(self._pid, signum)

    def close(self) -> None:
        """End whatever still runs."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A shell at its prompt, in a window of 33 rows and 101 columns."""
    argv = launch.argv("--debug", "-g", graph, "-d", images, "-o", tmp_path / "out.pb")
    shown = Terminal(argv, launch.environment, 33, 101)
    try:
        # The quotes keep the echo of the typed line from looking like its result.
        shown.type("echo re''ady\n")
        shown.expect("ready")
        yield shown
    finally:
        shown.close()


def test_the_window_has_its_size_and_follows(terminal: Terminal) -> None:
    terminal.type("stty size; echo do''ne\n")
    assert "33 101" in terminal.expect("done")

    terminal.resize(44, 123)
    terminal.type("sleep 0.5; stty size; echo do''ne\n")
    assert "44 123" in terminal.expect("done")


def test_ctrl_c_reaches_the_program_in_the_shell(terminal: Terminal, tmp_path: Path) -> None:
    # The program itself says that it has begun: Ctrl-C between two commands would be the shell's own.
    terminal.type("sh -c 'echo be\"\"gun; exec sleep 1000'\n")
    terminal.expect("begun")
    terminal.type("\x03")
    terminal.expect("workspace")  # the prompt; what is typed before it is there may be dropped by the terminal
    terminal.type("echo stat''us-$?\n")
    terminal.expect("status-130")
    terminal.type("exit 7\n")

    assert terminal.exit_code() == 7
    assert leftovers(tmp_path) == []


def test_everything_is_mounted_and_output_is_the_real_directory(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("cd $WORKSPACE; ls pretrained_model dataset quantization; touch output/made; echo do''ne\n")
    listed = terminal.expect("done")
    for name in ("small.pb", "class0", "class1", "intel_quantization"):
        assert name in listed
    terminal.type("exit\n")

    assert terminal.exit_code() == 0
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_a_signal_to_the_launcher_ends_the_shell(terminal: Terminal, tmp_path: Path) -> None:
    terminal.signal(signal.SIGTERM)

    assert terminal.exit_code() == 143
    assert leftovers(tmp_path) == []


def test_without_a_terminal_bash_reads_a_script(launch: Launcher, tmp_path: Path) -> None:
    done = launch("--debug", "-o", tmp_path / "out.pb", stdin="echo hello; python3 -c 'import tensorflow'; exit 5\n")

    assert done.returncode == 5, done.stderr
    assert done.stdout == "hello\n"
    assert leftovers(tmp_path) == []
