"""Additions of constants behind a linear op become one BiasAdd."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fuse_bias_add import fuse_bias_add
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

TERM = random("term", (8,))
SOURCES = {
    "conv": lambda: conv(image()),
    "depthwise": lambda: depthwise(image(), 2),
    "dense": lambda: dense(image((None, 4)), 8),
}
ADDITIONS = {
    "Add": lambda x, c: tf.raw_ops.Add(x=x, y=c, name="out"),
    "AddV2": lambda x, c: tf.raw_ops.AddV2(x=x, y=c, name="out"),
    "swapped": lambda x, c: tf.raw_ops.AddV2(x=c, y=x, name="out"),
    "Sub": lambda x, c: tf.subtract(x, c, name="out"),
}


@pytest.mark.parametrize("source", sorted(SOURCES))
@pytest.mark.parametrize("addition", sorted(ADDITIONS))
@pytest.mark.parametrize("biased", [False, True])
def test_added(source, addition, biased):
    def net():
        x = SOURCES[source]()
        ADDITIONS[addition](bias(x) if biased else x, tf.constant(TERM))

    graph = check_rewrite(fuse_bias_add, net, 1)
    assert ops(graph)["BiasAdd"] == 1
    assert not {"Add", "AddV2", "Sub"} & set(ops(graph))


@pytest.mark.parametrize("term", [np.float32(2), TERM.reshape(1, 1, 8), TERM.reshape(1, 1, 1, 8)])
def test_shapes_that_broadcast_along_channels(term):
    check_rewrite(fuse_bias_add, lambda: tf.add(conv(image()), tf.constant(term), name="out"), 1)


def test_a_second_bias():
    assert ops(check_rewrite(fuse_bias_add, lambda: bias(bias(conv(image())), "out"), 1))["BiasAdd"] == 1


def test_a_bias_is_left_as_it_is():
    check_rewrite(fuse_bias_add, lambda: bias(conv(image()), "out"), 0)


def from_constant():
    tf.subtract(tf.constant(TERM), conv(image()), name="out")


def residual():
    x = image((None, 8, 8, 8))
    tf.add(conv(x), x, name="out")


def along_rows():
    tf.add(conv(image()), tf.constant(TERM.reshape(8, 1)), name="out")


def per_position():
    tf.add(conv(image()), tf.constant(random("p", (8, 8, 8))), name="out")


def widening():
    tf.add(conv(image(), 1), tf.constant(TERM), name="out")


def ranked():
    tf.add(dense(image((None, 4)), 8), tf.constant(TERM.reshape(1, 1, 8)), name="out")


def shared():
    x = conv(image())
    tf.add(x, tf.constant(TERM), name="out") + x


def whole_numbers():
    x = tf.linalg.matmul(image((None, 4), dtype=tf.int32), tf.constant(np.ones((4, 8), np.int32)))
    tf.add(x, tf.constant(np.arange(8, dtype=np.int32)), name="out")


@pytest.mark.parametrize(
    "net", [from_constant, residual, along_rows, per_position, widening, ranked, shared, whole_numbers]
)
def test_refused(net):
    graph = Graph(build(net), ["out"])
    before = graph.to_graph_def()
    assert fuse_bias_add(graph) == 0
    assert graph.to_graph_def() == before


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("term", [TERM.reshape(8, 1, 1), TERM.reshape(1, 8, 1, 1), np.float32(2.0)])
def test_channels_first(biased, term):
    def net():
        x = conv_first(image((2, 4, 6, 6)))
        x = tf.nn.bias_add(x, tf.constant(random("b", (8,))), "NCHW") if biased else x
        tf.subtract(x, tf.constant(term), name="out")

    graph = check_rewrite(fuse_bias_add, net, 1)
    assert graph.nodes["out"].attr["data_format"].s == b"NCHW"


def test_channels_first_and_a_second_bias():
    def net():
        x = tf.nn.bias_add(conv_first(image((2, 4, 6, 6))), tf.constant(random("b", (8,))), "NCHW")
        tf.nn.bias_add(x, tf.constant(TERM), "NCHW", name="out")

    assert ops(check_rewrite(fuse_bias_add, net, 1))["BiasAdd"] == 1


@pytest.mark.parametrize("formats", [("NCHW", "NHWC"), ("NHWC", "NCHW")])
def test_a_bias_along_the_width_is_refused(formats):
    def net():
        x = tf.nn.bias_add(conv_first(image((8, 4, 8, 8))), tf.constant(random("b", (8,))), formats[0])
        tf.nn.bias_add(x, tf.constant(TERM), formats[1], name="out")

    assert fuse_bias_add(Graph(build(net), ["out"])) == 0


@pytest.mark.parametrize("term", [TERM, TERM.reshape(8, 1), TERM.reshape(8, 1, 1, 1)])
def test_channels_first_along_something_else(term):
    graph = Graph(build(lambda: tf.add(conv_first(image((8, 4, 8, 8))), tf.constant(term), name="out")), ["out"])
    assert fuse_bias_add(graph) == 0


def test_an_addition_that_waits_goes_on_waiting():
    def net():
        x, term = image(), tf.constant(TERM)
        convolved = conv(x)
        with tf.control_dependencies([tf.nn.relu(x, name="first")]):
            tf.add(convolved, term, name="out")

    assert list(check_rewrite(fuse_bias_add, net, 1).nodes["out"].input)[2:] == ["^first"]


def test_reasons():
    def net(shape, add=tf.add):
        return lambda: add(bias(conv(image(), 4)), tf.constant(random("term", shape)), name="out")

    rows = Graph(build(net((8, 1))), ["out"])
    assert refusal(fuse_bias_add, rows, "out") == "'out' does not add a constant to each channel of 'conv'"
    for add in (tf.add, tf.subtract, tf.nn.bias_add):
        shared = Graph(build(net((4,), add)), ["out", "bias"])
        assert refusal(fuse_bias_add, shared, "out") == "'bias' is also read elsewhere"
    first = Graph(build(lambda: bias(conv(image(), 4), "out")), ["out", "conv"])
    assert refusal(fuse_bias_add, first, "out") == "", "what the pass makes is no concern of it"
