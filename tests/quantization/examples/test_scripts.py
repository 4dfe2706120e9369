"""The examples, and scripts as users of intel-quantization 1.1 have them, run as programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from intel_quantization.graph.io import read_graph, write_graph
from tests.quantization.builders import build, conv_block, dense, image, int8_ops
from tests.quantization.pictures import bands, write

pytestmark = pytest.mark.tensorflow
ROOT = Path(__file__).resolve().parents[3] / "quantization"

# An inference program as those of the Model Zoo: it reads the graph it is told, and runs it in a loop.
INFERENCE = """
import argparse
import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser()
parser.add_argument("--input_graph", required=True)
parser.add_argument("--num_batches", type=int, default=3)
args = parser.parse_args()
graph_def = tf.compat.v1.GraphDef()
with open(args.input_graph, "rb") as file:
    graph_def.ParseFromString(file.read())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
with tf.compat.v1.Session(graph=graph) as session:
    for number in range(args.num_batches):
        batch = np.random.RandomState(number).uniform(0, 1, (10, 8, 8, 4))
        session.run("predict:0", {"input:0": batch})
        print("Iteration %d" % number, flush=True)
"""

# As in the quick start of 1.1.
FIRST = """
import os
import intel_quantization.graph_converter as converter

def rn50_callback_cmds():
    script = os.path.join(os.path.dirname(os.path.realpath(__file__)), 'inference.py')
    flags = ' --input_graph={}' + \\
            ' --num_batches 3'
    return 'python3 ' + script + flags

if __name__ == '__main__':
    rn50 = converter.GraphConverter('in.pb', None, ['input'], ['predict'])
    # pass an inference script to `gen_calib_data_cmds` to generate calibration data.
    rn50.gen_calib_data_cmds = rn50_callback_cmds()
    # use "debug" option to save temp graph files, default False.
    rn50.debug = True
    rn50.covert()
"""


def net():
    x = conv_block(image(), "c")
    tf.nn.softmax(dense(tf.reduce_mean(x, [1, 2]), name="logits"), name="predict")


@pytest.fixture(name="folder")
def _folder(tmp_path):
    write_graph(build(net), str(tmp_path / "in.pb"))
    (tmp_path / "inference.py").write_text(INFERENCE)
    return tmp_path


def run(folder, *words, **variables):
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    return subprocess.run(
        [sys.executable, *[str(word) for word in words]],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths), PATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_quick_start(folder):
    (folder / "script.py").write_text(FIRST)
    done = run(folder, "script.py")
    assert done.returncode == 0, done.stderr
    assert int8_ops(read_graph(str(folder / "int8_final_fused_graph.pb")))
    assert {"fp32_optimized_graph.pb", "fp32_logged_graph.pb", "int8_frozen_range_graph.pb"} < set(os.listdir(folder))


@pytest.mark.parametrize("given", [" --input_graph=in.pb --num_batches 3", ""])
def test_quantize_cmd(folder, given):
    done = run(
        folder,
        ROOT / "examples" / "quantize_cmd.py",
        "--input_graph=in.pb",
        "--output_graph=out.pb",
        "--callback=python3 inference.py" + given,
        "--inputs=input",
        "--outputs=predict",
        "--per_channel",
        "False",
        "--excluded_ops",
        "",
        "--excluded_nodes",
        "",
        "--samples=20",
    )
    assert done.returncode == 0, done.stderr
    assert "Iteration 0" in done.stdout
    assert "Converted graph file is saved to: out.pb" in done.stdout
    graph_def = read_graph(str(folder / "out.pb"))
    assert sum(int8_ops(graph_def).values()) == 2
    ranges = next(node for node in graph_def.node if node.name == "c/int8_weights_max")
    # a command draws no patches, so that nothing proves one range for all channels to be enough
    assert tf.make_ndarray(ranges.attr["value"].tensor).size == 8
    assert sorted(os.listdir(folder)) == ["in.pb", "inference.py", "out.pb"]


def test_quantize_cmd_with_bad_input(folder):
    script = ROOT / "examples" / "quantize_cmd.py"
    done = run(folder, script, "--input_graph=none.pb", "--callback=python3 inference.py")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("quantize_cmd.py: the input graph none.pb does not exist\n")
    assert "Traceback" not in done.stderr
    done = run(folder, script, "--input_graph=in.pb", "--callback=python3 inference.py", "--per_channel=perhaps")
    assert done.returncode == 2
    assert "expected true or false" in done.stderr


def test_quantize_python_by_images(folder):
    for number in range(4):
        write(folder / "photos" / f"{number}.png", bands(number, 4, number))
    write_graph(build(lambda: conv_block(image((None, 16, 16, 3)), "predict")), str(folder / "rn50.pb"))
    done = run(folder, ROOT / "examples" / "quantize_python.py", RN50_MODEL="rn50.pb", DATA_LOCATION="photos")
    assert done.returncode == 0, done.stderr
    assert int8_ops(read_graph(str(folder / "int8_final_fused_graph.pb")))


def test_quantize_python_by_command(folder):
    more = 'parser.add_argument("--data_location")\nparser.add_argument("--batch_size")\nargs = '
    (folder / "accuracy.py").write_text(INFERENCE.replace("args = ", more))
    done = run(folder, ROOT / "examples" / "quantize_python.py", RN50_MODEL="in.pb")
    assert done.returncode == 0, done.stderr
    assert int8_ops(read_graph(str(folder / "int8_final_fused_graph.pb")))
