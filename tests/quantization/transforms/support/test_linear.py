"""Linear ops and their output channels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.support import linear
from intel_quantization.verify.graph import verify
from tests.quantization.builders import build, conv, dense, depthwise, image, old_control_flow, random, run, v1

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


def test_roots():
    def net():
        x = tf.nn.relu(image((2,)), name="before")
        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t, name="inside")), [0, x])[1]
            z = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.nn.relu(y, name="branch"), lambda: y)
        tf.nn.relu(z, name="after")

    graph = Graph(build(net))
    assert {node.name for node in linear.roots(graph, ("Relu",))} == {
        "before",
        "while/inside",
        "cond/branch",
        "after",
    }
    assert list(linear.roots(graph, ())) == []


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("place", ["loop", "loop on an invariant", "branch"])
def test_a_replacement_in_a_loop_or_a_branch(place, outside):
    """Its constants are there when those were that they replace; of these nothing stays."""

    def net():
        x = image((1, 4, 4, 4))
        flag = v1.placeholder(tf.bool, (), "flag")
        given = [tf.constant(value, name=name) for name, value in (("w", weights), ("f", factor))]

        def block(t):
            w, f = given if outside else [tf.constant(value) for value in (weights, factor)]
            return tf.multiply(v1.nn.conv2d(t, w, strides=[1, 1, 1, 1], padding="SAME", name="conv"), f, name="root")

        with old_control_flow():
            if place == "branch":
                y = tf.cond(flag, lambda: block(x), lambda: -x, name="cond")
            else:
                y = tf.while_loop(
                    lambda i, t: i < 3, lambda i, t: (i + 1, t + block(x if "on" in place else t)), [0, x], name="while"
                )[1]
        tf.identity(y, name="out")

    weights, factor = random("w", (3, 3, 4, 4), 0.2), random("f", (4,))
    before = build(net)
    graph = Graph(before, ["out"])
    root = next(node for name, node in graph.nodes.items() if name.endswith("root"))
    found = graph.producer(root.input[0])
    new = linear.scale_weights(found, weights, factor)
    linear.replace_by_linear(graph, root, found, new, np.zeros(4))
    verify(graph, "test")
    graph.prune()
    assert sum(node.op == "Const" and graph.constant(node.name).size == new.size for node in graph.nodes.values()) == 1
    for flag in (True, False) if place == "branch" else (None,):
        feed = {"input:0": random("x", (1, 4, 4, 4))}
        if flag is not None:
            feed["flag:0"] = flag
        np.testing.assert_allclose(run(graph, feed, "out")[0], run(before, feed, "out")[0], rtol=1e-4, atol=1e-4)
