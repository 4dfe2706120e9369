"""Convolutions on NCHW images become ones on NHWC images.

Pools are compared with a graph that was built in NHWC: TensorFlow 2.14 confuses those of the same size in both formats
(tensorflow issue 61482).
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.convert_layout import convert_layout, in_nhwc
from intel_quantization.verify.graph import verify
from tests.quantization.builders import (
    assert_same_numbers,
    batch,
    build,
    check_rewrite,
    conv,
    conv_first,
    convert,
    error,
    image,
    node,
    old_control_flow,
    ops,
    random,
    run,
    weights_for,
)

pytestmark = pytest.mark.tensorflow
v1 = tf.compat.v1

FIRST = (None, 4, 8, 6)


def bias(x, name="bias"):
    return tf.nn.bias_add(x, tf.constant(random(name, (int(x.shape[1]),))), "NCHW", name=name)


def norm(x, name="norm", training=False):
    parts = [tf.constant(np.abs(random(name + part, (int(x.shape[1]),))) + 0.5) for part in "abcd"]
    return tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=parts[0],
        offset=parts[1],
        mean=parts[2],
        variance=parts[3],
        data_format="NCHW",
        is_training=training,
        name=name,
    )[0]


def pad(x, paddings=((0, 0), (0, 0), (1, 2), (0, 1))):
    return tf.pad(x, paddings)


# what stands between two convolutions, which leaves no Transpose there
BETWEEN = {
    "nothing": lambda x: x,
    "bias and relu": lambda x: tf.nn.relu(bias(x)),
    "batch norm": lambda x: tf.nn.relu6(norm(x)),
    "elu": lambda x: tf.nn.elu(tf.identity(x)),
    "scalar": lambda x: tf.maximum(x * tf.constant(0.1), x),
    "channels": lambda x: tf.constant(random("c", (8, 1, 1))) - x * tf.constant(random("s", (1, 8, 1, 1))),
    "rows": lambda x: tf.nn.relu(x) / tf.constant(np.abs(random("r", (8, 1))) + 0.5),
    "columns": lambda x: tf.constant(random("c", (6,))) * x,
    "one": lambda x: x + tf.constant(random("o", (1, 1))),
    "residual": lambda x: x + bias(conv_first(x, 8, name="other")),
    "concat": lambda x: tf.concat([x, tf.nn.relu(x)], axis=1),
    "concat of rows": lambda x: tf.concat([x, x], axis=2),
    "concat from behind": lambda x: tf.concat([x, tf.nn.relu(x)], axis=-3),
    "pad": pad,
    "slice": lambda x: tf.slice(x, [0, 2, 1, 0], [-1, 4, 3, 5]),
    "to NHWC and back": lambda x: tf.transpose(tf.nn.relu(tf.transpose(x, [0, 2, 3, 1])), [0, 3, 1, 2]),
}


@pytest.mark.parametrize("between", sorted(BETWEEN))
def test_between_convolutions(between):
    def net():
        x = conv_first(image(FIRST), name="first")
        tf.nn.relu(conv_first(BETWEEN[between](x), name="second"), name="out")

    graph = check_rewrite(convert_layout, net, 3 if between == "residual" else 2)
    assert ops(graph)["Transpose"] == 2
    assert {"first", "second"} <= set(graph.nodes)
    assert graph.nodes["second"].attr["data_format"].s == b"NHWC"


def test_strides_dilations_and_explicit_paddings():
    def net():
        weights = tf.constant(weights_for("conv", (3, 3, 4, 8)))
        paddings = [[0, 0], [0, 0], [1, 0], [2, 1]]
        x = v1.nn.conv2d(image(FIRST), weights, [1, 1, 2, 1], paddings, data_format="NCHW", name="conv")
        weights = tf.constant(weights_for("dilated", (3, 3, 8, 8)))
        options = {"dilations": [1, 1, 1, 2], "data_format": "NCHW"}
        tf.nn.relu(v1.nn.conv2d(x, weights, [1, 1, 1, 1], "SAME", **options), name="out")

    graph = check_rewrite(convert_layout, net, 2)
    assert list(graph.nodes["conv"].attr["strides"].list.i) == [1, 2, 1, 1]
    assert list(graph.nodes["conv"].attr["explicit_paddings"].list.i) == [0, 0, 1, 0, 2, 1, 0, 0]


@pytest.mark.parametrize("pool", ["MaxPool", "AvgPool"])
def test_pools(pool):
    def net(first):
        function, transpose = getattr(tf.raw_ops, pool), tf.transpose
        x = image((None, 9, 7, 4))
        name = "value" if pool == "AvgPool" else "input"
        if first:
            x = conv_first(transpose(x, [0, 3, 1, 2]), name="conv")
            options = {"ksize": [1, 1, 3, 2], "strides": [1, 1, 2, 1], "data_format": "NCHW"}
            x = transpose(function(padding="SAME", **{name: x}, **options), [0, 2, 3, 1])
        else:
            options = {"ksize": [1, 3, 2, 1], "strides": [1, 2, 1, 1], "data_format": "NHWC"}
            x = function(padding="SAME", **{name: conv(x, name="conv")}, **options)
        tf.nn.relu(x, name="out")

    graph = Graph(build(net, True), ["out"])
    assert convert_layout(graph) == 2
    verify(graph, "convert_layout")
    assert ops(graph)["Transpose"] == 0
    wanted = build(net, False)
    feed = batch(wanted)
    np.testing.assert_allclose(run(graph, feed, "out")[0], run(wanted, feed, "out")[0], atol=1e-5)


@pytest.mark.parametrize("pool", ["MaxPool", "AvgPool"])
@pytest.mark.parametrize("convolution", [True, False])
def test_a_pool_of_one_size_in_both_formats(pool, convolution):
    """TensorFlow 2.14 takes both for one in a process; so no pool is run in NCHW, wherever it stands."""
    name = "value" if pool == "AvgPool" else "input"
    sizes = {"ksize": [1, 1, 3, 3], "strides": [1, 1, 2, 2]}

    def last():
        x = tf.transpose(image((2, 6, 11, 13)), [0, 2, 3, 1])
        options = {key: [1, *value[2:], 1] for key, value in sizes.items()}
        x = getattr(tf.raw_ops, pool)(padding="VALID", **{name: x}, **options)
        tf.nn.relu(tf.transpose(conv(x, name="c") if convolution else x, [0, 3, 1, 2]), name="out")

    def first():
        x = image((2, 6, 11, 13))
        x = getattr(tf.raw_ops, pool)(padding="VALID", data_format="NCHW", **{name: x}, **sizes)
        tf.nn.relu(conv_first(x, name="c") if convolution else x, name="out")

    wanted, given = build(last), in_nhwc(build(first), ["out"])
    assert [node.attr["data_format"].s for node in given.node if node.op == pool] == [b"NHWC"]
    feed = batch(wanted)
    np.testing.assert_allclose(run(given, feed, "out")[0], run(wanted, feed, "out")[0], atol=1e-5)


@pytest.mark.parametrize("keep", [True, False])
def test_mean_over_rows_and_columns(keep):
    def net():
        x = tf.reduce_mean(conv_first(image(FIRST)), [2, 3], keepdims=keep)
        tf.identity(tf.squeeze(x, [2, 3]) if keep else x, name="out")

    assert ops(check_rewrite(convert_layout, net, 1))["Transpose"] == 1


def test_an_output_keeps_name_and_format():
    graph = check_rewrite(convert_layout, lambda: conv_first(image(FIRST), name="out"), 1)
    assert graph.nodes["out"].op == "Transpose"


def over_channels(x):
    return tf.reduce_mean(x, [1])


def reshaped(x):
    return tf.reshape(x, [-1, 8])


def unknown_summand(x):
    return x + image((None, 8, 8, 6), "other")


@pytest.mark.parametrize("rest", [over_channels, reshaped, unknown_summand])
def test_what_is_not_turned_reads_nchw(rest):
    graph = check_rewrite(convert_layout, lambda: tf.identity(rest(conv_first(image(FIRST))), name="out"), 1)
    assert ops(graph)["Transpose"] == 2


def test_training_is_not_turned():
    before = build(lambda: tf.identity(norm(conv_first(image(FIRST)), training=True), name="out"))
    graph = Graph(before, ["out"])
    assert convert_layout(graph) == 1
    assert graph.nodes["norm"].attr["data_format"].s == b"NCHW"


def test_a_batch_norm_of_which_another_output_is_one_of_the_graph_is_not_turned():
    graph = Graph(build(lambda: norm(conv_first(image(FIRST)))), ["norm", "norm:1"])
    assert convert_layout(graph) == 1
    assert graph.nodes["norm"].op == "FusedBatchNormV3"


@pytest.mark.parametrize("shape", [(8, 6), (1, 8, 1), (4, 8, 6)])
def test_a_constant_of_the_image_behind_a_bias(shape):
    """Grappler fails on the sum of a BiasAdd and a constant [1, H, W, 1] in NHWC."""

    def net():
        x = bias(conv_first(image(FIRST), 4), "bias")
        tf.identity(x + tf.constant(random("term", shape)), name="out")

    check_rewrite(convert_layout, net, 1)


def test_a_constant_that_several_read_is_turned_once():
    def net():
        x, scale = image(FIRST), tf.constant(random("scale", (4, 1, 1)), name="scale")
        for _ in range(3):
            x = scale * tf.nn.relu(scale + conv_first(x, 4))
        tf.identity(x, name="out")

    graph = check_rewrite(convert_layout, net, 3)
    assert [name for name in graph.nodes if name.startswith("scale")] == ["scale/nhwc"]


def nhwc():
    conv(image(), name="out")


def another_type():
    x = tf.cast(image(FIRST), tf.bfloat16)
    weights = tf.cast(tf.constant(weights_for("conv", (3, 3, 4, 8))), tf.bfloat16)
    v1.nn.conv2d(x, weights, [1, 1, 1, 1], "SAME", data_format="NCHW", name="out")


@pytest.mark.parametrize("net", [nhwc, another_type])
def test_nothing_to_turn(net):
    before = build(net)
    graph = Graph(before, ["out"])
    assert convert_layout(graph) == 0
    assert in_nhwc(before, ["out"]) is before


def test_in_a_loop():
    def net():
        def body(step, x):
            return step + 1, tf.nn.relu(conv_first(x, 4, name="conv"))

        with old_control_flow():
            x = v1.while_loop(lambda step, x: step < 2, body, (tf.constant(0), image(FIRST)))[1]
        tf.identity(x, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert convert_layout(graph) == 1
    verify(graph, "convert_layout")
    graph.prune()
    assert_same_numbers(before, graph, ["out"])


def test_converted():
    def net():
        x = tf.nn.relu(bias(conv_first(image(FIRST), name="first")))
        tf.identity(bias(conv_first(x, name="second"), "bias_1"), name="out")

    before = build(net)
    conversion = convert(before)
    assert {item.node: item.int8 for item in conversion.decisions} == {"first": True, "second": True}
    assert node(conversion.graph, "out").op != "Const"
    assert error(conversion, batch(before, seed=7)) < 0.1
