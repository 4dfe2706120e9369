"""Linear ops and their output channels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms import linear
from tests.quantization.builders import build, conv, dense, depthwise, image, old_control_flow, random

pytestmark = pytest.mark.tensorflow


def node_of(function):
    graph = Graph(build(function))
    node = next(item for item in graph.nodes.values() if item.op in linear.LINEAR.op.split("|"))
    return node, graph.constant(node.input[1])


@pytest.mark.parametrize(
    ("function", "channels"),
    [
        (lambda: conv(image(), 6), 6),
        (lambda: depthwise(image(), 3), 12),
        (lambda: dense(image((None, 4)), 5), 5),
        (lambda: dense(image((None, 4)), 5, transpose=True), 5),
    ],
)
def test_output_channels_and_scaling(function, channels):
    node, weights = node_of(function)
    assert linear.output_channels(node, weights) == channels
    scale = np.arange(1, channels + 1, dtype=np.float64)
    scaled = linear.scale_weights(node, weights, scale)
    assert scaled.dtype == np.float32
    assert scaled.shape == weights.shape
    ratio = scaled / weights
    if node.op == "MatMul" and node.attr["transpose_b"].b:
        ratio = ratio.T
    np.testing.assert_allclose(ratio.reshape(-1, channels)[0], scale, rtol=1e-6)


def test_wrong_rank_and_type():
    node, weights = node_of(lambda: conv(image()))
    assert linear.output_channels(node, weights[0]) is None
    node.attr["T"].type = tf.float16.as_datatype_enum
    assert linear.output_channels(node, weights) is None


@pytest.mark.parametrize(
    ("shape", "rank", "fits"),
    [
        ((), 2, True),
        ((1,), 4, True),
        ((3,), 2, True),
        ((1, 3), 2, True),
        ((1, 1, 1, 3), 4, True),
        ((1, 1, 3), 2, False),
        ((1, 1, 1), 2, False),
        ((3, 1), 4, False),
        ((2, 3), 4, False),
        ((2,), 4, False),
        ((0,), 4, False),
    ],
)
def test_per_channel(shape, rank, fits):
    found = linear.per_channel(random("v", shape), 3, rank)
    assert (found is not None) == fits
    if fits:
        assert (found.shape, found.dtype) == ((3,), np.float64)


@pytest.mark.parametrize(
    ("shape", "fits"), [((3, 1, 1), True), ((1, 3, 1, 1), True), ((1,), True), ((3,), False), ((1, 3), False)]
)
def test_per_channel_of_channels_first(shape, fits):
    assert (linear.per_channel(random("v", shape), 3, 4, channels_first=True) is not None) == fits


def test_roots_are_outside_loops_and_branches():
    def net():
        x = tf.nn.relu(image((2,)), name="before")
        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t, name="inside")), [0, x])[1]
            z = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.nn.relu(y, name="branch"), lambda: y)
        tf.nn.relu(z, name="after")

    graph = Graph(build(net))
    assert {node.name for node in linear.roots(graph, ("Relu",))} == {"before", "after"}
    assert list(linear.roots(graph, ())) == []
