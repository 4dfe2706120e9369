"""--resume: what an earlier run calibrated, also one that was killed, is not calibrated again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.support import PATIENCE, Launcher

_TAKEN = "calibrated by an earlier run"
_SAME = ("net.pb", "net.statistics.json")


@pytest.fixture
def resuming(launch: Launcher, tmp_path: Path) -> Launcher:
    """A launcher that has nothing to go on with yet."""
    environments = Path(launch.environment["XDG_CACHE_HOME"]) / "launch_quantization" / "environments"
    ours = tmp_path / "cache" / "launch_quantization"
    ours.mkdir(parents=True)
    (ours / "environments").symlink_to(environments)
    return Launcher(launch.runtime, {**launch.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")})


def made(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in _SAME]


def test_other_options_take_what_was_calibrated(resuming: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    words = ["-g", graph, "-d", images, "--samples", 6, "--no_measure"]
    first = resuming(*words, "-o", tmp_path / "first.pb")
    assert first.returncode == 0, first.stderr
    assert _TAKEN not in first.stderr

    for place, more in (("taken", []), ("anew", ["--no_resume"])):
        (tmp_path / place).mkdir()
        done = resuming(*words, "--algo", "KL", "--no_per_channel", "-o", tmp_path / place / "net.pb", *more)
        assert done.returncode == 0, done.stderr
        assert (_TAKEN in done.stderr) == (place == "taken")
    assert made(tmp_path / "taken") == made(tmp_path / "anew")


def test_a_launcher_that_was_killed_after_calibrating(
    resuming: Launcher, graph: Path, images: Path, tmp_path: Path
) -> None:
    words = ["-g", graph, "-d", images, "--samples", 6]
    for place in ("killed", "anew"):
        (tmp_path / place).mkdir()
    with resuming.started(*words, "-o", tmp_path / "killed" / "net.pb") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "stage" and event["name"] == "measure":
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)

    done = resuming(*words, "-o", tmp_path / "killed" / "net.pb", "--no_measure")
    assert done.returncode == 0, done.stderr
    assert _TAKEN in done.stderr
    done = resuming(*words, "-o", tmp_path / "anew" / "net.pb", "--no_measure", "--no_resume")
    assert done.returncode == 0, done.stderr
    assert made(tmp_path / "killed") == made(tmp_path / "anew")
