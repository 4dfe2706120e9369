"""Depthwise convolutions on signed input, and those without an activation, behind INT8."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from intel_quantization.kinds.depthwise import NEWER as FUSED_DEPTHWISE
from intel_quantization.kinds.depthwise import OLDER, Depthwise
from intel_quantization.kinds.group import Group
from intel_quantization.ops import registry
from tests.quantization.builders import (
    activate,
    batch,
    bias,
    build,
    conv,
    conv_block,
    convert,
    depthwise,
    error,
    image,
    int8_ops,
    node,
    reasons,
)
from tests.quantization.simulation import check_int8_op

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(registry.op_def(FUSED_DEPTHWISE) is None, reason="this TensorFlow has no such op"),
]


def block(signed, activation, pad=False, multiplier=1, strides=1, with_bias=True, kernel=3):
    """A convolution (signed: without a ReLU), a depthwise and another one, which pads unless its kernel is 1."""

    def net():
        x = conv_block(image(), "first", None if signed else "relu", filters=8)
        if pad:
            x = tf.pad(x, [[0, 0], [1, 0], [2, 1], [0, 0]], name="pad")
        x = depthwise(x, multiplier, strides=strides, padding="VALID" if pad else "SAME", name="d")
        x = bias(x, "d/bias") if with_bias else x
        tf.identity(conv_block(activate(x, activation, "d/out"), "last", kernel=kernel), name="out")

    return net


def checked(function, target=None):
    graph_def = build(function)
    conversion = convert(graph_def, per_channel=True, target_tensorflow=target)
    feed = batch(graph_def, seed=1)
    for item in conversion.graph.node:
        if "WithBias" in item.op or item.op == FUSED_DEPTHWISE:
            check_int8_op(conversion.graph, feed, item.name)
    assert error(conversion, feed) < 0.08
    return conversion


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("activation", ["relu", "relu6", None])
@pytest.mark.parametrize("pad", [False, True])
def test_signs_activations_and_pads(signed, activation, pad):
    conversion = checked(block(signed, activation, pad))
    newer = signed or activation is None or pad
    assert int8_ops(conversion.graph)[FUSED_DEPTHWISE if newer else OLDER] == 1
    assert set(reasons(conversion).values()) == {""}
    if newer:
        item = next(item for item in conversion.graph.node if item.op == FUSED_DEPTHWISE)
        assert item.attr["padding"].s == (b"EXPLICIT" if pad else b"SAME")
        assert list(item.attr["explicit_paddings"].list.i) == ([0, 0, 1, 0, 2, 1, 0, 0] if pad else [])


@pytest.mark.parametrize(
    "options", [{"multiplier": 2}, {"strides": 2}, {"with_bias": False}, {"strides": 2, "pad": True}]
)
def test_other_shapes(options):
    assert int8_ops(checked(block(True, None, **options)).graph)[FUSED_DEPTHWISE] == 1


@pytest.mark.parametrize("signed", [False, True])
def test_the_shape_behind_a_pad_is_the_right_one(signed):
    """With padding_list in the older op TensorFlow thinks that this is 7x5, and does not import the pool."""

    def net():
        x = conv_block(image((None, 6, 6, 4)), "first", None if signed else "relu", filters=8)
        x = tf.pad(x, [[0, 0], [1, 2], [2, 1], [0, 0]], name="pad")
        x = tf.nn.relu(bias(depthwise(x, padding="VALID", name="d"), "d/bias"))
        tf.nn.avg_pool2d(conv_block(x, "last", None), 7, 1, "VALID", name="out")

    graph = checked(net).graph
    assert int8_ops(graph)[FUSED_DEPTHWISE] == 1
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        assert imported.get_tensor_by_name("out:0").shape.as_list() == [None, 1, 1, 8]


def test_older_targets_leave_it_in_float32():
    conversion = checked(block(True, None), "2.1")
    assert reasons(conversion)["d"] == (
        "signed input has no INT8 kernel for DepthwiseConv2dNative that works from TensorFlow 2.1 on"
    )
    conversion = checked(block(False, None), "2.1")
    assert reasons(conversion)["d"].endswith("without a ReLU behind it that works from TensorFlow 2.1 on")
    assert int8_ops(checked(block(False, None, kernel=1), "2.1").graph)[OLDER] == 1  # lifted
    assert int8_ops(checked(block(True, None), "2.14").graph)[FUSED_DEPTHWISE] == 1


@pytest.mark.parametrize("pad", [False, True])
def test_a_result_that_is_lifted_needs_it_for_a_pad_only(pad):
    conversion = checked(block(False, None, pad, kernel=1))
    assert int8_ops(conversion.graph)[FUSED_DEPTHWISE if pad else OLDER] == 1
    assert set(reasons(conversion).values()) == {""}


def test_between_float32_ops_it_stays_float32():
    def net():
        x = tf.nn.swish(conv_block(image(), "first", None))
        x = tf.nn.swish(bias(depthwise(x, name="d"), "d/bias"))
        tf.identity(conv_block(x, "last"), name="out")

    conversion = checked(net)
    assert "not faster in INT8" in reasons(conversion)["d"]
    assert reasons(conversion)["last"] == ""


def test_behind_a_signed_pool():
    def net():
        x = tf.nn.max_pool2d(conv_block(image(), "first", None, filters=8), 2, 2, "SAME", name="pool")
        tf.identity(conv_block(bias(depthwise(x, name="d"), "d/bias"), "last"), name="out")

    assert int8_ops(checked(net).graph)[FUSED_DEPTHWISE] == 1


def test_its_result_alone():
    """What follows is float32: the node of the result dequantizes."""

    def net():
        x = conv_block(image(), "first", "relu", filters=8)
        tf.tanh(bias(depthwise(x, name="d"), "d/bias"), name="out")

    conversion = checked(net)
    assert node(conversion.graph, "d/bias").op == "Dequantize"


def group(activation="", pads=None):
    return Group("d", "DepthwiseConv2dNative", "x", pads, "b", None, activation, "b", ("d", "b"))


def test_which_groups_need_it():
    kind = Depthwise()
    assert kind.kernel(group(), True).op == FUSED_DEPTHWISE
    assert kind.kernel(group("Relu"), False).op == FUSED_DEPTHWISE
    assert kind.kernel(group("Relu6"), True).op == OLDER
    assert kind.kernel(group("Relu", (0, 1, 0, 1)), True).op == FUSED_DEPTHWISE
    assert kind.kernel(group(), False).types["Tsummand"] == types_pb2.DT_QINT8
    assert kind.kernel(group("Relu"), False).types["out_type"] == types_pb2.DT_QUINT8
    assert "Tsummand" not in kind.kernel(group("Relu"), True).types


def test_attributes():
    kind = Depthwise()
    fp32 = node(build(block(False, None)), "d")
    padded = group(pads=(1, 1, 1, 1))
    newer = kind.attributes(fp32, padded, kind.kernel(padded, True))
    assert (newer["padding"], newer["explicit_paddings"]) == ("EXPLICIT", [0, 0, 1, 1, 1, 1, 0, 0])
    assert newer["fused_ops"] == ["BiasAdd", "Requantize"]
    assert "padding_list" not in newer
    activated = group("Relu6", (1, 1, 1, 1))
    assert kind.attributes(fp32, activated, kind.kernel(activated, True))["fused_ops"] == [
        "BiasAdd",
        "Relu",
        "Requantize",
    ]
    plain = group("Relu")
    assert set(kind.attributes(fp32, plain, kind.kernel(plain, True))) == {"strides", "padding", "dilations"}


def test_a_convolution_reads_its_signed_result():
    def net():
        x = conv_block(image(), "first", "relu", filters=8)
        x = bias(depthwise(x, name="d"), "d/bias")
        tf.nn.relu(bias(conv(x, name="a"), "a/bias"), name="out")

    conversion = checked(net)
    reader = next(item for item in conversion.graph.node if item.name == "out/int8")
    assert reader.attr["Tinput"].type == types_pb2.DT_QINT8
