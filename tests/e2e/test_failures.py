"""Each failure has its exit code and one clear line, and leaves nothing but what was there before."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.support import PATIENCE, Launcher, leftovers


def only_one_error(stderr: str) -> str:
    """The error line, after making sure that there is one and no traceback."""
    lines = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


@pytest.fixture
def old_output(tmp_path: Path) -> Path:
    """An output of an earlier run, which a failure must not touch."""
    folder = tmp_path / "results"
    folder.mkdir()
    target = folder / "out.pb"
    target.write_bytes(b"the old graph")
    return target


def untouched(output: Path) -> bool:
    """Whether the old output is the only thing there."""
    return list(output.parent.iterdir()) == [output] and output.read_bytes() == b"the old graph"


def test_a_truncated_graph(launch: Launcher, graph: Path, images: Path, tmp_path: Path, old_output: Path) -> None:
    damaged = tmp_path / "damaged.pb"
    damaged.write_bytes(graph.read_bytes()[:-100])

    done = launch("-g", damaged, "-d", images, "-o", old_output)

    assert done.returncode == 3, done.stderr
    assert only_one_error(done.stderr)
    assert untouched(old_output)
    assert leftovers(tmp_path) == []


def test_a_misspelt_input_names_the_nearest(launch: Launcher, graph: Path, images: Path, old_output: Path) -> None:
    done = launch("-g", graph, "-d", images, "-o", old_output, "--inputs", "inptu")

    assert done.returncode == 3, done.stderr
    assert "inptu" in only_one_error(done.stderr)
    assert "input" in done.stderr.replace("inptu", "").replace("--inputs", "")
    assert untouched(old_output)


def test_too_little_memory(launch: Launcher, graph: Path, images: Path, tmp_path: Path, old_output: Path) -> None:
    done = launch("-g", graph, "-d", images, "-o", old_output, "--memory", "64m")

    assert done.returncode == 9, done.stderr
    assert only_one_error(done.stderr)
    assert untouched(old_output)
    assert leftovers(tmp_path) == []


def test_the_deadline(launch: Launcher, graph: Path, many_images: Path, tmp_path: Path, old_output: Path) -> None:
    done = launch("-g", graph, "-d", many_images, "-o", old_output, "--timeout", "0.5")

    assert done.returncode == 10, done.stderr
    assert "--timeout" in only_one_error(done.stderr)
    assert untouched(old_output)
    assert leftovers(tmp_path) == []


def test_an_output_that_cannot_be_written(launch: Launcher, graph: Path, images: Path) -> None:
    done = launch("-g", graph, "-d", images, "-o", "/proc/self/out.pb")

    assert done.returncode == 11, done.stderr
    assert only_one_error(done.stderr)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGQUIT, 131)])
def test_a_signal(
    launch: Launcher, graph: Path, many_images: Path, tmp_path: Path, old_output: Path, signum: int, code: int
) -> None:
    with launch.started("-g", graph, "-d", many_images, "-o", old_output) as process:
        process.send_signal(signum)
        stdout, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == code, stderr
    assert "interrupted" in only_one_error(stderr)
    assert json.loads(stdout.splitlines()[-1]) == {
        "event": "end",
        "time": json.loads(stdout.splitlines()[-1])["time"],
        "exit_code": code,
    }
    assert untouched(old_output)
    assert leftovers(tmp_path) == []


def test_a_second_signal_kills(
    launch: Launcher, graph: Path, many_images: Path, tmp_path: Path, old_output: Path
) -> None:
    with launch.started("-g", graph, "-d", many_images, "-o", old_output) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130, stderr
    assert untouched(old_output)
    assert leftovers(tmp_path) == []


def test_a_killed_launcher_and_the_next_start(
    launch: Launcher, graph: Path, images: Path, many_images: Path, tmp_path: Path, old_output: Path
) -> None:
    with launch.started("-g", graph, "-d", many_images, "-o", old_output) as process:
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert old_output.read_bytes() == b"the old graph"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = launch("-g", graph, "-d", images, "-o", elsewhere / "out.pb")

    assert done.returncode == 0, done.stderr
    assert untouched(old_output)
    wait_until_gone(tmp_path)


def test_clean_after_a_killed_launcher(
    launch: Launcher, graph: Path, many_images: Path, tmp_path: Path, old_output: Path
) -> None:
    with launch.started("-g", graph, "-d", many_images, "-o", old_output) as process:
        process.kill()
        process.communicate(timeout=PATIENCE)

    arguments = [word for word in launch.argv() if word not in ("--runtime", launch.runtime)]
    subprocess.run([*arguments, "clean"], env=launch.environment, capture_output=True, timeout=PATIENCE, check=True)

    assert untouched(old_output)
    wait_until_gone(tmp_path)


def wait_until_gone(place: Path) -> None:
    """A killed launcher's processes die on their own; wait for them, and for nothing else."""
    until = time.monotonic() + PATIENCE
    while (left := leftovers(place)) and time.monotonic() < until:
        assert all(one.startswith("process") for one in left), left
        time.sleep(0.1)
    assert leftovers(place) == []


def test_two_launchers_on_one_output(launch: Launcher, graph: Path, many_images: Path, old_output: Path) -> None:
    with launch.started("-g", graph, "-d", many_images, "-o", old_output) as process:
        second = launch("-g", graph, "-d", many_images, "-o", old_output)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

    assert second.returncode == 13, second.stderr
    assert "another launcher" in only_one_error(second.stderr)
    assert untouched(old_output)


def test_a_reader_that_leaves(
    launch: Launcher, graph: Path, many_images: Path, tmp_path: Path, old_output: Path
) -> None:
    with launch.started("-g", graph, "-d", many_images, "-o", old_output) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(PATIENCE)
        assert process.stderr is not None
        stderr = process.stderr.read()

    assert process.returncode == 141
    assert stderr == ""
    assert untouched(old_output)
    assert leftovers(tmp_path) == []
