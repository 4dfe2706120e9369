"""Scaling the channels of a float32 tensor in what makes it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.scaled_source import InferredShapes, absorbs_scale, scale_source
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


def test_shapes():
    graph = Graph(b.build(lambda: tf.identity(gate(b.image()), name="out")), ["out"])
    shapes = InferredShapes(graph)
    assert list(shapes("input")) == [None, 8, 8, 4]
    assert list(shapes("out:0")) == [None, 1, 1, 4]
