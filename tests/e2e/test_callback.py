"""Calibration by a command of the user, from the command line to the files, on both runtimes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.support import Launcher, leftovers, write_array

INFER = """\
import sys
import numpy as np
import tensorflow as tf
tf1 = tf.compat.v1
images = np.load(sys.argv[1])
graph_def = tf1.GraphDef.FromString(open(sys.argv[3], "rb").read())
with tf.Graph().as_default() as graph:
    tf1.import_graph_def(graph_def, name="prefix")
with tf1.Session(graph=graph) as session:
    for number in range(50000):
        session.run("prefix/predict:0", {"prefix/input:0": images})
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with an inference script and its data."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "infer.py").write_text(INFER)
    write_array(folder / "images.npy", 5)
    return folder


def test_a_command_calibrates(launch: Launcher, graph: Path, program: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    output.mkdir()
    here = "/workspace/models_source_dir"
    command = f"python {here}/infer.py {here}/images.npy --in-graph {{}}"

    done = launch(
        *("-g", graph, "-s", program, "--callback", command, "--samples", "20", "-o", output / "out.pb"),
        "--json",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    result = events[-2]
    assert result["calibration"]["command"] == command
    assert 20 <= result["calibration"]["samples"] < 50000
    assert {op["op"]: op["int8"] for op in result["ops"]}["Conv2D"] == 2
    assert result["accuracy"] is None
    assert result["latency"]["runs"] > 0
    assert leftovers(output) == []


def test_a_command_that_fails_says_so_in_the_users_own_paths(
    launch: Launcher, graph: Path, program: Path, tmp_path: Path
) -> None:
    command = "python /workspace/models_source_dir/nothing.py {}"
    done = launch("-g", graph, "-s", program, "--callback", command, "-o", tmp_path / "out.pb")

    assert done.returncode == 3
    assert "error: the calibration command failed with exit code 2" in done.stderr
    assert f"{program}/nothing.py" in done.stderr
    assert not (tmp_path / "out.pb").exists()
    assert leftovers(tmp_path) == []
