"""What the attempts of hostile_inside.py are to reach, laid out on the host; and whether they did."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import secrets
import socket
import subprocess
import sys
import tempfile
import tty
from pathlib import Path
from types import TracebackType

_SHADOW = Path("/etc/shadow")
_FILES = {
    "writes_a_file": "written",
    "saves_a_checkpoint": "saved.index",
    "prints_to_a_file": "printed",
    "leaves_a_daemon": "daemon",
}
"""Attempt -> the file of the host that shows it."""


class Bait:
    """A folder with a secret, a process with one, sockets, and a terminal; gone when the context ends.

    Attributes:
        folder: has ``data`` and ``out`` for the launcher.
    """

    def __enter__(self) -> Bait:
        """Lay it out."""
        self._token = secrets.token_hex(16)
        self._temporary = tempfile.TemporaryDirectory(prefix="hostile-")
        self.folder = Path(self._temporary.name)
        (self.folder / "secret").write_text(self._token)
        (self.folder / "data").mkdir()
        (self.folder / "data" / "input").write_text("old")
        (self.folder / "out").mkdir()
        # Not the caller: who may signal it should do no harm.
        self._process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(900)"], env={"TOKEN": self._token}
        )
        self._port = socket.create_server(("127.0.0.1", 0))
        self._named = socket.socket(socket.AF_UNIX)
        self._named.bind("\0" + self._token)
        self._named.listen()
        for listening in (self._port, self._named):
            listening.setblocking(False)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._slave, False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        self._process.kill()
        self._process.wait()
        for listening in (self._port, self._named):
            listening.close()
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        self._temporary.cleanup()

    def argument(self) -> str:
        """What hostile_inside.py is to be told, as JSON."""
        passwords = _SHADOW if os.access(_SHADOW, os.R_OK) else Path("/etc/passwd")
        status = passwords.stat()
        return json.dumps(
            {
                "folder": str(self.folder),
                "process": self._process.pid,
                "token": self._token,
                "port": self._port.getsockname()[1],
                "abstract": self._token,
                "passwords": [str(passwords), hashlib.sha256(passwords.read_bytes()).hexdigest()],
                "passwords_file": [status.st_dev, status.st_ino],
                "terminal": os.ttyname(self._slave),
            }
        )

    def take_terminal(self) -> None:
        """Make the terminal that of this session, of which the caller must be the leader."""
        os.close(os.open(os.ttyname(self._slave), os.O_RDWR))

    def taken(self) -> dict[str, bool]:
        """Attempt -> whether the host shows that it was done; those of which it would show nothing are not there."""
        found = {
            attempt: (self.folder / name).exists() or (self.folder / "out" / name).exists()
            for attempt, name in _FILES.items()
        }
        found["overwrites_an_input"] = (self.folder / "data" / "input").read_text() != "old"
        found["signals_a_process"] = self._process.poll() is not None
        found["calls_home"] = _was_called(self._port)
        found["calls_by_a_name"] = _was_called(self._named)
        found["types_into_the_terminal"] = _was_typed(self._slave)
        return found


def _was_called(listening: socket.socket) -> bool:
    try:
        listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _was_typed(terminal: int) -> bool:
    try:
        return bool(os.read(terminal, 100))
    except BlockingIOError:
        return False
