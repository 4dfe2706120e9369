"""Signed results as quint8: linear bottlenecks and additions without an activation, whose numbers stay right."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.session import open_session
from tests.quantization import builders as b
from tests.quantization.builders import conv_block, depthwise, image, int8_ops, ops
from tests.quantization.lifted import biased, checked, linear_blocks, modes, types
from tests.quantization.simulation import check_int8_op

v1 = tf.compat.v1
pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("everything_pays")]

CONV, RELU_CONV = "QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasAndReluAndRequantize"
SUM = "QuantizedConv2DWithBiasSumAndReluAndRequantize"
MATMUL = "QuantizedMatMulWithBiasAndDequantize"


# -- linear bottlenecks: convolutions lift their result --------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "relu6", None])
def test_a_bottleneck_read_by_a_1x1_convolution(activation):
    def net():
        x = biased(tf.nn.relu(image()), "first", kernel=1)
        tf.identity(conv_block(x, "last", activation, kernel=1), "out")

    conversion = checked(net, 0.03)
    assert int8_ops(conversion.graph) == {RELU_CONV: 2}
    assert ops(conversion.graph)["QuantizeV2"] == ops(conversion.graph)["Dequantize"] == 1
    assert (
        types(conversion, "out_type")["first/bias"]
        == types(conversion, "Tinput")["last/out" if activation else "last/bias"]
        == "quint8"
    )


def test_the_relu_of_the_kernel_cuts_nothing_off():
    """A bias far below zero: the result is negative nearly everywhere."""

    def net():
        x = b.bias(b.conv(tf.nn.relu(image()), name="first"), "first/bias", np.linspace(-9, -7, 8, dtype=np.float32))
        tf.identity(conv_block(x, "last", None, kernel=1), "out")

    conversion = checked(net, 0.03)
    assert int8_ops(conversion.graph) == {RELU_CONV: 2}


def test_a_3x3_convolution_refuses():
    """Zeros around the image are no zeros of a lifted tensor; VALID reads none of them."""
    for padding in ("SAME", "VALID"):

        def net(padding=padding):
            x = biased(tf.nn.relu(image()), "first")
            tf.identity(conv_block(x, "last", padding=padding), "out")

        conversion = checked(net, 0.05)
        signed = padding == "SAME"
        assert types(conversion, "Tinput")["last/out"] == ("qint8" if signed else "quint8")
        assert int8_ops(conversion.graph) == ({CONV: 1, RELU_CONV: 1} if signed else {RELU_CONV: 2})


def test_one_that_pads_keeps_all_readers_signed():
    def net():
        x = biased(tf.nn.relu(image()), "first")
        tf.concat([conv_block(x, "one", kernel=1), conv_block(x, "three")], 3, name="out")

    assert set(types(checked(net, 0.05), "Tinput").values()) == {"quint8", "qint8"}


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_depthwise_convolution(padding):
    def net():
        x = biased(tf.nn.relu(image()), "first")
        x = tf.nn.relu6(b.bias(depthwise(x, padding=padding, name="d"), "d/bias"), name="d/out")
        tf.identity(conv_block(x, "last", None, kernel=1), "out")

    conversion = checked(net, 0.06)
    assert types(conversion, "Tinput")["d/out"] == ("qint8" if padding == "SAME" else "quint8")


@pytest.mark.parametrize("way", ["Reshape", "MaxPool", "AvgPool", "MaxPool SAME", "AvgPool SAME"])
def test_through_reshapes_and_pools(way):
    """What passes values on, or means of them, passes on what they are lifted by."""

    def net():
        x = biased(tf.nn.relu(image()), "first", kernel=1)
        if way != "Reshape":
            pool = tf.nn.max_pool2d if "Max" in way else tf.nn.avg_pool2d
            x = pool(x, 3, 2, "SAME" if "SAME" in way else "VALID", name="pool")
            tf.identity(conv_block(x, "last", kernel=1), "out")
        else:
            x = tf.reshape(x, (-1, 8 * 8 * 8))
            tf.identity(b.bias(b.dense(x, 10, name="last"), "last/bias"), "out")

    conversion = checked(net, 0.04)
    found = ops(conversion.graph)
    assert found["QuantizeV2"] == 1
    assert found[MATMUL] == (way == "Reshape")
    assert found["Quantized" + way.split()[0]] == (way != "Reshape")
    assert types(conversion, "out_type")["first/bias"] == "quint8"


def test_through_a_pool_to_one_that_pads():
    """It cannot take the pool's result lifted, so that the convolution ahead of the pool gives it signed."""

    def net():
        x = tf.nn.max_pool2d(biased(tf.nn.relu(image()), "first"), 2, 2, "SAME")
        tf.identity(conv_block(x, "last"), "out")

    conversion = checked(net, 0.05)
    assert types(conversion, "out_type")["first/bias"] == "qint8"
    assert ops(conversion.graph)["QuantizedMaxPool"] == 1


def test_a_concatenation_is_not_lifted():
    """Its inputs would have to be lifted by one amount."""

    def net():
        x = tf.nn.relu(image())
        x = tf.concat([biased(x, "one"), biased(x, "two")], 3)
        tf.identity(conv_block(x, "last", kernel=1), "out")

    conversion = checked(net, 0.05)
    assert int8_ops(conversion.graph) == {CONV: 2, "QuantizedConcatV2": 1, RELU_CONV: 1}


def test_fp32_readers_take_it_back():
    def net():
        x = biased(tf.nn.relu(image()), "first")
        tf.concat([conv_block(x, "last", kernel=1), tf.nn.swish(x), tf.tanh(x)], 3, name="out")

    conversion = checked(net, 0.03)
    assert modes(conversion) == {"first/bias": "MIN_FIRST", "last/out": "SCALED"}


@pytest.mark.parametrize("shift", [-40.0, -3.0, 0.0, 3.0])
def test_a_dequantized_result_is_right_to_half_a_step(shift):
    """MIN_FIRST rounds the lower end to whole steps, which the lift is already."""

    def net():
        x = b.conv(tf.nn.relu(image()), name="first")
        tf.identity(b.bias(x, "first/bias", np.full(8, shift, np.float32)), name="out")

    graph_def = b.build(net)
    feed = b.batch(graph_def, 3, seed=1)
    conversion = b.convert(graph_def, [feed], outputs=["out"], per_channel=True)
    (operation,) = (item for item in conversion.graph.node if "WithBias" in item.op)
    integers = check_int8_op(conversion.graph, feed, operation.name)
    (back,) = (item for item in conversion.graph.node if item.op == "Dequantize")
    low, high = (b.run(conversion.graph, {}, back.input[index])[0] for index in (1, 2))
    step = (high - low) / 255
    given = b.run(conversion.graph, feed, "out")[0]
    np.testing.assert_allclose(given, low + integers * step, atol=1e-3 * step + 1e-5 * abs(low))
    wanted = b.run(graph_def, feed, "out")[0]
    # the widest half of what is rounded: the result, the input and the weights
    assert np.abs(given - wanted).max() < 2.5 * step
    assert wanted.min() >= low - step
    assert wanted.max() <= high + step


def test_what_an_output_is():
    def net():
        tf.identity(biased(tf.nn.relu(image()), "first"), "out")

    assert modes(checked(net, 0.02)) == {"first/bias": "MIN_FIRST"}


# -- residual additions ----------------------------------------------------------------------------


def test_a_chain_of_additions_without_an_activation_stays_in_int8():
    def net():
        x = biased(conv_block(image(), "stem"), "first", kernel=1)
        tf.identity(conv_block(linear_blocks(x, 3), "last", kernel=1), "out")

    conversion = checked(net, 0.1)
    found = ops(conversion.graph)
    assert found[SUM] == 3
    assert found["QuantizeV2"] == found["Dequantize"] == 1
    assert found["Add"] == 1  # which lifts the image
    assert found["AddV2"] == 0
    assert set(types(conversion, "out_type").values()) == {"quint8"}


def test_one_that_pads_behind_keeps_the_addition_in_fp32():
    def net():
        x = biased(conv_block(image(), "stem"), "first", kernel=1)
        tf.identity(conv_block(linear_blocks(x, 2, kernel=3), "last"), "out")

    conversion = checked(net, 0.1)
    assert ops(conversion.graph)[SUM] == 0
    assert ops(conversion.graph)["AddV2"] == 2


def test_a_sum_that_fp32_reads():
    def net():
        x = biased(conv_block(image(), "stem"), "first", kernel=1)
        x = linear_blocks(x, 1)
        tf.concat([conv_block(x, "last", kernel=1), tf.nn.swish(x)], 3, name="out")

    conversion = checked(net, 0.06)
    assert ops(conversion.graph)[SUM] == 1
    assert modes(conversion) == {"block0/add": "MIN_FIRST", "last/out": "SCALED"}


def test_a_summand_of_fp32_is_added_in_fp32():
    def net():
        x = tf.nn.swish(conv_block(image(), "stem", None))
        y = conv_block(x, "inner", kernel=1)
        tf.identity(conv_block(biased(y, "project", kernel=1) + x, "last", kernel=1), "out")

    conversion = checked(net, 0.05)
    assert ops(conversion.graph)[SUM] == 0
    assert ops(conversion.graph)["AddV2"] == 1


@pytest.mark.parametrize("activation", [tf.nn.relu, tf.nn.relu6])
def test_a_signed_summand_of_fp32_ahead_of_a_relu_is_lifted(activation):
    def net():
        x = tf.nn.swish(conv_block(image(), "stem", None))
        y = conv_block(x, "inner", kernel=1)
        activation(biased(y, "project", kernel=1) + x, name="out")

    conversion = checked(net, 0.04)
    assert ops(conversion.graph)[SUM] == 1


@pytest.mark.parametrize("activation", [tf.nn.relu, tf.nn.relu6, tf.identity])
def test_lifted_summands_and_sources_together(activation):
    """The bias takes back both, and what the sum itself is lifted by comes on top."""

    def net():
        x = biased(tf.nn.relu(image()), "stem", filters=8)
        side = biased(tf.nn.relu(image()), "side", filters=8)
        activation(biased(x, "project", kernel=1) + side, name="out")

    conversion = checked(net, 0.04)
    assert int8_ops(conversion.graph) == {RELU_CONV: 2, SUM: 1}


def test_an_addition_gives_its_result_over_and_over():
    """It is written into the summand's memory: batches of other sizes, several threads and readers beside it."""

    def net():
        x = biased(conv_block(image((None, 12, 12, 4)), "stem"), "first", kernel=1)
        tf.identity(conv_block(linear_blocks(x, 4), "last", kernel=1), "out")

    graph_def = b.build(net)
    feed = b.batch(graph_def, 8, seed=1)
    conversion = b.convert(graph_def, [feed], outputs=["out"], per_channel=True)
    wanted = b.run(conversion.graph, feed, "out")[0]
    with open_session(conversion.graph, 4) as session:
        for size in (8, 1, 3, 8, 5):
            given = session.run("out:0", {"input:0": feed["input:0"][:size]})
            np.testing.assert_array_equal(given, wanted[:size])


# -- loops, branches, older TensorFlows ------------------------------------------------------------


def test_in_loops_and_branches():
    def net():
        flag = v1.placeholder(tf.bool, (), "flag")
        start = tf.nn.relu(biased(image((3, 8, 8, 4)), "stem", filters=8))

        def body(index, x):
            return index + 1, 0.5 * conv_block(biased(x, "inner"), "outer", kernel=1)

        with b.old_control_flow():
            x = tf.while_loop(lambda index, x: index < 3, body, [0, start], name="while")[1]
            x = tf.cond(flag, lambda: conv_block(biased(x, "yes"), "then", kernel=1), lambda: x, name="cond")
        tf.identity(x, "out")

    conversion = checked(net, 0.06, loops=True)
    assert not any(b.reasons(conversion).values())
    assert types(conversion, "out_type")["while/inner/bias"] == "quint8"
    assert types(conversion, "out_type")["cond/yes/bias"] == "quint8"
    feed = dict(b.batch(conversion.input_graph, seed=1), **{"flag:0": False})
    assert b.error(conversion, feed) < 0.08


def test_what_a_branch_dequantizes_in_a_loop():
    """The constants that a MIN_FIRST Dequantize reads stand in the frame of the loop."""

    def net():
        start = tf.nn.relu(biased(image((3, 8, 8, 4)), "stem", filters=8))

        def body(index, x):
            return index + 1, tf.nn.relu(tf.tanh(biased(x, "inner")) + 0.1)

        with b.old_control_flow():
            tf.identity(tf.while_loop(lambda index, x: index < 3, body, [0, start], name="while")[1], "out")

    conversion = checked(net, 0.06, loops=True)
    assert modes(conversion)["while/inner/bias"] == "MIN_FIRST"


@pytest.mark.parametrize("target", ["1.15", "2.1"])
def test_older_targets(target):
    """They have a kernel for all of it: quint8 in, a ReLU, quint8 out."""

    def net():
        x = biased(conv_block(image(), "stem"), "first", kernel=1)
        tf.identity(conv_block(linear_blocks(x, 2), "last", kernel=1), "out")

    conversion = checked(net, 0.1, target=target)
    assert not any(b.reasons(conversion).values())
    assert ops(conversion.graph)[SUM] == 2


@pytest.mark.parametrize("shift", [0.0, 40.0], ids=["of both signs", "positive"])
def test_a_signed_summand_of_a_sum_without_activation(shift):
    """As in EfficientNetV2: what 3x3 convolutions read is signed; the sum of the last block is lifted.

    Kernels for AVX2 give 127 for all that is larger then.
    """

    def net():
        x = biased(conv_block(image(), "first"), "linear")
        y = b.conv(conv_block(x, "expand"), 8, 1, name="project")
        y = b.bias(y, "project/bias", values=np.full(8, shift, np.float32))
        tf.identity(conv_block(tf.raw_ops.AddV2(x=x, y=y, name="sum"), "last", kernel=1), "out")

    conversion = checked(net, 0.08)
    assert types(conversion, "Tsummand") == {"sum": "qint8"}
    assert types(conversion, "out_type")["sum"] == "quint8"
