"""--callback: what is checked of it before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from launch_quantization.errors import UsageError
from launch_quantization.job.validation import checked_job
from tests.launcher.support import options


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "infer.py").touch()
    return path


def test_a_callback_needs_no_images(graph: Path) -> None:
    command = "python infer.py --in-graph {}"
    job = checked_job(options("-g", graph, "--callback", command))
    assert (job.callback, job.data_location) == (command, None)
    assert job.inside()["callback"] == command


def test_what_it_reads_is_mounted(graph: Path, folder: Path) -> None:
    command = "python /workspace/models_source_dir/infer.py --data=/workspace/dataset/x {}"
    job = checked_job(options("-g", graph, "-d", folder, "-s", folder, "-z", folder, "--callback", command))
    assert [mount.target for mount in job.mounts()][1:] == [
        "/workspace/dataset",
        "/workspace/models_zoo",
        "/workspace/models_source_dir",
    ]


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("python 'a.py", "quotes"),
        ("", "give a command"),
        ("python /workspace/dataset/a.py {}", "add --data_location DIR"),
        ("python a.py --data=/workspace/dataset {}", "add --data_location DIR"),
        ("python /workspace/models_zoo/a.py {}", "add --models_zoo DIR"),
        ("python /workspace/models_source_dir/a.py {}", "add --models_source_dir DIR"),
    ],
)
def test_what_is_refused(graph: Path, command: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_job(options("-g", graph, "--callback", command))
    assert word in caught.value.remedy


def test_other_paths_are_its_own_affair(graph: Path) -> None:
    command = "python /workspace/output/a.py /workspace/quantization/b /my/workspace/dataset {}"
    assert checked_job(options("-g", graph, "--callback", command)).callback == command


def test_one_command_calibrates(graph: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        checked_job(options("-g", graph, "-z", folder, "-n", "resnet50", "--callback", "python a.py {}"))
