"""Calibration by a command: real child processes that do to a graph, and to us, what inference scripts do."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.by_command.callback import calibrate_by_command
from intel_quantization.calibration.by_command.command import command_words
from intel_quantization.calibration.instrument import calibrate
from intel_quantization.errors import BadInputError, CalibrationCommandError
from intel_quantization.graph_converter import GraphConverter
from tests.quantization.builders import bias, build, conv_block, dense, image, int8_ops

pytestmark = pytest.mark.tensorflow

TOLERANCE = 1e-5
"""Of a range, relative to the largest value of the tensor; the command may run the graph with other optimizations."""

NAMES = ["input", "first/out", "between", "second/out", "logits"]
BATCH = 4


def net():
    x = conv_block(image(), "first")
    x = tf.identity(conv_block(x, "second", strides=2), name="between")
    x = tf.reshape(x, [-1, 4 * 4 * 8])
    tf.nn.softmax(bias(dense(x, name="dense"), name="logits"), name="out")


def batch(number):
    """The images that the script below feeds."""
    return np.random.RandomState(number).normal(0, 1, [BATCH, 8, 8, 4]).astype(np.float32)


INFER = """
import argparse, os, subprocess, sys
parser = argparse.ArgumentParser()
parser.add_argument("--input_graph", required=True)
parser.add_argument("--batches", default="0:3")
parser.add_argument("--how", default="")
parser.add_argument("--pids")
parser.add_argument("--feed")
arguments = parser.parse_args()
if "processes" in arguments.how:
    one = [sys.executable, __file__, "--input_graph", arguments.input_graph, "--how", "sessions", "--batches"]
    processes = [subprocess.Popen(one + [batches]) for batches in ("0:3", "3:6")]
    sys.exit(sum(process.wait() for process in processes))

import numpy as np
import tensorflow as tf
tf1 = tf.compat.v1
if arguments.pids:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    child = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
    with open(arguments.pids, "w") as file:
        file.write("%d %d" % (os.getpid(), child.pid))
graph_def = tf1.GraphDef()
with open(arguments.input_graph, "rb") as file:
    graph_def.ParseFromString(file.read())
if "optimize" in arguments.how:
    from tensorflow.python.tools.optimize_for_inference_lib import optimize_for_inference
    graph_def = optimize_for_inference(graph_def, ["input"], ["out"], tf.float32.as_datatype_enum)
if "transform" in arguments.how:
    from tensorflow.tools.graph_transforms import TransformGraph
    transforms = ["strip_unused_nodes", "remove_nodes(op=Identity, op=CheckNumerics)",
                  "fold_constants(ignore_errors=true)", "fold_batch_norms", "fold_old_batch_norms"]
    graph_def = TransformGraph(graph_def, ["input"], ["out"], transforms)
print("ops:", {node.op for node in graph_def.node})
config = tf1.ConfigProto()
rewrites = config.graph_options.rewrite_options
if "grappler" in arguments.how:
    rewrites.min_graph_nodes = -1
    for name in ("layout_optimizer", "constant_folding", "remapping", "arithmetic_optimization", "debug_stripper",
                 "dependency_optimization", "shape_optimization", "loop_optimization", "function_optimization"):
        setattr(rewrites, name, type(rewrites).ON)
prefix = "a/prefix" if "prefix" in arguments.how else ""
sessions = []
for _ in range(2 if "sessions" in arguments.how else 1):
    with tf.Graph().as_default() as graph:
        tf1.import_graph_def(graph_def, name=prefix)
    sessions.append(tf1.Session(graph=graph, config=config))
start = prefix + "/" if prefix else ""
for number in range(*map(int, arguments.batches.split(":"))):
    images = np.random.RandomState(number).normal(0, 1, [4, 8, 8, 4]).astype(np.float32)
    feed = {start + "input:0": images}
    if arguments.feed:
        feed[arguments.feed] = 0.5
    sessions[number % len(sessions)].run(start + "out:0", feed)
    sys.stdout.write("batch %d;" % number)  # buffered, and never a whole line
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A user's inference script."""
    path = tmp_path_factory.mktemp("script") / "infer.py"
    path.write_text(INFER)
    return path


@pytest.fixture(autouse=True)
def private(tmp_path, monkeypatch):
    """Temporary files go here, and none is left."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert not list(place.iterdir())


def by_command(command, **options):
    """Calibrate the small net by a command."""
    return calibrate_by_command(
        build(net), NAMES, command, ["input:0"], channel_means=["first/out"], histograms=True, **options
    )


HOW = [("optimize prefix grappler", 3), ("processes", 6)]
if importlib.util.find_spec("tensorflow.tools.graph_transforms"):  # in TensorFlow 1.15
    HOW.append(("transform", 3))


@pytest.mark.parametrize(("how", "batches"), HOW)
def test_the_ranges_are_those_of_calibration_in_process(script, how, batches):
    progress, lines = [], []
    words = command_words("%s %s --how '%s'" % (sys.executable, script, how))
    found = by_command(words, on_samples=progress.append, on_output=lines.append)
    feed = [{"input:0": batch(number)} for number in range(batches)]
    wanted = calibrate(build(net), NAMES, feed, channel_means=["first/out"], histograms=True)
    assert found.graph == wanted.graph
    assert found.samples == wanted.samples == batches * BATCH
    assert progress[-1] == batches * BATCH
    for name in NAMES:
        given, expected = found.tensors[name], wanted.tensors[name]
        assert (given.count, given.shape, given.batches) == (expected.count, expected.shape, batches)
        limit = TOLERANCE * max(-expected.minimum, expected.maximum)
        assert (given.minimum, given.maximum) == pytest.approx((expected.minimum, expected.maximum), abs=limit)
        assert given.histogram.sum() == expected.histogram.sum()
        assert np.abs(given.histogram - expected.histogram).sum() <= 2e-3 * expected.histogram.sum()
    means = found.tensors["first/out"].channel_mean, wanted.tensors["first/out"].channel_mean
    np.testing.assert_allclose(*means, rtol=0, atol=TOLERANCE * found.tensors["first/out"].maximum)
    if "processes" not in how:
        (optimized,) = (line for line in lines if line.startswith("ops:"))
        assert "Identity" not in optimized
        assert "Print" in optimized


def test_a_loop_over_50000_images_is_ended(script, tmp_path):
    pids = tmp_path / "pids"
    progress = []
    words = [sys.executable, str(script), "--input_graph={}", "--batches=0:12500", "--pids", str(pids)]
    found = by_command(words, samples=10, on_samples=progress.append)
    assert 10 <= found.samples < 25000
    assert progress == sorted(progress)
    assert progress[-1] == 10
    assert all(found.tensors[name].count for name in NAMES)
    assert not any(os.path.exists("/proc/%s" % pid) for pid in pids.read_text().split())


def with_leftovers():
    net()
    tf.multiply(tf.compat.v1.placeholder(tf.float32, [], "rate"), 2, name="leftover")


def test_gen_calib_data_cmds(script, tmp_path):
    converter = GraphConverter(build(with_leftovers), str(tmp_path / "int8.pb"), ["input", "rate"], ["out"])
    command = "%s %s --input_graph=/left/in.pb --batches 0:5 --feed rate:0" % (sys.executable, script)
    converter.gen_calib_data_cmds = command
    converter.debug = True
    conversion = converter.convert()
    feed = [{"input:0": batch(number)} for number in range(5)]
    by_feed = GraphConverter(build(with_leftovers), inputs=["input"], outputs=["out"], calibration_data=feed).convert()
    assert int8_ops(conversion.graph) == int8_ops(by_feed.graph) != {}
    assert conversion.decisions == by_feed.decisions
    assert conversion.statistics.samples == 5 * BATCH
    assert {"fp32_logged_graph.pb", "int8.pb"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('Traceback'); raise SystemExit(3)", "exit code 3, after 0 of 100 samples; its last lines: Traceback"),
        ("import os; os.kill(os.getpid(), 9)", r"ended by signal 9 \(SIGKILL\), as when memory runs out.*said nothing"),
        ("import os; os.kill(os.getpid(), 11)", r"ended by signal 11 \(SIGSEGV\), after"),
        ("print('all is well')", "ended well, but did not run the graph it was given; its last lines: all is well"),
        ("import os; os.write(1, b'\\xff\\x00' * (1 << 22)); raise SystemExit(1)", "exit code 1.*�"),
    ],
)
def test_a_command_that_fails(code, message):
    with pytest.raises(CalibrationCommandError, match=message) as caught:
        by_command([sys.executable, "-c", code, "{}"])
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 1200
    assert "{}" in caught.value.remedy


@pytest.mark.parametrize("code", ["import time; time.sleep(1000)", "while True: print('y' * 70)"])
def test_a_command_that_hangs(code):
    with pytest.raises(CalibrationCommandError, match=r"has not run the graph for 0\.5 s, after 0 of 100 samples"):
        by_command([sys.executable, "-c", code, "{}"], patience=0.5)


def test_no_such_program():
    with pytest.raises(BadInputError, match="no-such-program"):
        by_command(["no-such-program", "{}"])
