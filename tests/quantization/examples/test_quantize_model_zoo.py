"""examples/quantize_model_zoo.py, with a stand-in for the zoo, run as the start.sh of 1.1 ran it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.io import read_graph, write_graph
from tests.quantization.builders import build, conv_block, dense, image, int8_ops
from tests.standin_zoo import write_zoo

pytestmark = pytest.mark.tensorflow
ROOT = Path(__file__).resolve().parents[3] / "quantization"


def net():
    x = conv_block(image(), "c")
    tf.nn.softmax(dense(tf.reduce_mean(x, [1, 2]), name="logits"), name="predict")


def run(folder, *words):
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "quantize_model_zoo.py"), *words],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths), TMPDIR=str(folder / "tmp")),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(name="folder")
def _folder(tmp_path):
    write_graph(build(net), str(tmp_path / "in.pb"))
    write_zoo(tmp_path / "zoo", "v1.5", "8, 8, 4")
    (tmp_path / "data").mkdir()
    (tmp_path / "tmp").mkdir()
    rows = np.random.RandomState(0).uniform(0, 1, (6, 8, 8, 4)).astype(np.float32)
    rows.tofile(str(tmp_path / "data" / "validation-00000-of-00001"))
    return tmp_path


def test_the_call_of_1_1(folder):
    done = run(
        folder,
        "--in_graph=in.pb",
        "--model=resnet50",
        "--out_graph=out.pb",
        "--data_location=data",
        "--models_zoo=zoo",
        "--models_source_dir=None",
        "--debug=False",
        "--samples=20",
    )
    assert done.returncode == 0, done.stderr
    assert "Processed 20 images" in done.stdout
    assert "Converted graph file is saved to: out.pb" in done.stdout
    assert sum(int8_ops(read_graph(str(folder / "out.pb"))).values()) == 2
    assert os.listdir(str(folder / "tmp")) == []
    assert sorted(os.listdir(str(folder))) == ["data", "in.pb", "out.pb", "tmp", "zoo"]


def test_bad_input_is_one_line(folder):
    done = run(folder, "--model=rfcn", "--in_graph=in.pb", "--data_location=data", "--models_zoo_location=zoo")
    assert done.returncode == 3
    assert done.stderr.startswith("quantize_model_zoo.py: this checkout of the Model Zoo (before v1.6.1) has no rfcn")
    assert "Traceback" not in done.stderr
