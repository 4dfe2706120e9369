"""Tests of the reasons for what else stays FP32."""

from __future__ import annotations

import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize.leftovers import leftovers
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


def test_a_rule_that_refused_says_why():
    """Several ops that passes are for, each left for another reason."""

    def net():
        x = b.image()
        # a bias behind a convolution that something else reads, too
        shared = b.conv(x, 4, name="shared")
        added = tf.add(shared, tf.constant(b.random("term", (4,))), name="added")
        # a second bias, likewise
        twice = b.bias(b.conv(x, 4, name="biased"), "bias")
        term = tf.nn.bias_add(twice, tf.constant(b.random("second", (4,))), name="term")
        # a batch norm in pieces of which one is no number for each channel
        y = b.conv(x, 4, name="pieces") - tf.constant(b.random("rows", (8, 1)))
        y = tf.multiply(y, tf.constant(b.random("gamma", (4,))), name="scaled")
        # one that is fused, in training
        z = b.norm(b.conv(x, 4, name="trained"), "norm", training=True)
        # a factor that does not fit
        w = tf.multiply(b.conv(x, 4, name="wide"), tf.constant(b.random("map", (8, 8, 4))), name="times")
        tf.add_n([added, tf.nn.elu(shared), term, tf.nn.elu(twice), y, z, w], name="out")

    reasons = left(net)
    add = "an addition is INT8 only behind a convolution with its bias, and without a ReLU only of INT8 values"
    no_form = " has no INT8 form, and it was not folded: "
    expected = {
        "added": add + ", and it was not folded: 'shared' is also read elsewhere",
        "term": "'bias' is also read elsewhere",
        "sub": "Sub" + no_form + "'sub' does not add a constant to each channel of 'pieces'",
        "scaled": "Mul" + no_form + "'sub' is a Sub, not a Conv2D|DepthwiseConv2dNative|MatMul",
        "norm": "'norm' is in training mode",
        "times": "Mul" + no_form + "'times' is no operation of a constant for each channel of 'wide'",
    }
    assert {name: reasons.get(name) for name in expected} == expected


def test_arithmetic_of_the_networks_own_was_not_left_by_a_batch_norm():
    def net():
        x = b.image()
        y = b.conv(x, 4, name="conv")
        tf.multiply(y, tf.nn.sigmoid(x), name="out")

    assert left(net)["out"] == "Mul has no INT8 form"


def test_a_bias_that_is_left_says_who_else_reads():
    def net():
        x = b.conv(b.image(), 4, name="conv")
        tf.add(tf.nn.elu(x), b.bias(x, "bias"), name="out")

    assert left(net)["bias"] == "'conv' is also read elsewhere"


def test_an_old_batch_norm_says_why():
    """TensorFlow 2 runs none, so that it is not converted here."""

    def net():
        x = tf.nn.relu(b.image(), name="relu")
        tf.nn.elu(b.norm(x, "norm"), name="out")

    graph_def = b.build(net)
    item = b.node(graph_def, "norm")
    item.op = "BatchNormWithGlobalNormalization"
    item.attr["variance_epsilon"].f = 0.001
    item.attr["scale_after_normalization"].b = True
    reasons = {item.node: item.reason for item in leftovers(Graph(graph_def, ["out"]), (), ())}
    assert reasons["norm"] == "'relu' is a Relu, not a Conv2D|DepthwiseConv2dNative|MatMul"
