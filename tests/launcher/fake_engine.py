"""An engine that answers what a test tells it to: on a Unix socket, as raw bytes, so that it can lie."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}
INFO = {
    "MemTotal": 8 << 30,
    "NCPU": 4,
    "Architecture": "x86_64",
    "OperatingSystem": "Debian",
    "SecurityOptions": ["name=seccomp,profile=default"],
}


@dataclass(frozen=True)
class Request:
    """What the launcher asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
Answer = bytes | Callable[[Request], bytes]


def reply(value: object, status: str = "200 OK") -> bytes:
    """A JSON answer."""
    body = json.dumps(value).encode()
    return _head(status, f"Content-Type: application/json\r\nContent-Length: {len(body)}") + body


def stream(*values: object, ends: bool = True) -> bytes:
    """A chunked answer of JSON lines; cut off before its end unless ``ends``."""
    chunks = [json.dumps(value).encode() + b"\r\n" for value in values]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return _head("200 OK", "Transfer-Encoding: chunked") + body + (b"0\r\n\r\n" if ends else b"")


def attached(*frames: bytes, ends: bool = True) -> bytes:
    """An attached stream: upgraded, then whatever the frames are; the connection stays open unless it ``ends``."""
    held = "" if ends else "\r\nX-Left-Open: as after a Content-Length"
    return _head("101 UPGRADED", f"Connection: Upgrade\r\nUpgrade: tcp{held}") + b"".join(frames)


def frame(stream_number: int, payload: bytes) -> bytes:
    """One frame of an attached stream."""
    return bytes([stream_number, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def _head(status: str, headers: str) -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode()


@dataclass
class FakeEngine:
    """Answers on ``folder/engine.sock`` between ``with`` and its end.

    Attributes:
        folder: where the socket is.
        answers: "METHOD regular expression" -> answer; the first that matches counts.
        requests: all that was asked.
    """

    folder: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.folder}/engine.sock"

    def asked(self, pattern: str) -> list[Request]:
        """The requests that match "METHOD regular expression"."""
        return [request for request in self.requests if _matches(pattern, request)]

    def __enter__(self) -> FakeEngine:
        usual: dict[str, Answer] = {"GET /version": reply(VERSION), "GET /info": reply(INFO)}
        answers = {**self.answers, **{key: value for key, value in usual.items() if key not in self.answers}}
        requests = self.requests

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (request := _read(self.rfile)) is not None:
                    requests.append(request)
                    answer = next((value for key, value in answers.items() if _matches(key, request)), None)
                    data = answer(request) if callable(answer) else answer
                    if data == b"":
                        return
                    head, between, rest = (data or NOTHING).partition(b"\r\n\r\n")
                    # A computed answer may be broken on purpose; its end is the end of the connection.
                    last = callable(answer) or bool(data and b"Content-Length" not in data)
                    if last and b" 101 " not in head:
                        head += b"\r\nConnection: close"  # else the client may use it again meanwhile
                    if b" 101 " not in head:
                        self.wfile.write(head + between + rest)  # at once, so that nobody sees it in two parts
                    else:
                        self.wfile.write(head + between)
                        time.sleep(0.2)  # nothing comes of a container before it starts
                        self.wfile.write(rest)
                    if last:
                        return

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that went away is part of these tests."""

        self._server = Server(str(self.folder / "engine.sock"), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _matches(pattern: str, request: Request) -> bool:
    method, _, path = pattern.partition(" ")
    return method == request.method and re.search(path + r"(\?|$)", request.path) is not None


def _read(file: IO[bytes]) -> Request | None:
    line = file.readline()
    if not line.strip():
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers = {}
    while header := file.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = b""
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
    else:
        body = file.read(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)
