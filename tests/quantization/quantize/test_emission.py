"""The emitted oneDNN ops compute what they stand for, on any x86 CPU."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from intel_quantization.kinds.depthwise import NEWER as FUSED_DEPTHWISE
from intel_quantization.ops import registry
from tests.quantization.builders import (
    batch,
    bias,
    build,
    conv,
    conv_block,
    convert,
    dense,
    depthwise,
    error,
    image,
    int8_ops,
    node,
    ops,
    random,
    reasons,
    run,
)
from tests.quantization.simulation import check_int8_op

pytestmark = pytest.mark.tensorflow

CONV, RELU_CONV = "QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasAndReluAndRequantize"
SUM = "QuantizedConv2DWithBiasSumAndReluAndRequantize"
SIGNED_SUM = "QuantizedConv2DWithBiasSignedSumAndReluAndRequantize"
DEPTHWISE = "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
RELU_MATMUL, MATMUL = "QuantizedMatMulWithBiasAndReluAndRequantize", "QuantizedMatMulWithBiasAndDequantize"


def checked(function, expected, per_channel=True, tolerance=0.06, **options):
    """Convert a network; every INT8 op must be exact, and the whole close to FP32."""
    graph_def = build(function)
    conversion = convert(graph_def, per_channel=per_channel, **options)
    assert int8_ops(conversion.graph) == expected
    feed = batch(graph_def, seed=1)
    for item in conversion.graph.node:
        if item.op.startswith("Quantized"):
            check_int8_op(conversion.graph, feed, item.name)
    assert error(conversion, feed) < tolerance
    return conversion


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activation", ["relu", "relu6", None])
@pytest.mark.parametrize("signed", [False, True])
def test_convolution(per_channel, activation, signed):
    def net():
        x = image() if signed else tf.nn.relu(image())
        tf.identity(conv_block(x, "c", activation), name="out")

    conversion = checked(net, {RELU_CONV: 1}, per_channel)
    # signed values, read or given, are quint8 that is lifted
    modes = {item.attr["mode"].s for item in conversion.graph.node if item.op == "Dequantize"}
    assert modes == {b"SCALED" if activation else b"MIN_FIRST"}
    assert ops(conversion.graph)["Add"] == signed


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activation", ["relu", "relu6", None])
def test_convolution_of_signed_values_that_it_pads(per_channel, activation):
    """What a convolution that pads reads cannot be lifted."""

    def net():
        tf.identity(conv_block(conv_block(tf.nn.relu(image()), "first", None), "second", activation), name="out")

    conversion = checked(net, {CONV: 1, RELU_CONV: 1}, per_channel, tolerance=0.09)
    (signed,) = (item for item in conversion.graph.node if item.op == CONV)
    assert signed.attr["out_type"].type == tf.qint8.as_datatype_enum


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2},
        {"strides": 2, "padding": "VALID"},
        {"strides": 2, "kernel": 1},
        {"dilation": 2},
        {"dilation": 2, "padding": "VALID"},
        {"kernel": 1},
        {"kernel": 5},
        {"filters": 1},
        {"filters": 33},
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 16])
def test_convolution_shapes(options, channels):
    def net():
        x = tf.nn.relu(image((None, 9, 9, channels)))
        tf.identity(conv_block(x, "c", **options), name="out")

    checked(net, {RELU_CONV: 1})


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"strides": 2, "padding": "VALID"}])
@pytest.mark.parametrize("per_channel", [False, True])
def test_depthwise(multiplier, options, per_channel):
    def net():
        x = tf.nn.relu(image((None, 9, 9, 8)))
        tf.nn.relu6(bias(depthwise(x, multiplier, **options)), name="out")

    checked(net, {DEPTHWISE: 1}, per_channel)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("activation", ["relu", "relu6", None])
@pytest.mark.parametrize("biased", [False, True])
def test_dense(transpose, activation, biased):
    def net():
        x = dense(tf.nn.relu(image((None, 33))), 20, transpose)
        x = bias(x) if biased else x
        tf.identity(getattr(tf.nn, activation)(x) if activation else x, name="out")

    checked(net, {RELU_MATMUL if activation else MATMUL: 1})


def test_explicit_and_fused_padding_are_asymmetric():
    def net():
        x = tf.pad(tf.nn.relu(image()), [[0, 0], [1, 2], [0, 3], [0, 0]])
        x = tf.pad(conv_block(x, "c", padding="VALID"), [[0, 0], [0, 2], [1, 0], [0, 0]])
        tf.nn.relu(bias(depthwise(x, strides=2, padding="VALID")), name="out")

    newer = registry.has_attr(FUSED_DEPTHWISE, "explicit_paddings")
    conversion = checked(net, {RELU_CONV: 1, FUSED_DEPTHWISE if newer else DEPTHWISE: 1})
    assert ops(conversion.graph)["Pad"] == (not newer)


def shortcut(add, other, activation=tf.nn.relu, pad=False):
    def net():
        x = tf.nn.relu(image((None, 8, 8, 8)), name="x")
        y = conv_block(x, "first")
        y = tf.pad(y, [[0, 0], [1, 1], [2, 0], [0, 0]]) if pad else y
        y = bias(conv(y, name="last", padding="VALID" if pad else "SAME"), "last/bias")
        activation(add(x=y, y=other(x)), name="out")

    return net


@pytest.mark.parametrize("add", [tf.raw_ops.Add, tf.raw_ops.AddV2])
@pytest.mark.parametrize("activation", [tf.nn.relu, tf.nn.relu6])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("pad", [False, True])
def test_unsigned_summand(add, activation, per_channel, pad):
    checked(shortcut(add, lambda x: x, activation, pad), {RELU_CONV: 1, SUM: 1}, per_channel)


@pytest.mark.parametrize("per_channel", [False, True])
def test_signed_summand_from_a_convolution(per_channel):
    """It is shifted to begin at zero, and the bias of the sum takes that back."""

    def side(x):
        return bias(conv(x, name="side", kernel=1), "side/bias")

    for activation in (tf.nn.relu, tf.nn.relu6):
        checked(shortcut(tf.raw_ops.AddV2, side, activation), {RELU_CONV: 2, SUM: 1}, per_channel)


@pytest.mark.parametrize("between", ["padding convolution", "FP32"])
def test_a_signed_summand_that_is_read_elsewhere(between):
    """FP32 takes it shifted, a convolution that pads does not."""

    def net():
        x = tf.nn.relu(image((None, 8, 8, 8)), name="x")
        side = bias(conv(x, name="side", kernel=1), "side/bias")
        y = conv_block(tf.nn.relu(side) if between == "FP32" else side, "first")
        tf.nn.relu(bias(conv(y, name="last"), "last/bias") + side, name="out")

    checked(net, {RELU_CONV: 2, SUM: 1} if between == "FP32" else {RELU_CONV: 1, CONV: 1, SIGNED_SUM: 1})


def test_signed_summand_from_elsewhere():
    net = shortcut(tf.raw_ops.AddV2, lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME") - 0.5)
    conversion = checked(net, {RELU_CONV: 1, SUM: 1})
    assert "Add" in {item.op for item in conversion.graph.node if "lifted" in item.name}


@pytest.mark.parametrize("int8", [False, True])
def test_twins_are_not_added_in_place(int8):
    """TensorFlow ended with SIGSEGV: Grappler had made one tensor of both summands."""

    def net():
        x = tf.nn.relu(image((None, 8, 8, 8)))
        x = conv_block(x, "stem") if int8 else x
        parts = []
        for name in ("a", "b"):
            y = bias(conv(conv_block(x, name + "/first"), name=name), name + "/bias")
            parts.append(tf.nn.relu(y + tf.nn.max_pool2d(x, 3, 1, "SAME")))
        tf.concat(parts, 3, name="out")

    checked(net, {RELU_CONV: 4 + int8}, tolerance=0.09)


def test_a_broadcast_summand_stays_fp32():
    checked(shortcut(tf.raw_ops.AddV2, lambda x: tf.reduce_mean(x, [1, 2], keepdims=True)), {RELU_CONV: 2})
    checked(shortcut(tf.raw_ops.AddV2, lambda x: tf.reduce_mean(x, [0], keepdims=True)), {RELU_CONV: 2})


def test_a_signed_input_with_a_summand_has_no_kernel():
    def net():
        x = image((None, 8, 8, 8))
        y = bias(conv(x, name="last"), "last/bias")
        tf.nn.relu(y + tf.nn.relu(bias(conv(x, name="side"), "side/bias")), name="out")

    conversion = convert(build(net))
    assert SUM not in int8_ops(conversion.graph)
    assert not any(reasons(conversion).values())


def test_a_chain_of_blocks_stays_in_int8():
    def net():
        x = conv_block(tf.nn.relu(image()), "stem")
        for number in range(3):
            y = conv_block(x, "block%d/a" % number)
            x = tf.nn.relu(bias(conv(y, name="block%d/b" % number), "block%d/bias" % number) + x)
        tf.identity(x, name="out")

    conversion = checked(net, {RELU_CONV: 4, SUM: 3}, tolerance=0.12)
    assert ops(conversion.graph)["QuantizeV2"] == 1
    assert ops(conversion.graph)["Dequantize"] == 1


def test_readers_of_one_tensor_share_one_quantization():
    def net():
        x = tf.nn.relu(image())
        tf.concat([conv_block(x, "a"), conv_block(x, "b"), tf.nn.sigmoid(x)], axis=3, name="out")

    assert ops(checked(net, {RELU_CONV: 2}).graph)["QuantizeV2"] == 1


def test_relu6_saturates():
    def net():
        tf.identity(conv_block(tf.nn.relu(image()), "c", "relu6"), name="out")

    graph_def = build(net)
    feed = {"input:0": batch(graph_def)["input:0"] * 100}
    conversion = convert(graph_def, [feed])
    given = check_int8_op(conversion.graph, feed, node_of_int8(conversion))
    assert (given == 255).mean() > 0.3
    assert run(conversion.graph, feed, "out")[0].max() == pytest.approx(6)


def node_of_int8(conversion):
    """The name of the only INT8 op."""
    (name,) = (item.name for item in conversion.graph.node if item.op.startswith("Quantized"))
    return name


def test_values_beyond_the_calibrated_range_saturate():
    graph_def = build(lambda: tf.identity(conv_block(tf.nn.relu(image()), "c"), name="out"))
    conversion = convert(graph_def)
    feed = {"input:0": batch(graph_def)["input:0"] * 1000}
    assert check_int8_op(conversion.graph, feed, node_of_int8(conversion)).max() == 255


def test_a_channel_of_zeros():
    weights = random("w", (3, 3, 4, 8))
    weights[..., 3] = 0
    values = random("b", (8,))
    values[3] = 0

    def net():
        tf.nn.relu(bias(conv(tf.nn.relu(image()), weights=weights), values=values), name="out")

    conversion = checked(net, {RELU_CONV: 1})
    assert not check_int8_op(conversion.graph, batch(build(net)), node_of_int8(conversion))[..., 3].any()


def test_control_inputs_survive():
    def net():
        x = tf.nn.relu(image())
        tf.nn.relu(bias(conv(x, name="conv"), "bias"), name="out")
        # an op with an effect: what has none is not waited for any longer
        tf.raw_ops.Timestamp(name="first")

    graph_def = build(net)
    node(graph_def, "conv").input.append("^first")
    node(graph_def, "out").input.append("^first")
    conversion = convert(graph_def, outputs=["out"])
    waiting = {item.op for item in conversion.graph.node if "^first" in item.input}
    assert waiting == {RELU_CONV, "Relu"}


def test_devices_are_kept():
    def net():
        with tf.device("/cpu:0"):
            tf.identity(conv_block(tf.nn.relu(image()), "c"), name="out")

    conversion = convert(build(net))
    assert "CPU:0" in node(conversion.graph, node_of_int8(conversion)).device.upper()


def test_stripped_defaults():
    def net():
        x = conv_block(tf.nn.relu(image()), "c")
        x = tf.nn.relu(bias(depthwise(x)))
        tf.identity(bias(dense(tf.reduce_mean(x, [1, 2]), 100, name="d"), "d/bias"), name="out")
        dense(image((None, 4), "signed"), name="second")

    graph_def = build(net)
    feed = batch(graph_def)
    for item in graph_def.node:
        for key in ("data_format", "dilations", "explicit_paddings", "use_cudnn_on_gpu", "transpose_a", "transpose_b"):
            if key in item.attr:
                del item.attr[key]
    conversion = convert(graph_def)
    assert int8_ops(conversion.graph) == {RELU_CONV: 1, DEPTHWISE: 1, MATMUL: 1}
    assert error(conversion, feed) < 0.06
    assert error(conversion, feed, "second") == 0


# -- saturation in int16 sums, on CPUs without VNNI ----------------------------------------------

FULL = 255.0


def extreme(kind, shape, seed):
    """Weights whose neighbours are as large as can be, with some noise in sign and size."""
    generator = np.random.RandomState(seed)
    weights = np.full(shape, 1.0, np.float32)
    if kind == "mixed":
        weights *= generator.choice([1.0, 1.0, 1.0, -1.0], shape).astype(np.float32)
    elif kind == "random":
        weights = generator.standard_t(2, shape).astype(np.float32)
    return weights


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from(["full", "mixed", "random"]),
    st.sampled_from(["conv", "dense", "transposed", "depthwise"]),
    st.sampled_from([1, 2, 3, 4, 5, 8, 16, 32]),
    st.sampled_from([1, 7, 16, 32]),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_kernels_do_not_saturate(kind, op, channels, filters, kernel, per_channel, seed):
    def net():
        if op in ("dense", "transposed"):
            shape = (filters, channels) if op == "transposed" else (channels, filters)
            x = dense(image((None, channels)), transpose=op == "transposed", weights=extreme(kind, shape, seed))
        elif op == "depthwise":
            x = depthwise(image((None, 5, 5, channels)), weights=extreme(kind, (3, 3, channels, 1), seed))
        else:
            weights = extreme(kind, (kernel, kernel, channels, filters), seed)
            x = conv(image((None, 5, 5, channels)), weights=weights, strides=1 + seed % 2)
        tf.nn.relu(bias(x), name="out")

    graph_def = build(net)
    noise = {"input:0": np.abs(batch(graph_def, 2, seed)["input:0"])}
    full = {"input:0": np.full_like(noise["input:0"], noise["input:0"].max())}
    conversion = convert(graph_def, [noise, full], per_channel=per_channel)
    for feed in (noise, full):
        check_int8_op(conversion.graph, feed, node_of_int8(conversion))


def upper_ends(conversion):
    """The upper end of the range of each INT8 result, by the name of the FP32 node."""
    found = {}
    for item in conversion.graph.node:
        if item.op == "Dequantize":
            limit = node(conversion.graph, item.input[2].split(":")[0])
            found[item.name] = float(tf.make_ndarray(limit.attr["value"].tensor))
    return found


@pytest.mark.parametrize("algo", ["MA", "KL", "PERCENTILE", "MSE", "AUTO"])
def test_scores_are_not_clipped(algo):
    def net():
        x = bias(conv(image((None, 8, 8, 4)), name="a"), "inner")
        tf.identity(x, name="copy")
        tf.nn.softmax(tf.reshape(bias(conv(x, name="b"), "scores"), [-1, 512]), name="out")

    graph_def = build(net)
    feed = [batch(graph_def, 40, seed=1), batch(graph_def, 40, seed=2)]
    feed[0]["input:0"][0] *= 8
    direct = upper_ends(convert(graph_def, feed, outputs=["out", "copy"]))
    clipped = upper_ends(convert(graph_def, feed, outputs=["out", "copy"], algo=algo))
    assert clipped["scores"] == direct["scores"]
    # AUTO cuts off what its readers do not need; see test_auto_ranges.py
    assert algo == "AUTO" or clipped["inner"] < 0.95 * direct["inner"]


@pytest.mark.parametrize("algo", ["MA", "KL", "PERCENTILE", "MSE", "AUTO"])
def test_concatenations_share_a_range_with_every_algorithm(algo):
    def net():
        x = conv_block(image((None, 8, 8, 4)), "stem")
        parts = tf.concat([conv_block(x, "left"), conv_block(x, "right")], 3)
        tf.identity(conv_block(parts, "top"), name="out")

    graph_def = build(net)
    conversion = convert(graph_def, [batch(graph_def, 20, seed=1), batch(graph_def, 20, seed=2)], algo=algo)
    assert int8_ops(conversion.graph)["QuantizedConcatV2"] == 1
    assert error(conversion, batch(graph_def, seed=1)) < 0.1
    for item in conversion.graph.node:
        if item.op.startswith("QuantizedConv2D"):
            check_int8_op(conversion.graph, batch(graph_def, 20, seed=1), item.name)
