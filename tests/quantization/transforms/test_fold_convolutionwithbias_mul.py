"""Multiplications and divisions behind a linear op go into its weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fold_convolutionwithbias_mul import fold_convolutionwithbias_mul
from tests.quantization.builders import (
    bias,
    build,
    check_rewrite,
    conv,
    conv_first,
    dense,
    depthwise,
    image,
    ops,
    random,
    refusal,
)

pytestmark = pytest.mark.tensorflow

FACTOR = np.abs(random("factor", (8,))) + 0.5
SOURCES = {
    "conv": lambda: conv(image()),
    "depthwise": lambda: depthwise(image(), 2),
    "dense": lambda: dense(image((None, 4)), 8),
    "transposed": lambda: dense(image((None, 4)), 8, transpose=True),
}


@pytest.mark.parametrize("source", sorted(SOURCES))
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("factor", [FACTOR, np.float32(-0.5), FACTOR.reshape(1, 8), np.float32([3.0])])
def test_multiplied(source, biased, factor):
    def net():
        x = SOURCES[source]()
        tf.multiply(bias(x) if biased else x, tf.constant(factor), name="out")

    graph = check_rewrite(fold_convolutionwithbias_mul, net, 1)
    assert "Mul" not in ops(graph)


def test_the_factor_may_come_first():
    check_rewrite(fold_convolutionwithbias_mul, lambda: tf.multiply(tf.constant(FACTOR), conv(image()), name="out"), 1)


def test_divided():
    check_rewrite(fold_convolutionwithbias_mul, lambda: tf.divide(conv(image()), tf.constant(FACTOR), name="out"), 1)


def by_zero():
    tf.divide(conv(image()), tf.constant(FACTOR * (np.arange(8) > 0)), name="out")


def reciprocal():
    tf.divide(tf.constant(FACTOR), 10 + bias(conv(image())), name="out")


def along_rows():
    tf.multiply(conv(image()), tf.constant(random("r", (8, 1))), name="out")


def per_position():
    tf.multiply(conv(image()), tf.constant(random("r", (8, 8, 8))), name="out")


def widening():
    tf.multiply(conv(image(), 1), tf.constant(FACTOR), name="out")


def computed():
    tf.multiply(conv(image()), image((8,), "y"), name="out")


def shared():
    x = conv(image())
    tf.multiply(x, tf.constant(FACTOR), name="out") + x


def ranked():
    tf.multiply(conv(image()), tf.constant(FACTOR.reshape(1, 1, 1, 1, 8)), name="out")


def ranked_product():
    tf.multiply(dense(image((None, 4)), 8), tf.constant(FACTOR.reshape(1, 1, 8)), name="out")


def ranked_scalar():
    tf.multiply(dense(image((None, 4)), 8), tf.constant(np.full((1, 1, 1), 2, np.float32)), name="out")


def double():
    x = image((None, 4), dtype=tf.float64)
    y = tf.linalg.matmul(x, tf.constant(random("w", (4, 8)).astype(np.float64)))
    tf.multiply(y, tf.constant(FACTOR.astype(np.float64)), name="out")


@pytest.mark.parametrize(
    "net",
    [by_zero, reciprocal, along_rows, per_position, widening, computed, shared, ranked, ranked_product]
    + [ranked_scalar, double],
)
def test_refused(net):
    graph = Graph(build(net), ["out"])
    before = graph.to_graph_def()
    assert fold_convolutionwithbias_mul(graph) == 0
    assert graph.to_graph_def() == before


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("factor", [FACTOR.reshape(8, 1, 1), FACTOR.reshape(1, 8, 1, 1), np.float32(2.0)])
def test_channels_first(biased, factor):
    def net():
        x = conv_first(image((2, 4, 6, 6)))
        x = tf.nn.bias_add(x, tf.constant(random("b", (8,))), "NCHW") if biased else x
        tf.multiply(x, tf.constant(factor), name="out")

    graph = check_rewrite(fold_convolutionwithbias_mul, net, 1)
    assert graph.nodes["out"].attr["data_format"].s == b"NCHW"


@pytest.mark.parametrize("factor", [FACTOR, FACTOR.reshape(8, 1), FACTOR.reshape(8, 1, 1, 1)])
def test_channels_first_along_something_else(factor):
    graph = Graph(build(lambda: tf.multiply(conv_first(image((8, 4, 8, 8))), tf.constant(factor), name="out")), ["out"])
    assert fold_convolutionwithbias_mul(graph) == 0


def test_a_bias_along_the_width_is_refused():
    def net():
        x = tf.nn.bias_add(conv_first(image((2, 4, 8, 8))), tf.constant(random("b", (8,))))
        tf.multiply(x, tf.constant(2.0), name="out")

    assert fold_convolutionwithbias_mul(Graph(build(net), ["out"])) == 0


def test_a_zero_factor():
    check_rewrite(
        fold_convolutionwithbias_mul,
        lambda: tf.multiply(bias(conv(image())), tf.constant(FACTOR * (np.arange(8) > 0)), name="out"),
        1,
    )


def test_reasons():
    def net(shape):
        return lambda: tf.multiply(bias(conv(image(), 4)), tf.constant(random("factor", shape)), name="out")

    rows = Graph(build(net((8, 1))), ["out"])
    assert refusal(fold_convolutionwithbias_mul, rows, "out").startswith("'out' is no operation of a constant for each")
    shared = Graph(build(net((4,))), ["out", "bias"])
    assert refusal(fold_convolutionwithbias_mul, shared, "out") == "'bias' is also read elsewhere"
    fits = Graph(build(net((4,))), ["out"])
    assert refusal(fold_convolutionwithbias_mul, fits, "out") == ""
