"""What the end-to-end tests share: a small real graph, real PNG files, and a launcher to call."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = [sys.executable, str(ROOT / "launcher" / "launch_quantization.py")]
SUB_COMMANDS = ("evaluate", "benchmark", "compare", "tune")
PATIENCE = 600
"""Seconds after which a call counts as hung; no test depends on how long one takes."""

MAKE_GRAPH = """\
python3 - <<'PYTHON'
import os
import numpy as np
import tensorflow as tf
tf1 = tf.compat.v1
random = np.random.RandomState(0)
def weights(*shape):
    return tf1.constant(random.normal(0.0, 0.2, shape).astype("float32"))
with tf1.Graph().as_default() as graph:
    image = tf1.placeholder(tf.float32, [None, 16, 16, 3], name="input")
    first = tf1.nn.conv2d(image, weights(3, 3, 3, 8), 1, "SAME")
    first = tf1.nn.relu(tf1.nn.bias_add(first, weights(8)), name="first")
    second = tf1.nn.conv2d(first, weights(3, 3, 8, 8), 2, "SAME")
    second = tf1.nn.relu(tf1.nn.bias_add(second, weights(8)), name="second")
    pooled = tf1.reshape(tf1.nn.avg_pool2d(second, 8, 8, "VALID"), [-1, 8])
    tf1.nn.softmax(tf1.nn.bias_add(tf1.matmul(pooled, weights(8, 4)), weights(4)), name="predict")
target = os.environ["WORKSPACE"] + "/output/small.pb"
with open(target, "wb") as file:
    file.write(graph.as_graph_def().SerializeToString())
PYTHON
"""
"""A bash script that writes a frozen graph, two convolutions and a dense layer, to output/small.pb."""


def png(seed: int, side: int = 16) -> bytes:
    """A small RGB image, the same for the same seed."""
    rows = b"".join(
        b"\0" + bytes((seed * 31 + x * y * (channel + 3)) % 256 for x in range(side) for channel in range(3))
        for y in range(side)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_images(folder: Path, count: int) -> Path:
    """``count`` images in two class folders."""
    for index in range(count):
        target = folder / f"class{index % 2}" / f"{index:04d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(png(index))
    return folder


def write_array(path: Path, rows: int) -> Path:
    """A .npy of float32 [rows, 16, 16, 3], from -1 to 1; by hand, since these tests need no numpy."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 16, 16, 3), }}".encode().ljust(117) + b"\n"
    values = [(number * 37 % 201) / 100 - 1 for number in range(rows * 16 * 16 * 3)]
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    path.write_bytes(start + struct.pack(f"<{len(values)}f", *values))
    return path


def write_rows(path: Path, rows: int) -> Path:
    """``rows`` times float32 [16, 16, 3], from -1 to 1, as bytes: what the stand-in zoo reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f"<{rows * 768}f", *((number * 37 % 201) / 100 - 1 for number in range(rows * 768))))
    return path


class Launcher:
    """Calls the launcher as a user does, as a program of its own.

    Args:
        runtime: ``docker`` or ``local``.
        environment: its environment variables.
    """

    def __init__(self, runtime: str, environment: dict[str, str]) -> None:
        self.runtime = runtime
        self.environment = environment

    def argv(self, *arguments: object) -> list[str]:
        """The whole command line; a sub-command stands first."""
        words = [str(argument) for argument in arguments]
        first = words[:1] if words[:1] and words[0] in SUB_COMMANDS else []
        return [*COMMAND, *first, "--runtime", self.runtime, *words[len(first) :]]

    def __call__(self, *arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            self.argv(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            **given,
        )

    @contextlib.contextmanager
    def started(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """Start with ``--json`` and wait until the inside has said that it runs."""
        process = subprocess.Popen(
            self.argv(*arguments, "--json"),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_for_event(process, "start")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=PATIENCE)


def wait_for_event(process: subprocess.Popen[str], name: str) -> None:
    """Read events until one of this name comes."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == name:
            return
    _, complaint = process.communicate(timeout=PATIENCE)
    raise AssertionError(f"the job never came to {name!r}: {complaint}")


def leftovers(place: Path) -> list[str]:
    """What of runs with ``place`` is still there: hidden files, processes, containers."""
    found = [str(path) for path in place.rglob(".*")]
    return found + _processes(place) + _containers(place)


def _processes(place: Path) -> list[str]:
    found = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or directory.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            text = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
            mark = os.fsencode(place)
            # Behind a wall the workspace has another name, but not what is mounted there.
            if b"WORKSPACE=" + mark in text or (
                _is_walled(directory) and mark in (directory / "mountinfo").read_bytes()
            ):
                found.append(f"process {directory.name}")
    return found


def _is_walled(process: Path) -> bool:
    return os.readlink(process / "ns/mnt") != os.readlink("/proc/self/ns/mnt")


def _containers(place: Path) -> list[str]:
    import docker

    try:
        client = docker.APIClient()
        containers = client.containers(all=True)
    except (docker.errors.DockerException, OSError):
        return []
    return [
        f"container {container['Names']}"
        for container in containers
        if any(str(mount.get("Source", "")).startswith(str(place)) for mount in container.get("Mounts", ()))
    ]
