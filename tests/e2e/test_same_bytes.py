"""The same graph, data and options give the same bytes: again, elsewhere, with more or fewer threads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from launch_quantization.contract.repeatable import repeatable
from tests.e2e.support import COMMAND, PATIENCE, Launcher

_SAME = ("net.pb", "net.statistics.json")


def results(folder: Path) -> dict[str, Any]:
    """What may not differ: files by name, and the report without times."""
    report = repeatable(json.loads((folder / "net.report.json").read_text("utf-8")))
    return {**{name: (folder / name).read_bytes() for name in _SAME}, "report": report}


def copied_backwards(source: Path, target: Path) -> Path:
    """The same files, made in another order, at another time."""
    for path in sorted(source.rglob("*"), reverse=True):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            os.utime(place, (1, 1))
    return target


def replay(launch: Launcher, manifest: Path) -> subprocess.CompletedProcess[str]:
    """The runtime is that of the manifest."""
    command = [*COMMAND, "replay", str(manifest), "--quiet"]
    return subprocess.run(
        command, env=launch.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.fixture(scope="module")
def first(launch: Launcher, graph: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("first")
    done = launch("-g", graph, "-d", images, "-o", folder / "net.pb", "--samples", 6)
    assert done.returncode == 0, done.stderr
    return folder


def test_elsewhere_with_one_thread_in_another_language(
    launch: Launcher, first: Path, graph: Path, images: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "ein anderer Ort"
    elsewhere.mkdir()
    shutil.copyfile(graph, elsewhere / graph.name)
    photos = copied_backwards(images, elsewhere / "photos")
    foreign = {"LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LANG": "tr_TR.UTF-8"}
    german = Launcher(launch.runtime, {**launch.environment, **foreign})

    words = ["-g", elsewhere / graph.name, "-d", photos, "-o", elsewhere / "net.pb", "--samples", 6, "--cpus", 1]
    done = german(*words)

    assert done.returncode == 0, done.stderr
    assert results(elsewhere) == results(first)


def test_in_a_container_and_without(
    runtime: str, launch: Launcher, first: Path, graph: Path, images: Path, tmp_path: Path
) -> None:
    if runtime == "local":
        return  # the other way round it is the same comparison
    local = Launcher("local", launch.environment)
    done = local("-g", graph, "-d", images, "-o", tmp_path / "net.pb", "--samples", 6)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path) == results(first)


def test_a_replay_and_the_photo_that_changed(
    runtime: str, launch: Launcher, graph: Path, images: Path, tmp_path: Path
) -> None:
    photos = copied_backwards(images, tmp_path / "photos")
    done = launch("-g", graph, "-d", photos, "-o", tmp_path / "net.pb", "--samples", 6, "--no_blame")
    assert done.returncode == 0, done.stderr
    manifest = tmp_path / "net.manifest.json"
    run = json.loads(manifest.read_text("utf-8"))["run"]
    assert run["place"]["runtime"] == runtime
    assert "numpy==1.26.4" in run["place"]["packages"]
    assert run["place"]["image_content"] if runtime == "docker" else run["place"]["python"].startswith("3.")
    assert next(stage["name"] for stage in run["stages"]) == "read"

    done = replay(launch, manifest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "identical"

    photo = photos / "class1" / "0001.png"
    content = bytearray(photo.read_bytes())
    content[-20] ^= 1
    photo.write_bytes(content)
    done = replay(launch, manifest)
    assert done.returncode == 14
    assert done.stdout == f"--data_location: {photo} changed\n"
