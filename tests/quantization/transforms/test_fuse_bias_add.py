"""Additions of constants behind a linear op become one BiasAdd."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fuse_bias_add import fuse_bias_add
from tests.quantization.builders import bias, build, check_rewrite, conv, dense, depthwise, image, ops, random, v1

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


def test_channels_first_is_refused():
    def net():
        weights = tf.constant(random("w", (3, 3, 4, 8)))
        x = v1.nn.conv2d(
            image((2, 4, 8, 8)), weights, strides=[1, 1, 1, 1], padding="SAME", data_format="NCHW", name="c"
        )
        tf.add(x, tf.constant(TERM), name="out")

    assert fuse_bias_add(Graph(build(net), ["out"])) == 0


def test_an_addition_that_waits_goes_on_waiting():
    def net():
        x, term = image(), tf.constant(TERM)
        convolved = conv(x)
        with tf.control_dependencies([tf.nn.relu(x, name="first")]):
            tf.add(convolved, term, name="out")

    assert list(check_rewrite(fuse_bias_add, net, 1).nodes["out"].input)[2:] == ["^first"]
