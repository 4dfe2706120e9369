"""Fused batch norms are folded into the linear op before them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fold_batch_norms import fold_batch_norms
from intel_quantization.verify.graph import verify
from tests.quantization.builders import (
    bias,
    build,
    check_rewrite,
    conv,
    conv_first,
    depthwise,
    image,
    norm,
    old_control_flow,
    ops,
    random,
    refusal,
    run,
    v1,
)

pytestmark = pytest.mark.tensorflow

NORMS = ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"]


@pytest.mark.parametrize("op", NORMS)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("linear", [conv, depthwise])
def test_folded(op, biased, linear):
    def net():
        x = linear(image(), name="linear")
        tf.identity(norm(bias(x) if biased else x, "out", op=op), name="reader")

    graph = check_rewrite(fold_batch_norms, net, 1, ("out", "reader"))
    assert not any(name.startswith("FusedBatchNorm") for name in ops(graph))
    assert graph.nodes["out"].op == "BiasAdd"
    assert graph.nodes["linear"].op in ("Conv2D", "DepthwiseConv2dNative")


def test_depthwise_with_multiplier_and_stride():
    check_rewrite(fold_batch_norms, lambda: norm(depthwise(image(), 3, strides=2, padding="VALID"), "out"), 1)


def test_weights_shared_by_two_convolutions():
    def net():
        x, y = image(), image(name="y")
        weights = tf.constant(random("w", (3, 3, 4, 8)))
        for name, source in (("first", x), ("second", y)):
            norm(v1.nn.conv2d(source, weights, strides=[1, 1, 1, 1], padding="SAME"), name)

    check_rewrite(fold_batch_norms, net, 2, ("first", "second"))


def test_a_zero_variance_and_a_zero_gamma():
    def net():
        x = conv(image(), name="conv")
        gamma, variance = np.ones(8, np.float32), np.ones(8, np.float32)
        gamma[0], variance[1] = 0, 0
        tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=random("o", (8,)), mean=tf.constant(random("m", (8,))), variance=variance,
            is_training=False, name="out",
        )  # fmt: skip

    check_rewrite(fold_batch_norms, net, 1)


def refused(function, name="out", outputs=("out",)):
    graph = Graph(build(function), outputs)
    before = graph.to_graph_def()
    reason = refusal(fold_batch_norms, graph, name)
    assert fold_batch_norms(graph) == 0
    assert graph.to_graph_def() == before
    return reason


def test_training_mode():
    assert refused(lambda: norm(conv(image()), "out", training=True)) == "'out' is in training mode"


def test_a_convolution_that_is_read_elsewhere():
    def net():
        x = conv(image(), name="conv")
        tf.nn.relu(x)
        norm(x, "out")

    assert refused(net) == "'conv' is also read elsewhere"


def test_a_convolution_that_is_an_output():
    assert refused(lambda: norm(conv(image()), "out"), outputs=("out", "conv")) == "'conv' is also read elsewhere"


def test_other_sources():
    assert refused(lambda: norm(image(), "out")).startswith("'input' is a Placeholder, not a")


def test_weights_that_are_computed():
    def net():
        weights = tf.exp(image((3, 3, 4, 8), "w"))
        norm(v1.nn.conv2d(image(), weights, strides=[1, 1, 1, 1], padding="SAME", name="conv"), "out")

    assert refused(net).endswith("is not a constant")


def test_statistics_that_are_read():
    def net():
        x = conv(image())
        ones = tf.constant(np.ones(8, np.float32))
        results = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=ones, offset=ones, mean=ones, variance=ones, is_training=False, name="out"
        )
        tf.nn.relu(results.batch_mean)

    assert refused(net) == "output 1 of 'out' is read"
    assert refused(lambda: norm(conv(image()), "out"), outputs=("out", "out:2")) == "output 2 of 'out' is read"


def test_another_data_format():
    graph_def = build(lambda: norm(conv(image((None, 8, 8, 8))), "out"))
    graph_def.node[-1].attr["data_format"].s = b"NCHW"
    graph = Graph(graph_def, ["out"])
    assert refusal(fold_batch_norms, graph, "out") == "'out' has another data format than 'conv'"


def test_channels_first():
    def net():
        x = image((2, 4, 8, 8))
        x = v1.nn.conv2d(
            x, tf.constant(random("w", (3, 3, 4, 8))), strides=[1, 1, 1, 1], padding="SAME", data_format="NCHW",
            name="conv",
        )  # fmt: skip
        ones = tf.constant(np.ones(8, np.float32))
        tf.raw_ops.FusedBatchNormV3(
            x=x, scale=ones * 1, offset=ones, mean=ones, variance=ones, is_training=False, data_format="NCHW",
            name="out",
        )  # fmt: skip

    graph_def = build(net)
    for item in graph_def.node:
        if item.op == "Mul":
            item.op = "Const"
            item.attr.clear()
            item.attr["dtype"].type = 1
            item.attr["value"].tensor.CopyFrom(v1.make_tensor_proto(random("g", (8,))))
            del item.input[:]
    graph = Graph(graph_def, ["out"])
    assert fold_batch_norms(graph) == 1
    assert graph.nodes["out"].attr["data_format"].s == b"NCHW"


def test_a_bias_along_the_width():
    def net():
        x = tf.nn.bias_add(conv_first(image((2, 4, 8, 8))), tf.constant(random("b", (8,))), name="bias")
        ones = tf.constant(np.ones(8, np.float32))
        tf.raw_ops.FusedBatchNormV3(
            x=x, scale=ones, offset=ones, mean=ones, variance=ones, is_training=False, data_format="NCHW", name="out"
        )

    assert refused(net) == "'bias' has another data format than 'conv'"


def test_half_precision_stays():
    def net():
        x = image(dtype=tf.float16)
        weights = tf.constant(random("w", (3, 3, 4, 8)).astype(np.float16))
        norm(v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME", name="conv"), "out")

    assert "does not have one parameter" in refused(net)


def test_a_norm_inside_a_loop():
    def net():
        x = image((1, 4, 4, 4))
        with old_control_flow():
            y = tf.while_loop(
                lambda i, t: i < 2, lambda i, t: (i + 1, norm(conv(t, 4, name="conv"), "norm")), [0, x], name="while"
            )[1]
        tf.identity(y, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert fold_batch_norms(graph) == 1
    verify(graph, "test")
    feed = {"input:0": random("x", (1, 4, 4, 4))}
    np.testing.assert_allclose(run(graph, feed, "out")[0], run(before, feed, "out")[0], rtol=1e-4, atol=1e-5)
