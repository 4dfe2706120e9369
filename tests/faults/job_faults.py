"""Faults of real jobs, on a real engine and in the local environment: signals, full disks, greed, damaged inputs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.support import COMMAND, MAKE_GRAPH, PATIENCE, leftovers, wait_for_event
from tests.faults.place import OLD, Place
from tests.faults.table import Row

_SLEEPER = "python3 -c 'import time; time.sleep(1000)'"
_WRITER = (
    'python3 -c \'import time\nfor n in range(99): open(f"output/{n}", "wb").write(bytes(1 << 20))\ntime.sleep(1000)\''
)
_MANY_IMAGES = 600
_PLAIN = "    second = tf1.nn.conv2d(first, "
_OF_RANK_3 = """\
    rank = 1 + tf1.cast(tf1.reduce_sum(first) * 0, tf1.int32)
    sizes = tf1.concat([[-1], [16], tf1.fill([rank], 8)], 0)
    second = tf1.nn.conv2d(tf1.reshape(first, sizes), """


@dataclass(frozen=True)
class Fault:
    """One fault: its name, and what runs the launcher with it at a place, with a small graph."""

    name: str
    run: Callable[[Place, Path], Row]


def missing(runtime: str) -> str:
    """Why a runtime cannot be tried here; empty where it can."""
    done = subprocess.run(
        [*COMMAND, "build", "--runtime", runtime, "--quiet"], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.splitlines() or ["it cannot be built"])[0]


def rows(runtime: str, skip: Callable[[str], bool]) -> Iterator[Row]:
    """Run the launcher once for each fault; ``skip`` is asked by their names."""
    wanted = [fault for fault in FAULTS if not skip(fault.name)]
    if not wanted:
        return
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        graph = make_graph(runtime, Path(folder))
        for number, fault in enumerate(wanted):
            inside = Path(folder, f"{number:02d}")
            inside.mkdir()
            yield fault.run(Place(inside, runtime, dict(os.environ)), graph)


def make_graph(runtime: str, folder: Path, script: str = MAKE_GRAPH) -> Path:
    """A small frozen graph, made inside by a script."""
    run_inside(runtime, folder, script)
    return folder / "small.pb"


def run_inside(runtime: str, folder: Path, script: str) -> None:
    """Run a bash script inside, with ``folder`` as output."""
    command = [*COMMAND, "--runtime", runtime, "--debug", "--out_graph", str(folder / "x.pb")]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode != 0:
        raise SystemExit(f"faults: cannot make a graph: {done.stderr[-500:]}")


def _nothing_wrong(place: Place, graph: Path) -> Row:
    return place.fill(graph).run("nothing", 0)


def _signals(name: str, code: int, *signums: int) -> Fault:
    def fault(place: Place, graph: Path) -> Row:
        process = place.fill(graph, _MANY_IMAGES).start("--json")
        wait_for_event(process, "start")
        for signum in signums:
            process.send_signal(signum)
        _, told = process.communicate(timeout=PATIENCE)
        return place.judged(name, code, process.returncode, told)

    return Fault(name, fault)


def _killed(place: Place, graph: Path) -> Row:
    """kill -9 cannot be told; the next run removes what was left."""
    process = place.fill(graph, _MANY_IMAGES).start("--json")
    wait_for_event(process, "start")
    process.kill()
    process.communicate(timeout=PATIENCE)
    if place.output.read_bytes() != OLD:
        return place.judged("kill -9", 137, 1, "error: the output was touched\n")
    return place.run("kill -9, and another run", 0, "--samples", "4", "--evaluate", "4")


def _reader_leaves(place: Place, graph: Path) -> Row:
    process = place.fill(graph, _MANY_IMAGES).start("--json")
    wait_for_event(process, "start")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    return place.judged("the reader leaves (| head)", 141, process.wait(PATIENCE), told)


def _two(place: Place, graph: Path) -> Row:
    first = place.fill(graph, _MANY_IMAGES).start("--json")
    wait_for_event(first, "start")
    second = place.start()
    _, told = second.communicate(timeout=PATIENCE)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=PATIENCE)
    return place.judged("two launchers on one output", 13, second.returncode, told)


def _output_is(what: str, make: Callable[[Path], object]) -> Fault:
    name = f"the output is {what}"

    def fault(place: Place, graph: Path) -> Row:
        target = place.fill(graph).output.with_name("other.pb")
        make(target)
        return place.run(name, 11, "-o", target)

    return Fault(name, fault)


def _no_room(place: Place, graph: Path) -> Row:
    """A file system of 16 kB, which takes root to make."""
    folder = place.fill(graph).folder / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], check=True)
    try:
        row = place.run("no room for the output", 11, "-o", folder / "out.pb")
        left = [os.fspath(path) for path in folder.iterdir()]
    finally:
        subprocess.run(["umount", folder], check=True)
    return row if not left else place.judged("no room for the output", 11, 1, f"error: left {left}\n")


def _with(name: str, expected: int, *more: object) -> Fault:
    return Fault(name, lambda place, graph: place.fill(graph).run(name, expected, *more))


def _slow_job(name: str, expected: int, *more: object) -> Fault:
    return Fault(name, lambda place, graph: place.fill(graph, _MANY_IMAGES).run(name, expected, *more))


def _graph_is(what: str, change: Callable[[bytes], bytes], file: bytes = b"net.pb") -> Fault:
    name = f"the graph is {what}"

    def fault(place: Place, graph: Path) -> Row:
        place.fill(graph)
        target = os.path.join(os.fsencode(place.folder), file)
        with open(target, "wb") as stream:
            stream.write(change(graph.read_bytes()))
        return place.run(name, 3, "-g", os.fsdecode(target))

    return Fault(name, fault)


def _aborts(place: Place, graph: Path) -> Row:
    """TensorFlow's own Conv2D ends the process on a tensor of rank 3, which only the run shows to be one."""
    made = place.folder / "made"
    made.mkdir()
    aborting = make_graph(place.runtime, made, MAKE_GRAPH.replace(_PLAIN, _OF_RANK_3))
    return place.fill(aborting).run("the graph is one on which TensorFlow aborts", 3)


def _ended_outside(place: Place, graph: Path) -> Row:
    """Something else kills the job: docker kill, or a plain kill -9 of its process."""
    process = place.fill(graph, _MANY_IMAGES).start("--json")
    wait_for_event(process, "start")
    if place.runtime == "docker":
        import docker

        client = docker.APIClient()
        (container,) = (one for one in leftovers(place.folder) if one.startswith("container "))
        client.kill(container.split("'")[1].lstrip("/"))
    else:
        _kill_job(process.pid)
    _, told = process.communicate(timeout=PATIENCE)
    return place.judged("somebody kills the job", 8, process.returncode, told)


def _kill_job(launcher: int) -> None:
    """The launcher's child is the supervisor, and its child the job."""
    from launch_quantization.processes.supervisor import children, process_table

    table = children(process_table())
    (supervisor,) = table[launcher]
    os.kill(table[supervisor][0], signal.SIGKILL)


FAULTS = (
    Fault("nothing", _nothing_wrong),
    _signals("Ctrl-C", 130, signal.SIGINT),
    _signals("Ctrl-C twice", 130, signal.SIGINT, signal.SIGINT),
    _signals("SIGTERM", 143, signal.SIGTERM),
    _signals("the terminal goes (SIGHUP)", 129, signal.SIGHUP),
    _signals("Ctrl-\\ (SIGQUIT)", 131, signal.SIGQUIT),
    Fault("kill -9, and another run", _killed),
    Fault("the reader leaves (| head)", _reader_leaves),
    Fault("two launchers on one output", _two),
    Fault("somebody kills the job", _ended_outside),
    _output_is("a link", lambda path: path.symlink_to("/etc/hostname")),
    _output_is("a fifo", os.mkfifo),
    _output_is("a directory", os.mkdir),
    _with("the output's folder is not there", 11, "-o", "/nowhere/out.pb"),
    *([Fault("no room for the output", _no_room)] if os.geteuid() == 0 else []),
    _slow_job("a deadline", 10, "--timeout", "1s"),
    _with("no progress", 10, "--callback", _SLEEPER, "--stall_timeout", "8s"),
    _with("a callback that fills the output", 11, "--callback", _WRITER, "--output_limit", "8m"),
    _with("too little memory", 9, "--memory", "64m"),
    _with("more CPUs than there are", 2, "--cpus", "999"),
    _with("a misspelt option", 2, "--algoo", "KL"),
    _with("a callback that fails", 3, "--callback", "false"),
    _with("no images", 3, "-d", "/proc/self/fdinfo/nothing"),
    _graph_is("cut off", lambda data: data[:-100]),
    Fault("the graph is one on which TensorFlow aborts", _aborts),
    _graph_is("empty", lambda data: b""),
    _graph_is("a text", lambda data: b"to be or not to be\n" * 99),
    _graph_is("of two bytes", lambda data: b"\x0a\x00"),
    _graph_is("one whose name is not UTF-8", lambda data: data, b"n\xfct.pb"),
)


if __name__ == "__main__":
    sys.exit("python -m tests.faults")
