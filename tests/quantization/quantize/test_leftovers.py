"""Tests of the reasons for what else stays FP32."""

from __future__ import annotations

import tensorflow as tf

from intel_quantization.graph_converter import GraphConverter
from tests.quantization import builders as b

FEED = {"input:0": b.random("values", (2, 8, 8, 4))}


def left(function):
    """Name -> reason of what stays FP32 without a decision of its own."""
    graph_def = b.build(function)
    conversion = GraphConverter(graph_def, outputs=["out"], calibration_data=[FEED]).convert()
    decided = {item.node for item in conversion.decisions}
    assert not decided & {item.node for item in conversion.remaining}
    assert all(item.reason and not item.int8 for item in conversion.remaining)
    return {item.node: item.reason for item in conversion.remaining}


def test_what_became_int8_is_not_left():
    def net():
        x = b.conv_block(b.image(), "stem")
        x = b.conv_block(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), "first", padding="VALID")
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        y = b.bias(b.conv(b.conv_block(x, "second"), name="third"), "third/bias")
        b.activate(tf.identity(tf.nn.relu(tf.raw_ops.AddV2(x=y, y=x))), None, "out")

    assert left(net) == {}


def test_padding_ahead_of_lifting_is_told():
    def net():
        x = tf.pad(b.image(), [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad")
        tf.identity(b.conv_block(x, "first", padding="VALID"), "out")

    assert left(net) == {"pad": "it pads an input of few channels, which costs next to nothing in FP32"}


def test_what_an_explicitly_padding_convolution_reads_has_its_reason():
    """Nothing is fused there: the op pads by itself."""

    def net():
        x = tf.nn.elu(b.image(), name="elu")
        weights = tf.constant(b.random("weights", (3, 3, 4, 8)))
        b.v1.nn.conv2d(x, weights, [1, 1, 1, 1], [[0, 0], [1, 1], [1, 1], [0, 0]], name="out")

    assert left(net) == {"elu": "Elu has no INT8 form"}


def test_each_has_its_reason():
    def net():
        x = b.image()
        x = tf.nn.relu(x, name="early")
        x = b.norm(x, "norm")
        y = b.bias(b.conv(tf.nn.elu(x, name="elu"), 4, name="first"), "first/bias")
        y = tf.raw_ops.AddV2(x=y, y=x, name="add")
        y = tf.transpose(y, [0, 2, 1, 3], name="turned")
        tf.nn.softmax(y, name="out")

    assert left(net) == {
        "early": "no preceding INT8 op to fuse it into",
        "norm": "'early' is a Relu, not a Conv2D|DepthwiseConv2dNative|MatMul",
        "elu": "Elu has no INT8 form",
        "add": "an addition is INT8 only behind a convolution with its bias, and without a ReLU only of INT8 values",
        "turned": "it is not between INT8 ops",
        "out": "Softmax has no INT8 form",
    }
