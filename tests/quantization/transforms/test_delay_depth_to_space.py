"""DepthToSpace goes behind what looks at one value at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.delay_depth_to_space import delay_depth_to_space
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def spaced(behind, cut=False, linear=True, channels=3):
    def net():
        x = b.image((2, 6, 6, 4 * channels))
        x = b.conv(x, 4 * channels, name="conv") if linear else x
        x = tf.nn.depth_to_space(x, 2, name="spaced")
        x = tf.slice(x, [0, 1, 0, 0], [-1, 9, 11, -1]) if cut else x
        behind(x)

    return net


def everything(x):
    x = b.norm(b.bias(x, "bias"), "norm")
    x = tf.nn.relu(x * b.random("scale", (3,)) + b.random("shift", (1, 1, 1, 3)))
    tf.nn.softmax(tf.minimum(x, 2.0), name="out")


@pytest.mark.parametrize("cut", [False, True])
def test_as_far_as_it_goes(cut):
    graph = b.check_rewrite(delay_depth_to_space, spaced(everything, cut), 1)
    (last,) = [node for node in graph.nodes.values() if node.op == ("Slice" if cut else "DepthToSpace")]
    assert [reader.name for reader in graph.consumers(last.name)] == ["out"]
    assert b.ops(graph)["DepthToSpace"] == 1


@pytest.mark.parametrize("op", ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
def test_batch_norms(op):
    def behind(x):
        tf.nn.softmax(b.norm(x, op=op), name="out")

    graph = b.check_rewrite(delay_depth_to_space, spaced(behind), 1)
    assert graph.producer(graph.nodes["out"].input[0]).op == "DepthToSpace"


@pytest.mark.parametrize("function", [lambda x: 1.0 - x, lambda x: tf.constant([[2.0]]) * x, tf.nn.elu, tf.nn.relu6])
def test_scalars_and_activations(function):
    b.check_rewrite(delay_depth_to_space, spaced(lambda x: tf.nn.softmax(function(x), name="out")), 1)


def test_an_output_keeps_its_name():
    b.check_rewrite(delay_depth_to_space, spaced(lambda x: tf.nn.relu(x, name="out")), 1)


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        (lambda x: tf.nn.softmax(x + b.random("rows", (12, 1, 1)), name="out"), "along the channels"),
        (lambda x: tf.nn.softmax(x + b.random("all", (1, 1, 1, 1, 3)), name="out"), "along the channels"),
        (lambda x: tf.nn.softmax(x * tf.reduce_max(b.image((3,), "other")), name="out"), "along the channels"),
        (lambda x: tf.nn.softmax(b.norm(x, training=True), name="out"), "does not norm"),
    ],
)
def test_what_looks_at_more_stays_behind(behind, told):
    graph = Graph(b.build(spaced(behind)), ["out"])
    assert delay_depth_to_space(graph) == 0
    assert told in b.refusal(delay_depth_to_space, graph, "spaced")


@pytest.mark.parametrize(
    ("behind", "options"),
    [
        (lambda x: tf.add(tf.nn.relu(x), x, name="out"), {}),
        (lambda x: tf.nn.relu(x, name="out"), {"linear": False}),
        (lambda x: tf.nn.relu(tf.slice(x, [0, 0, 0, 1], [-1, -1, -1, -1]), name="out"), {}),
        (lambda x: tf.nn.softmax(x, name="out"), {}),
        (lambda x: tf.multiply(x, x, name="out"), {}),
    ],
)
def test_what_is_no_concern(behind, options):
    graph = Graph(b.build(spaced(behind, **options)), ["out"])
    assert delay_depth_to_space(graph) == 0
    assert not list(delay_depth_to_space.refusals(graph))


def test_a_sub_pixel_convolution_is_one_int8_op():
    def net():
        x = b.conv(b.conv_block(b.image(), "first"), 16, name="deep")
        tf.identity(b.conv_block(tf.nn.relu(b.bias(tf.nn.depth_to_space(x, 2))), "last"), "out")

    graph_def = b.build(net)
    conversion = b.convert(graph_def)
    ops = b.ops(conversion.graph)
    assert (ops["QuantizedConv2DWithBiasAndReluAndRequantize"], ops["QuantizeV2"], ops["Relu"]) == (3, 1, 0)
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.05
    assert np.isfinite(b.run(conversion.graph, b.batch(graph_def), "out")[0]).all()
