"""A script and command lines made for intel-quantization 1.1, unchanged, in the workspace."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support import MAKE_GRAPH, Launcher

# The callback's program reads the graph as those of the Model Zoo do; the script is the quick start's.
_SCRIPT = """
set -e
cd "$WORKSPACE/output"
cat > infer.py <<'PYTHON'
import argparse
import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser()
parser.add_argument('--input_graph')
args = parser.parse_args()
infer_graph = tf.Graph()
with infer_graph.as_default():
    graph_def = tf.compat.v1.GraphDef()
    with tf.compat.v1.gfile.FastGFile(args.input_graph, 'rb') as input_file:
        graph_def.ParseFromString(input_file.read())
    output_graph = tf.import_graph_def(graph_def, name='')
input_tensor = infer_graph.get_tensor_by_name('input:0')
output_tensor = infer_graph.get_tensor_by_name('predict:0')
with tf.compat.v1.Session(graph=infer_graph) as sess:
    for step in range(50000):
        sess.run(output_tensor, {input_tensor: np.random.rand(10, 16, 16, 3)})
PYTHON
cat > quantize.py <<'PYTHON'
import os
import intel_quantization.graph_converter as converter

def rn50_callback_cmds():
    return 'python ' + os.path.join(os.getcwd(), 'infer.py') + ' --input_graph={}'

if __name__ == '__main__':
    rn50 = converter.GraphConverter('small.pb', None, ['input'], ['predict'])
    rn50.gen_calib_data_cmds = rn50_callback_cmds()
    rn50.debug = True
    rn50.covert()
PYTHON
python quantize.py
python "$WORKSPACE/quantization/tools/summarize_graph.py" --in_graph=small.pb --input_binary
python "$WORKSPACE/quantization/examples/quantize_cmd.py" --input_graph small.pb --output_graph cmd.pb \
    --callback 'python infer.py' --inputs 'input' --outputs 'predict' --per_channel False \
    --excluded_ops '' --excluded_nodes ''
"""


def test_the_quick_start(launch: Launcher, tmp_path: Path) -> None:
    done = launch("--debug", "--out_graph", tmp_path / "x.pb", stdin=MAKE_GRAPH + _SCRIPT)

    assert done.returncode == 0, done.stderr
    assert "Found  1  possible inputs: \n(name=input, type=float(1), shape=[-1, 16, 16, 3])\n" in done.stdout
    assert "Found  1  possible outputs: \n(name=predict, op=Softmax)\n" in done.stdout
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {
        "small.pb",
        "infer.py",
        "quantize.py",
        "int8_final_fused_graph.pb",
        "fp32_optimized_graph.pb",
        "fp32_logged_graph.pb",
        "int8_frozen_range_graph.pb",
        "cmd.pb",
    }


def test_the_old_paths(launch: Launcher, runtime: str, tmp_path: Path) -> None:
    """In the image, below /workspace/quantization; a checkout has them beside its rooms."""
    if runtime == "local":
        assert (Path(__file__).resolve().parents[2] / "api" / "examples" / "quantize_cmd.py").is_file()
        return
    words = "summarize_graph --help && python /workspace/quantization/api/examples/quantize_cmd.py --help"
    done = launch("--debug", "--out_graph", tmp_path / "x.pb", stdin=words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: ") == 2
