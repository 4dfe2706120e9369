"""Multiplications of columns behind and before a linear op go into its weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fuse_column_wise_mul import fuse_column_wise_mul
from intel_quantization.verify.graph import verify
from tests.quantization.builders import (
    bias,
    build,
    check_rewrite,
    conv,
    conv_first,
    dense,
    depthwise,
    image,
    old_control_flow,
    ops,
    random,
    refusal,
    v1,
)

pytestmark = pytest.mark.tensorflow

FACTOR = np.abs(random("factor", (8,))) + 0.5
ROWS = np.abs(random("rows", (4,))) + 0.5
LINEAR = {
    "conv": lambda x: conv(x, name="linear"),
    "dilated": lambda x: conv(x, dilation=2, name="linear"),
    "depthwise": lambda x: depthwise(x, 2, name="linear"),
    "dense": lambda x: dense(x, 8, name="linear"),
    "transposed": lambda x: dense(x, 8, transpose=True, name="linear"),
}
OPS = {"Mul": tf.multiply, "RealDiv": tf.divide}


def source(linear):
    return image((None, 4) if linear in ("dense", "transposed") else (None, 8, 8, 4))


@pytest.mark.parametrize("linear", sorted(LINEAR))
@pytest.mark.parametrize("op", sorted(OPS))
@pytest.mark.parametrize("factor", [FACTOR, np.float32(-0.5), FACTOR.reshape(1, 8)])
def test_behind(linear, op, factor):
    def net():
        tf.nn.relu(OPS[op](LINEAR[linear](source(linear)), tf.constant(factor)), name="out")

    graph = check_rewrite(fuse_column_wise_mul, net, 1)
    assert not {"Mul", "RealDiv", "BiasAdd"} & set(ops(graph))
    assert graph.nodes["out"].input[0] == "linear"
    assert ops(graph)["Const"] == 1


@pytest.mark.parametrize("linear", sorted(LINEAR))
@pytest.mark.parametrize("op", sorted(OPS))
@pytest.mark.parametrize("factor", [ROWS, np.float32(-0.5), ROWS.reshape(1, 4)])
def test_before(linear, op, factor):
    def net():
        tf.identity(LINEAR[linear](OPS[op](tf.nn.relu(source(linear)), tf.constant(factor))), name="out")

    graph = check_rewrite(fuse_column_wise_mul, net, 1)
    assert not {"Mul", "RealDiv"} & set(ops(graph))
    assert graph.nodes["linear"].input[0] == "Relu"
    assert ops(graph)["Const"] == 1


def test_the_constant_may_come_first():
    check_rewrite(fuse_column_wise_mul, lambda: tf.nn.relu(tf.constant(FACTOR) * conv(image()), name="out"), 1)
    check_rewrite(fuse_column_wise_mul, lambda: conv(tf.constant(ROWS) * image(), name="out"), 1)


def test_channels_first():
    def net():
        x = conv_first(image((2, 4, 5, 5)) * ROWS.reshape(4, 1, 1), name="linear")
        tf.nn.relu(x * FACTOR.reshape(1, 8, 1, 1), name="out")

    assert "Mul" not in ops(check_rewrite(fuse_column_wise_mul, net, 2))


def test_two_readers_and_shared_weights():
    def net():
        x = tf.nn.relu(image()) * ROWS
        weights = tf.constant(random("w", (3, 3, 4, 8)), name="weights")
        for name in ("first", "second"):
            v1.nn.conv2d(x, weights, strides=[1] * 4, padding="SAME", name=name)

    assert "Mul" not in ops(check_rewrite(fuse_column_wise_mul, net, 1, ("first", "second")))


def test_what_waited_for_the_product_goes_on_waiting():
    def net():
        x = image()
        with tf.control_dependencies([tf.nn.relu(x, name="first")]):
            y = tf.multiply(x, ROWS, name="product")
        conv(y, name="out")

    graph = check_rewrite(fuse_column_wise_mul, net, 1)
    assert "product" not in graph


def output():
    tf.multiply(conv(image()), FACTOR, name="out")


def biased():
    tf.nn.relu(bias(conv(image())) * FACTOR, name="out")


def by_zero():
    tf.nn.relu(conv(image()) / np.zeros(8, np.float32), name="out")


def zero_rows():
    conv(image() / np.zeros(4, np.float32), name="out")


def along_rows():
    tf.nn.relu(conv(image()) * random("r", (8, 1)), name="out")


def reciprocal():
    conv(ROWS / image(), name="out")


def squared():
    x = tf.nn.relu(image())
    conv(x * x, name="out")


def widened():
    conv(image((None, 8, 8, 1)) * ROWS, name="out", weights=random("w", (3, 3, 4, 8)))


def of_unknown_width():
    x = tf.strided_slice(image((None, 8, 8, 8)), [0, 0, 0, 0], [2, 8, 8, 4])
    conv(x * ROWS, name="out", weights=random("w", (3, 3, 4, 8)))


def of_lower_rank():
    conv(tf.nn.relu(image((8, 8, 4))) * np.full((1, 1, 1, 1), 2, np.float32), name="out")


def in_groups():
    conv(image((None, 8, 8, 8)) * FACTOR, name="out", weights=random("w", (3, 3, 4, 8)))


def read_elsewhere():
    x = image() * ROWS
    tf.reduce_sum(conv(x)) + tf.reduce_sum(x, name="second")
    tf.identity(conv(x, name="other"), name="out")


def waited_for():
    x = image() * ROWS
    with tf.control_dependencies([x]):
        y = tf.constant(1.0)
    tf.add(conv(x), y, name="out")


def as_the_weights():
    tf.linalg.matmul(image((4, 4)), tf.transpose(image((4, 4), "y")) * ROWS, name="out")


def transposed_input():
    tf.linalg.matmul(image((4, 4)) * ROWS, tf.constant(random("w", (4, 8))), transpose_a=True, name="out")


@pytest.mark.parametrize(
    "net",
    [output, biased, by_zero, zero_rows, along_rows, reciprocal, squared, widened, of_unknown_width, of_lower_rank]
    + [in_groups, read_elsewhere, waited_for, as_the_weights, transposed_input],
)
def test_refused(net):
    graph = Graph(build(net), ["out"])
    before = graph.to_graph_def()
    assert fuse_column_wise_mul(graph) == 0
    assert graph.to_graph_def() == before


@pytest.mark.parametrize(("behind", "invariant"), [(True, False), (True, True), (False, True)])
def test_in_a_loop(behind, invariant):
    """The new weights wait for what the old ones and the factor waited for."""

    def net():
        x = image((1, 4, 4, 4))

        def body(i, t):
            y = x if invariant else t
            y = conv(y, 4, name="conv") * ROWS if behind else conv(y * ROWS, 4, name="conv")
            return i + 1, tf.tanh(y) + t

        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, body, [0, x], name="while")[1]
        tf.identity(y, name="out")

    graph = check_rewrite(fuse_column_wise_mul, net, 1)
    verify(graph, "test")
    assert list(graph.producer(graph.nodes["while/conv"].input[1]).input) == ["^while/Identity"]


def refused(function, outputs=("out",), name="product"):
    graph = Graph(build(function), outputs)
    before = graph.to_graph_def()
    assert fuse_column_wise_mul(graph) == 0
    assert graph.to_graph_def() == before
    return refusal(fuse_column_wise_mul, graph, name)


def scaled(x, factor=(4,)):
    return tf.multiply(x, tf.constant(random("factor", factor)), name="product")


def test_reasons():
    def elsewhere():
        x = scaled(image())
        tf.add(conv(x, 4, name="conv"), tf.nn.relu(x, name="relu"), name="out")

    assert refused(elsewhere) == "'relu', which also reads 'product', is a Relu"
    assert refused(lambda: conv(scaled(image()), name="out"), ("out", "product")) == "'product' is an output"
    rows = "'product' is no operation of a constant for each input channel of 'out'"
    assert refused(lambda: conv(scaled(image(), (8, 1)), name="out")) == rows
    behind = "'product' is no operation of a constant for each channel of 'conv'"
    assert refused(lambda: tf.nn.elu(scaled(conv(image(), 4, name="conv"), (8, 1)), name="out")) == behind
    assert refused(lambda: tf.nn.elu(scaled(tf.nn.relu(image(), "relu")), name="out")).startswith("'relu' is a Relu")


def test_no_concern():
    def own():
        x = image()
        tf.nn.elu(tf.multiply(x, tf.nn.sigmoid(x), name="product"), name="out")

    assert refused(own) == ""
    divides = lambda: tf.nn.elu(tf.divide(tf.constant(2.0), image(), name="product"), name="out")  # noqa: E731
    assert refused(divides) == ""
