"""Weights that a loop hands on unchanged become constants of each round."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fold_loop_invariants import fold_loop_invariants
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow
SIZE = 8


def loop(body, times=3, behind=False):
    """``body`` of the state and of weights, which are a variable of the loop, too."""

    def net():
        weights = tf.constant(b.random("w", (SIZE, SIZE), 0.5), name="weights")
        start = [0, b.image((None, SIZE)), weights]
        shapes = [tf.TensorShape(()), tf.TensorShape((None, SIZE)), tf.TensorShape((SIZE, SIZE))]

        def step(i, x, w):
            return (i + 1, *body(x, w))

        with b.old_control_flow():
            found = tf.while_loop(lambda i, x, w: i < times, step, start, shapes, name="while")
        tf.identity(found[1] + tf.reduce_sum(found[2]) if behind else found[1], "out")

    return net


def dense(x, w):
    return tf.nn.relu(tf.matmul(x, w, name="dense")) + 0.1, w


@pytest.mark.parametrize("times", [0, 1, 3])
def test_unchanged_weights(times):
    graph = b.check_rewrite(fold_loop_invariants, loop(dense, times), 1)
    (product,) = [node for node in graph.nodes.values() if node.op == "MatMul"]
    assert graph.constant(product.input[1]) is not None
    ops = b.ops(graph)
    assert (ops["Merge"], ops["NextIteration"], ops["Enter"]) == (2, 2, 2)  # counter and state


def test_behind_identities():
    def body(x, w):
        return tf.matmul(x, tf.transpose(tf.identity(w))), tf.identity(tf.identity(w))

    graph = b.check_rewrite(fold_loop_invariants, loop(body), 1)
    assert b.ops(graph)["Merge"] == 2


def test_what_is_read_behind_the_loop_stays_a_variable():
    graph = b.check_rewrite(fold_loop_invariants, loop(dense, behind=True), 1)
    assert b.ops(graph)["Merge"] == 3


@pytest.mark.parametrize(
    "body",
    [
        lambda x, w: (tf.matmul(x, w), w * 0.5),
        lambda x, w: (tf.matmul(x, w), tf.matmul(w, w)),
    ],
)
def test_weights_that_change_stay(body):
    graph = Graph(b.build(loop(body)), ["out"])
    assert fold_loop_invariants(graph) == 0


def test_what_is_not_constant_stays():
    def net():
        with b.old_control_flow():
            start = [0, b.image((SIZE, SIZE)), b.image((SIZE, SIZE), "fed")]
            found = tf.while_loop(lambda i, x, w: i < 2, lambda i, x, w: (i + 1, *dense(x, w)), start)
        tf.identity(found[1], "out")

    assert fold_loop_invariants(Graph(b.build(net), ["out"])) == 0


def test_variables_that_change_places_stay():
    def net():
        with b.old_control_flow():
            weights = [tf.constant(b.random(name, (SIZE, SIZE))) for name in "ab"]
            start = [0, b.image((SIZE, SIZE)), *weights]

            def body(i, x, v, w):
                return i + 1, tf.matmul(x, v), w, v

            found = tf.while_loop(lambda i, x, v, w: i < 3, body, start)
        tf.identity(found[1], "out")

    assert fold_loop_invariants(Graph(b.build(net), ["out"])) == 0


def test_a_loop_of_rounds_that_read_nothing_else_still_ends():
    def body(x, w):
        del x
        return tf.nn.relu(w), w

    graph = b.check_rewrite(fold_loop_invariants, loop(body), 1)
    assert np.isfinite(b.run(graph, {"input:0": np.zeros((SIZE, SIZE), np.float32)}, "out")[0]).all()


def test_a_recurrent_layer_becomes_int8():
    """Wide enough for INT8 to pay at one row a round."""
    size = 1024

    def net():
        weights = tf.constant(b.random("w", (size, 4 * size), size**-0.5))
        fold = tf.constant(np.tile(np.eye(size, dtype=np.float32), (4, 1)))

        def body(i, x, w):
            return i + 1, tf.tanh(tf.matmul(tf.matmul(x, w, name="gates"), fold, name="fold")), w

        with b.old_control_flow():
            start = [0, b.image((2, size)), weights]
            found = tf.while_loop(lambda i, x, w: i < 2, body, start, name="while")
        tf.identity(found[1], "out")

    graph_def = b.build(net)
    conversion = b.convert(graph_def)
    assert b.reasons(conversion)["while/gates"] == ""
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.25
