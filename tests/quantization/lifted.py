"""Nets with signed tensors between INT8 ops, and what became of those."""

from __future__ import annotations

import tensorflow as tf

from tests.quantization import builders as b
from tests.quantization.builders import conv_block, depthwise
from tests.quantization.simulation import check_int8_op


def biased(x, name, **options):
    """A convolution with its bias and no activation; the nodes are ``name`` and ``name/bias``."""
    return b.bias(b.conv(x, name=name, **options), name + "/bias")


def checked(function, tolerance, outputs=("out",), target=None, loops=False):
    """Convert a net, calibrated on what it is then fed; every INT8 op gives what integers give, within one step.

    Args:
        function: builds the net.
        tolerance: how far the outputs may be off, as a share of their largest value.
        outputs: their names.
        target: the TensorFlow that the graph is for.
        loops: there are loops, within which TensorFlow gives no values.
    """
    graph_def = b.build(function)
    feed = b.batch(graph_def, 3, seed=1)
    conversion = b.convert(graph_def, [feed], outputs=list(outputs), per_channel=True, target_tensorflow=target)
    for item in conversion.graph.node:
        if not loops and ("WithBias" in item.op or item.op.startswith("_FusedQuantized")):
            check_int8_op(conversion.graph, feed, item.name)
    for name in outputs:
        assert b.error(conversion, feed, name) < tolerance, name
    return conversion


def modes(conversion):
    """The mode of each Dequantize by its name."""
    return {item.name: item.attr["mode"].s.decode() for item in conversion.graph.node if item.op == "Dequantize"}


def types(conversion, key):
    """The type that each INT8 convolution has for an attribute, by the name of its FP32 root."""
    return {
        item.name[: -len("/int8")]: tf.as_dtype(item.attr[key].type).name
        for item in conversion.graph.node
        if key in item.attr and item.name.endswith("/int8")
    }


def linear_blocks(x, count, kernel=1):
    """Inverted residuals: expansion, depthwise convolution, projection without an activation, addition."""
    for number in range(count):
        name = "block%d" % number
        y = conv_block(x, name + "/expand", "relu6", kernel=kernel, filters=16)
        y = tf.nn.relu6(b.bias(depthwise(y, name=name + "/d"), name + "/d/bias"), name=name + "/d/out")
        x = tf.raw_ops.AddV2(x=x, y=biased(y, name + "/project", kernel=1), name=name + "/add")
    return x
