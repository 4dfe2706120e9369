"""One container, from creation to removal, and the stream that is attached to it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from launch_quantization.errors import (
    BadInputError,
    EngineUnreachableError,
    ImageMissingError,
    LauncherError,
    QuantizationFailedError,
)
from launch_quantization.runtimes.docker.engine import Engine, explanation, translated
from launch_quantization.runtimes.docker.profile import Profile
from launch_quantization.runtimes.docker.reaper import remove
from launch_quantization.signals import shield

GRACE_SECONDS = 5
"""How long a job may take to end after SIGTERM."""

_CHUNK = 65536
_STREAMS = {1: "stdout", 2: "stderr"}
# A terminal cannot be without detach keys, which would leave the shell alone; nobody types these. The
# default holds Ctrl-P back, which is "previous line" in bash.
_NO_DETACHING = ",".join(["ctrl-@"] * 8)


@dataclass(frozen=True)
class End:
    """How a container ended.

    Attributes:
        exit_code: of its command, 128 + number after a signal.
        out_of_memory: the kernel killed one of its processes for its memory limit.
    """

    exit_code: int
    out_of_memory: bool


class Attachment:
    """The socket that carries a container's streams.

    Args:
        held: what the SDK returns; it is kept, since the connection closes when it is collected.
    """

    def __init__(self, held: Any) -> None:
        self._held = held
        self.socket: socket.socket = getattr(held, "_sock", held)

    def receive(self, timeout: float | None) -> bytes | None:
        """The next bytes; empty at the end of the stream, None when ``timeout`` seconds passed."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(_CHUNK)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._held.close()
        self.socket.close()


class Demultiplexer:
    """Takes the engine's frames apart; keeps no payload, so that a huge frame costs nothing.

    A frame is a stream number, three zero bytes, a big-endian length and so many bytes.
    """

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._stream = ""

    @property
    def within(self) -> bool:
        """Whether a frame has begun that is not complete."""
        return bool(self._left or self._header)

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Stream name and payload of each piece.

        Raises:
            EngineUnreachableError: this is no such stream.
        """
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                yield self._stream, piece
                continue
            wanted = 8 - len(self._header)
            self._header, data = self._header + data[:wanted], data[wanted:]
            if len(self._header) == 8:
                number, self._left = struct.unpack(">BxxxL", self._header)
                if number not in _STREAMS or self._header[1:4] != bytes(3):
                    raise EngineUnreachableError("the engine's output stream makes no sense", "run again")
                self._stream, self._header = _STREAMS[number], b""


class Container:
    """A container that exists between ``with`` and its end, and not a moment longer.

    Args:
        engine: where.
        name: its name, unique.
        profile: what it is created with.
        warn: told where the engine does not stop or remove it: the job's results, or why it failed, matter more.
    """

    def __init__(self, engine: Engine, name: str, profile: Profile, warn: Callable[[str], None]) -> None:
        self._engine = engine
        self._name = name
        self._profile = profile
        self._warn = warn

    def __enter__(self) -> Container:
        """Create it.

        Raises:
            ImageMissingError: its image is gone.
            BadInputError: something that is to be mounted is gone.
            EngineUnreachableError: the engine is gone, or cannot see this machine's files.
        """
        try:
            # A signal between the engine's work and our knowing of it would leave a container behind.
            with shield(), self._explain_errors("creating"):
                self._engine.client.create_container(name=self._name, **self._profile.create_arguments(self._engine))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        with self._try():
            remove(self._engine, self._name)

    @contextmanager
    def _try(self) -> Iterator[None]:
        """The body cleans up; that it failed is told, and nothing else is lost by it."""
        try:
            yield
        except LauncherError as error:
            self._warn(f"{error.message}; the next run, or launch_quantization clean, tries to remove it again")

    def attach(self) -> Attachment:
        """Connect to its streams. Before ``start``, so that nothing of the output is missed."""
        with self._explain_errors("attaching to"):
            params = {"stdout": 1, "stderr": 1, "stream": 1, "stdin": int(self._profile.stdin)}
            if self._profile.tty:
                return Attachment(
                    self._engine.client.attach_socket(self._name, {**params, "detachKeys": _NO_DETACHING})
                )
            return Attachment(self._engine.client.attach_socket(self._name, params))

    def start(self) -> None:
        """Start it."""
        with self._explain_errors("starting"):
            self._engine.client.start(self._name)

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal how big it is; an engine that cannot is no reason to end the shell."""
        import docker.errors

        with self._explain_errors("resizing"):
            try:
                self._engine.client.resize(self._name, rows, columns)
            except docker.errors.APIError:
                return

    def stop(self) -> None:
        """Ask it to end, and kill it after the grace."""
        import docker.errors

        with self._try(), translated("stopping", self._name):
            try:
                self._engine.client.stop(self._name, timeout=GRACE_SECONDS)
            except docker.errors.NotFound:
                return

    def wait(self, until: float | None = None) -> End | None:
        """How it ended; None when ``until``, on the monotonic clock, came first.

        Asks again and again instead of using the engine's ``wait``: that one cannot be told apart from
        a lost connection when its time is up.

        Raises:
            QuantizationFailedError: somebody removed it.
        """
        import docker.errors

        pause = 0.01
        while True:
            with self._explain_errors("looking at"):
                try:
                    state = self._engine.client.inspect_container(self._name)["State"]
                except docker.errors.NotFound as error:
                    raise QuantizationFailedError(
                        f"somebody removed the container {self._name} while the job ran", "run again"
                    ) from error
                if state["Status"] not in ("running", "created", "paused", "restarting"):
                    return End(int(state["ExitCode"]), bool(state["OOMKilled"]))
            if until is not None and time.monotonic() >= until:
                return None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    @contextmanager
    def _explain_errors(self, doing: str) -> Iterator[None]:
        """Errors that have an own meaning here; the rest as ``translated`` says."""
        import docker.errors

        with translated(doing, f"container {self._name}"):
            try:
                yield
            except docker.errors.ImageNotFound as error:
                raise ImageMissingError(
                    f"the image {self._profile.image} is not on the engine", "launch_quantization build"
                ) from error
            except docker.errors.APIError as error:
                self._explain(explanation(error), error)
                raise

    def _explain(self, text: str, error: Exception) -> None:
        if "bind source path does not exist" in text or "mounts denied" in text:
            for mount in self._profile.mounts:
                if not Path(mount.source).exists():
                    raise BadInputError(f"{mount.source} is gone", "restore it and run again") from error
            raise EngineUnreachableError(
                f"the engine at {self._engine.address} cannot see the files of this machine ({text})",
                "use an engine on this machine, or --runtime local",
            ) from error
