"""Scaling the channels of a float32 tensor in what makes it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.quantize.scaled_source import absorbs_scale, scale_source
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow
SCALE = np.geomspace(0.1, 10.0, 4)


def gate(x):
    return tf.nn.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True))


MAKERS = {
    "constant": (lambda x: tf.nn.relu(x) * 0.25, True),
    "constant of channels": (lambda x: np.arange(4, dtype=np.float32) * tf.nn.relu(x), True),
    "divisor": (lambda x: x * tf.nn.relu6(x + 3.0) / 6.0, True),
    "gate": (lambda x: tf.nn.relu(x) * gate(x), True),
    "gate first": (lambda x: gate(x) * tf.nn.relu(x), True),
    "constant within": (lambda x: x * (tf.nn.relu6(x + 3.0) * 0.1667), True),
    "divided gate": (lambda x: x * (tf.nn.relu6(x + 3.0) / 6.0), True),
    "two images": (lambda x: x * tf.nn.relu(x), False),
    "no product": (tf.nn.relu, False),
    "denominator": (lambda x: 1.0 / (1.0 + tf.nn.relu(x)), True),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_the_values_are_those_times_the_scale(kind):
    make, free = MAKERS[kind]

    def net():
        tf.identity(make(b.image()), name="out")
        tf.add(tf.compat.v1.get_default_graph().get_tensor_by_name("out:0").op.inputs[0], 1.0, name="other")

    graph_def = b.build(net)
    graph = Graph(graph_def, ["out", "other"])
    tensor = graph.data_inputs(graph.nodes["out"])[0]
    shapes = InferredShapes(graph)
    before = len(list(graph.nodes))
    assert absorbs_scale(graph, tensor, shapes) is free
    assert len(list(graph.nodes)) == before
    scaled = scale_source(graph, tensor, SCALE, shapes)
    # no more work on whole images than the product that is there twice until the old one is unread
    feed = b.batch(graph_def)
    want, other = b.run(graph_def, feed, "out:0", "other:0")
    found, kept = b.run(graph, feed, scaled + ":0", "other:0")
    np.testing.assert_allclose(found, want * SCALE.astype(np.float32), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(kept, other, rtol=1e-6)


def test_what_waits_for_others_is_scaled_behind():
    def net():
        x = b.image()
        y, quarter = tf.nn.relu(x, name="r"), tf.constant(0.25)
        with tf.control_dependencies([tf.negative(x, name="first")]):
            y = tf.multiply(y, quarter, name="product")
        tf.identity(y, name="out")

    graph = Graph(b.build(net), ["out"])
    shapes = InferredShapes(graph)
    assert not absorbs_scale(graph, "product", shapes)
    assert graph.nodes[scale_source(graph, "product", SCALE, shapes)].op == "Mul"


MORE = {
    "square": (lambda x: tf.square(x) * 1.0 + 0.0 * x, False),
    "the same twice": (lambda x: twice(tf.nn.relu(x) * 0.5), True),
    "one gate for all channels": (lambda x: tf.nn.relu(x) * gate(x)[..., :1], True),
    "constants of four dimensions": (lambda x: tf.nn.relu(x) * b.random("all", (1, 1, 1, 4)), True),
    "constants of two dimensions": (lambda x: tf.nn.relu(x) / (2.0 + np.abs(b.random("some", (1, 4)))), True),
    "one number in a list": (lambda x: tf.nn.relu(x) * np.float32([3.0]), True),
    "products three deep": (lambda x: x * (tf.nn.elu(x) * (tf.nn.relu(x) * 0.5)), True),
    "products four deep": (lambda x: x * (tf.nn.elu(x) * (tf.nn.relu(x) * (tf.sigmoid(x) * 0.5))), False),
    "a map": (lambda x: tf.nn.relu(x) * b.random("map", (8, 1, 1)), False),
    "a gate as divisor": (lambda x: tf.nn.relu(x) / (1.0 + gate(x)), False),
    "difference": (lambda x: x - 0.5, False),
    "a half": (lambda x: tf.split(tf.nn.relu(x) * 0.5, 1, axis=3)[0], False),
}


def twice(x):
    """Both operands are one tensor: one of them is scaled."""
    return x * x


@pytest.mark.parametrize("kind", MORE)
def test_more_that_makes_tensors(kind):
    make, free = MORE[kind]
    graph_def = b.build(lambda: tf.identity(make(b.image()), name="out"))
    graph = Graph(graph_def, ["out"])
    tensor = graph.data_inputs(graph.nodes["out"])[0]
    shapes = InferredShapes(graph)
    assert absorbs_scale(graph, tensor, shapes) is free
    scaled = scale_source(graph, tensor, SCALE, shapes)
    feed = b.batch(graph_def)
    want, found = b.run(graph, feed, "out:0", scaled if ":" in scaled else scaled + ":0")
    np.testing.assert_allclose(found, want * SCALE.astype(np.float32), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(want, b.run(graph_def, feed, "out:0")[0])


def test_a_tensor_keeps_its_dimensions():
    """The constant may be what has most of them."""
    graph_def = b.build(lambda: tf.multiply(tf.nn.relu(b.image((8, 4))), b.random("c", (1, 1, 1, 4)), name="out"))
    graph = Graph(graph_def, ["out"])
    scaled = scale_source(graph, "out", SCALE, InferredShapes(graph))
    want, found = b.run(graph, b.batch(graph_def), "out:0", scaled + ":0")
    assert want.shape == found.shape == (1, 1, 8, 4)


@pytest.mark.parametrize("taken", [True, False])
def test_in_a_branch(taken):
    """What a branch that is not taken does not make is not scaled, either."""

    def net():
        x, condition = b.image(), b.image((), "condition", tf.bool)
        with b.old_control_flow():
            made = tf.cond(condition, lambda: tf.multiply(tf.nn.relu(x), 0.5, name="product"), lambda: tf.negative(x))
        tf.identity(made, name="out")

    graph_def = b.build(net)
    graph = Graph(graph_def, ["out"])
    scaled = scale_source(graph, "cond/product", SCALE, InferredShapes(graph))
    merge = next(node for node in graph.nodes.values() if node.op == "Merge")
    place = [graph.producer(name).name for name in merge.input].index("cond/product")
    graph.set_input(merge, place, scaled)
    feed = dict(b.batch(graph_def), **{"condition:0": np.bool_(taken)})
    want = np.maximum(feed["input:0"], 0) * 0.5 * SCALE.astype(np.float32) if taken else -feed["input:0"]
    np.testing.assert_allclose(b.run(graph, feed, "out:0")[0], want, rtol=1e-5)
