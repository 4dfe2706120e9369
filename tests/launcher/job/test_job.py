from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from launch_quantization.job.job import Job, Mount

JOB = Job(Path("/in/net.pb"), Path("/out/net_int8.pb"), Path("/data"), models_zoo=Path("/zoo"), model_name="resnet50")


def test_each_path_has_its_place_inside() -> None:
    assert JOB.mounts() == (
        Mount(Path("/in/net.pb"), "/workspace/pretrained_model/net.pb", read_only=True),
        Mount(Path("/data"), "/workspace/dataset", read_only=True),
        Mount(Path("/zoo"), "/workspace/models_zoo", read_only=True),
    )


def test_the_job_inside_knows_no_host_path() -> None:
    inside = JOB.inside()
    assert inside["in_graph"] == "pretrained_model/net.pb"
    assert inside["out_graph"] == "output/net_int8.pb"
    assert inside["data_location"] == "dataset"
    assert inside["models_source_dir"] is None
    assert not any(isinstance(value, str) and value.startswith("/") for value in inside.values())


def test_the_command_is_ascii_json() -> None:
    job = Job(Path("/ü\udcff.pb"), Path("/out.pb"), None)
    command = job.command()
    assert command[:4] == ["python3", "-m", "intel_quantization", "--job"]
    assert command[4].isascii()
    assert json.loads(command[4]) == job.inside()


@pytest.mark.parametrize(("cpus", "threads"), [(None, None), (0.5, 1), (1.0, 1), (2.7, 2), (8.0, 8)])
def test_threads(cpus: float | None, threads: int | None) -> None:
    assert Job(None, None, None, cpus=cpus).threads == threads


def test_a_job_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        JOB.samples = 1  # type: ignore[misc]
