"""Convolutions with as many groups as channels become depthwise, with the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import QuantizationError
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.depthwise import NEWER
from intel_quantization.ops import registry
from intel_quantization.transforms.write_as_depthwise import write_as_depthwise
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow

CHANNELS = 8


def grouped(inputs=1, outputs=CHANNELS, kernel=3, channels=CHANNELS, first=False, **options):
    def net():
        x = b.image((None, channels, 9, 9) if first else (None, 9, 9, channels))
        weights = b.random("weights", (kernel, kernel, inputs, outputs), 0.5)
        attrs = {"strides": [1, 1, 1, 1], "padding": "SAME", "data_format": "NCHW" if first else "NHWC"}
        attrs.update(options)
        tf.identity(tf.raw_ops.Conv2D(input=x, filter=tf.constant(weights), name="conv", **attrs), "out")

    return net


def has_kernel():
    """Some TensorFlows have none for grouped convolutions on CPUs."""
    try:
        b.run(b.build(grouped()), {"input:0": np.zeros((1, 9, 9, CHANNELS), np.float32)}, "out")
    except tf.errors.OpError:
        return False
    return True


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"outputs": 3 * CHANNELS},
        {"kernel": 7},
        {"strides": [1, 2, 2, 1]},
        {"padding": "VALID"},
        {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 1, 0, 0]},
    ],
)
def test_one_group_for_each_channel(options):
    if not has_kernel():
        pytest.skip("this TensorFlow does not run grouped convolutions")
    graph = b.check_rewrite(write_as_depthwise, grouped(**options), 1)
    node = graph.nodes["conv"]
    assert node.op == "DepthwiseConv2dNative"
    outputs = options.get("outputs", CHANNELS)
    assert graph.constant(node.input[1]).shape == (*[options.get("kernel", 3)] * 2, CHANNELS, outputs // CHANNELS)


def test_channels_first():
    graph = Graph(b.build(grouped(first=True, strides=[1, 1, 2, 2])), ["out"])  # has no CPU kernel everywhere
    assert write_as_depthwise(graph) == 1
    node = graph.nodes["conv"]
    assert (node.op, node.attr["data_format"].s) == ("DepthwiseConv2dNative", b"NCHW")
    assert list(node.attr["strides"].list.i) == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"strides": [1, 1, 2, 1]}, "one stride"),
        ({"dilations": [1, 2, 2, 1]}, "dilated"),
        ({"channels": None}, "not known"),
    ],
)
def test_what_no_depthwise_convolution_does_stays(options, told):
    graph = Graph(b.build(grouped(**options)), ["out"])
    assert write_as_depthwise(graph) == 0
    assert told in b.refusal(write_as_depthwise, graph, "conv")


def test_other_types_stay():
    def net():
        x = b.image((None, 9, 9, CHANNELS), dtype=tf.float64)
        weights = tf.constant(np.ones((3, 3, 1, CHANNELS)))
        tf.raw_ops.Conv2D(input=x, filter=weights, strides=[1, 1, 1, 1], padding="SAME", name="out")

    graph = Graph(b.build(net), ["out"])
    assert write_as_depthwise(graph) == 0
    assert b.refusal(write_as_depthwise, graph, "out") == "it is not float32"


@pytest.mark.parametrize("options", [{"inputs": 2}, {"inputs": CHANNELS}, {"channels": 1}])
def test_other_convolutions_are_no_concern(options):
    graph = Graph(b.build(grouped(**options)), ["out"])
    assert write_as_depthwise(graph) == 0
    assert not list(write_as_depthwise.refusals(graph))


def test_it_becomes_int8():
    if not has_kernel() or registry.op_def(NEWER) is None:
        pytest.skip("this TensorFlow does not run grouped convolutions, or has no kernel for the INT8 form")

    def net():
        x = b.conv_block(b.image((None, 8, 8, 4)), "first", filters=CHANNELS)
        weights = tf.constant(b.random("deep", (3, 3, 1, CHANNELS), 0.3))
        x = tf.raw_ops.Conv2D(input=x, filter=weights, strides=[1, 1, 1, 1], padding="SAME", name="deep")
        tf.identity(b.conv_block(b.norm(x), "last"), "out")

    graph_def = b.build(net)
    conversion = b.convert(graph_def)
    assert b.reasons(conversion) == {"first": "", "deep": "", "last": ""}
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.05
    left = b.reasons(b.convert(graph_def, excluded_nodes=["deep"]))
    assert left["deep"] == "node excluded by the user"
    with pytest.raises(QuantizationError, match="deep: op excluded by the user"):
        b.convert(graph_def, excluded_ops=["Conv2D"])
