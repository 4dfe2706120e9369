"""Faults of an engine: one that answers each call as it should, but for one, which it truncates, delays, or lies at."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.runtimes.docker.reaper import container_name, labels
from tests.faults.place import Place
from tests.faults.table import Row
from tests.launcher.fake_engine import INFO, VERSION, Answer, FakeEngine, Request, attached, frame, reply
from tests.launcher.support import RESULT, graph, leave_output, line

NO_CONTENT = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
REFUSED = reply({"message": "driver failed"}, "500 Internal Server Error")
GONE = reply({"message": "No such thing"}, "404 Not Found")
DONE = [
    frame(1, line("stage", name="read", index=1, total=6) + b"\n"),
    frame(2, b"what TensorFlow logs\n"),
    frame(1, line("result", **RESULT) + b"\n" + line("end", exit_code=0) + b"\n"),
]


def state(code: int = 0, *, status: str = "exited", killed: bool = False) -> bytes:
    """What the engine says of the container."""
    return reply({"Id": "c0ffee", "State": {"Status": status, "ExitCode": code, "OOMKilled": killed}})


def dead_container() -> bytes:
    """A list with a container that a killed launcher left."""
    tags = {**labels("0123456789ab"), "io.github.quantization.process": "1:1"}
    return reply([{"Id": "stuck", "Names": [f"/{container_name('0123456789ab')}"], "Labels": tags, "Created": 1}])


ROUTES = {
    "version": "GET /version",
    "info": "GET .*/info",
    "list": "GET .*/containers/json",
    "image": "GET .*/images/.+/json",
    "create": "POST .*/containers/create",
    "attach": "POST .*/containers/.+/attach",
    "start": "POST .*/containers/.+/start",
    "inspect": "GET .*/containers/.+/json",
    "remove": "DELETE .*/containers/.+",
}
USUAL: Mapping[str, Answer] = {
    "version": reply(VERSION),
    "info": reply(INFO),
    "list": reply([]),
    "image": reply({"Id": "sha256:1"}),
    "create": reply({"Id": "c0ffee", "Warnings": []}, "201 Created"),
    "attach": attached(*DONE),
    "start": NO_CONTENT,
    "inspect": state(),
    "remove": NO_CONTENT,
}


@dataclass(frozen=True)
class Fault:
    """A fault of an engine.

    Attributes:
        name: for the table.
        expected: exit code.
        changes: answers in place of the usual ones.
        files: what the job leaves; None: what an honest one leaves.
    """

    name: str
    expected: int
    changes: Mapping[str, Answer]
    files: dict[str, bytes] | None = None


def _always(data: bytes) -> Callable[[Request], bytes]:
    """An answer after which the connection ends, so that it may be incomplete."""
    return lambda _request: data


def _late(answer: Answer) -> Callable[[Request], bytes]:
    def late(request: Request) -> bytes:
        time.sleep(1)
        return answer(request) if callable(answer) else answer

    return late


MISHAPS: Mapping[str, Answer] = {
    "hangs up": _always(b""),
    "refuses (500)": REFUSED,
    "answers with a web page": _always(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html></html"),
    "cuts its answer off": _always(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"Id": "c0f'),
    "answers with JSON of another shape": reply(["what?"]),
    "speaks no HTTP": _always(b"\x00\xff\x00\xff\r\n\r\n"),
}
OTHERWISE = {
    # Whatever a success says, it is one.
    ("create", "answers with JSON of another shape"): 0,
    ("start", "answers with a web page"): 0,
    ("start", "answers with JSON of another shape"): 0,
    # A stream may begin with such an answer, too; what comes then is no output of a job.
    ("attach", "answers with a web page"): 8,
    ("attach", "cuts its answer off"): 8,
    ("attach", "answers with JSON of another shape"): 8,
}
"""Exit codes other than 4."""


def faults() -> Iterator[Fault]:
    """All faults."""
    for call in ROUTES:
        for name, answer in MISHAPS.items():
            expected = 0 if call == "remove" else OTHERWISE.get((call, name), 4)
            yield Fault(f"at {call!r} it {name}", expected, {call: answer})
        yield Fault(f"at {call!r} it answers late", 0, {call: _late(USUAL[call])})
    yield Fault("it is too old", 5, {"version": reply({**VERSION, "ApiVersion": "1.40"})})
    yield Fault("the stream never ends", 0, {"attach": attached(*DONE, ends=False)})
    yield Fault("the image is gone", 7, {"image": GONE})
    missing = reply({"message": "No such image: x"}, "404 Not Found")
    yield Fault("the image goes before the start", 7, {"create": missing})
    full = reply({"message": "no space left on device"}, "500 Internal Server Error")
    yield Fault("it has no room for a container", 4, {"create": full})
    yield Fault("a left-over cannot be removed", 0, {"list": dead_container(), "remove": REFUSED})
    yield Fault("somebody else removes the container", 8, {"inspect": GONE, "remove": GONE})
    begun = {"attach": attached(DONE[0])}
    yield Fault("the container is killed (docker kill)", 8, {**begun, "inspect": state(137)})
    yield Fault("the container has no memory left", 9, {**begun, "inspect": state(137, killed=True)})
    yield Fault("the job crashes", 8, {**begun, "inspect": state(139)})
    dead = _always(b"")
    yield Fault("it dies: nothing answers after the start", 4, {**begun, "inspect": dead, "remove": dead})
    yield from _streams()
    yield from _outputs()


def _streams() -> Iterator[Fault]:
    whole = b"".join(DONE)
    yield Fault("the job's output is cut off in a frame", 4, {"attach": attached(whole[:-20])})
    yield Fault("the job's output is cut off in a header", 4, {"attach": attached(DONE[0] + DONE[1][:5])})
    yield Fault("the job's output is cut off between two frames", 8, {"attach": attached(DONE[0])})
    yield Fault("the job's output is empty", 8, {"attach": attached()})
    yield Fault("the job's output is garbage in frames", 8, {"attach": attached(frame(1, b"\xff\x00{}\n" * 99))})
    yield Fault("the job's output is garbage without frames", 4, {"attach": attached(b"HTTP/1.1 502 Bad Gateway\r\n")})
    yield Fault("the job's output is one endless line", 8, {"attach": attached(*[frame(1, b"{" * 65536)] * 50)})
    forged = frame(2, line("result", **RESULT) + b"\n")
    yield Fault("a result on stderr", 8, {"attach": attached(DONE[0], forged)})
    half = frame(1, line("result", **{**RESULT, "size": None}) + b"\n")
    yield Fault("a result of another shape", 8, {"attach": attached(half)})
    hostile = frame(1, line("error", kind="bad_input", message="\x1b]0;owned\x07a\nb", remedy="\x1b[2J") + b"\n")
    yield Fault("an error with terminal escapes", 3, {"attach": attached(hostile), "inspect": state(3)})


def _outputs() -> Iterator[Fault]:
    good = {"out.pb": graph("new"), "out.report.html": b"<html>"}
    yield Fault("the graph has two bytes", 11, {}, {**good, "out.pb": b"\x0a\x00"})
    yield Fault("the graph is cut off", 11, {}, {**good, "out.pb": graph("new")[:-1]})
    yield Fault("the report is about another graph", 11, {}, {**good, "out.report.json": b"{}"})
    yield Fault("there is no graph", 11, {}, {"out.report.html": b"<html>"})
    yield Fault("a name that leads elsewhere", 11, {}, {**good, "../../escaped.pb": graph()})


def rows(skip: Callable[[str], bool]) -> Iterator[Row]:
    """Run the launcher once for each fault; ``skip`` is asked by their names."""
    for fault in faults():
        if skip(_title(fault)):
            continue
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            yield _row(fault, Path(folder))


def _title(fault: Fault) -> str:
    return f"engine: {fault.name}"


def _row(fault: Fault, folder: Path) -> Row:
    (folder / "place").mkdir()
    answers = {ROUTES[call]: answer for call, answer in {**USUAL, **fault.changes}.items()}
    engine = FakeEngine(folder, answers)
    start = answers[ROUTES["start"]]

    def started(request: Request) -> bytes:
        """The job does its work at once."""
        _leave(engine, fault)
        return start(request) if callable(start) else start

    engine.answers[ROUTES["start"]] = started
    with engine:
        variables = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": engine.address, "XDG_CACHE_HOME": str(folder / "cache")}
        place = Place(folder / "place", "fake engine", variables).fill(graph())
        return place.run(_title(fault), fault.expected, "--docker_image", "an:image")


def _leave(engine: FakeEngine, fault: Fault) -> None:
    created = engine.asked("POST .*/containers/create")[-1]
    mounts = json.loads(created.body)["HostConfig"]["Mounts"]
    output = next(Path(mount["Source"]) for mount in mounts if mount["Target"] == "/workspace/output")
    files = fault.files if fault.files is not None else {"out.pb": graph("new"), "out.report.html": b"<html>"}
    leave_output(output, files=files)
