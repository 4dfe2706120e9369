"""Biases, factors and ReLUs come ahead of the Reshape of a matrix product."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.delay_reshape import delay_reshape
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow

STEPS = {
    "bias": lambda x: b.bias(x, "bias"),
    "add": lambda x: x + tf.constant(b.random("add", x.shape[-1:])),
    "old add": lambda x: tf.raw_ops.Add(x=x, y=tf.constant(b.random("add", x.shape[-1:]))),
    "added": lambda x: tf.constant(b.random("added", x.shape[-2:])) + x,
    "one row": lambda x: x + tf.constant(b.random("one row", (1, x.shape[-1]))),
    "scalar": lambda x: x * tf.constant(0.3),
    "factors": lambda x: x * tf.constant(b.random("factors", x.shape[-1:])),
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
}


def net(steps):
    def build():
        x = b.image((None, 7, 6))
        x = tf.reshape(b.dense(tf.reshape(x, (-1, 6)), 10, name="dense"), (-1, 7, 2, 5))
        for step in steps:
            x = STEPS[step](x)
        tf.tanh(x, "out")

    return build


@pytest.mark.parametrize(
    "steps", [(name,) for name in STEPS] + [("bias", "relu"), ("add", "scalar", "relu6"), ("scalar", "bias")]
)
def test_brought_ahead(steps):
    graph = b.check_rewrite(delay_reshape, net(steps), len(steps))
    node = graph.nodes["out"]
    for op in ("Reshape", *("Mul" if name in ("scalar", "factors") else name for name in reversed(steps))):
        node = graph.nodes[node.input[0]]
        want = {"relu": "Relu", "relu6": "Relu6", "Reshape": "Reshape", "Mul": "Mul"}.get(op, "BiasAdd")
        assert node.op == want
    assert graph.nodes[node.input[0]].name == "dense"


@pytest.mark.parametrize("kind", ["ConcatV2", "Pack"])
def test_a_shape_that_is_computed(kind):
    def build():
        x = b.image((None, None, 6))
        size = tf.shape(x)
        y = b.dense(tf.reshape(x, (-1, 6)), 10, name="dense")
        shape = tf.concat([size[:2], [10]], 0) if kind == "ConcatV2" else tf.stack([size[0], size[1], 10])
        tf.nn.relu(b.bias(tf.reshape(y, shape), "bias"), "out")

    graph = b.check_rewrite(delay_reshape, build, 2)
    assert graph.nodes["out"].op == "Reshape"


def test_an_output_keeps_its_name():
    def build():
        x = tf.reshape(b.dense(b.image((None, 6)), 10, name="dense"), (-1, 2, 5))
        tf.nn.relu(x, "out")

    assert b.check_rewrite(delay_reshape, build, 1).nodes["out"].op == "Reshape"


def reason(build, outputs=("out",)):
    graph = Graph(b.build(build), outputs)
    before = graph.to_graph_def()
    assert delay_reshape(graph) == 0
    assert graph.to_graph_def() == before
    return b.refusal(delay_reshape, graph, "out")


def test_what_else_reads_the_product():
    def build():
        x = b.dense(b.image((None, 6)), 10, name="dense")
        tf.identity(x, "other")
        tf.nn.relu(tf.reshape(x, (-1, 2, 5)), "out")

    assert reason(build, ("out", "other")) == "'dense' is also read elsewhere"


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ((-1, 4, 5), (4, 5)),  # the rows have values of their own
        ((-1, 4, 5), (4, 1)),
        ((-1, 5), (5,)),  # half a row
        ((-1, 20), (20,)),  # two rows
        ((-1, 10), (1, 1, 10)),  # one more dimension
    ],
)
def test_a_constant_along_the_rows(shape, value):
    def build():
        x = b.dense(b.image((4, 6)), 10, name="dense")
        tf.add(tf.reshape(x, shape), tf.constant(b.random("value", value)), name="out")

    assert reason(build) == "its constant does not go along the columns of 'dense'"


def test_a_bias_of_the_first_dimension():
    def build():
        x = tf.reshape(b.dense(b.image((4, 6)), 10, name="dense"), (4, 10, 1, 1))
        tf.nn.bias_add(x, tf.constant(b.random("value", (10,))), data_format="NCHW", name="out")

    assert reason(build) == "it adds along the first dimension"


def test_float64():
    def build():
        x = tf.matmul(b.image((4, 6), dtype=tf.float64), tf.constant(b.random("w", (6, 10)), tf.float64), name="dense")
        tf.nn.relu(tf.reshape(x, (4, 2, 5)), "out")

    assert reason(build) == "'dense' is not float32"


def test_two_activations_are_no_concern():
    def build():
        x = tf.reshape(b.dense(b.image((4, 6)), 10, name="dense"), (4, 2, 5))
        tf.add(x, tf.tanh(x), name="out")

    assert reason(build) == ""
