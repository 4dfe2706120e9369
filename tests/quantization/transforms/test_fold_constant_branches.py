"""Conditionals whose predicate is known lose the branch that is never taken."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fold_constant_branches import fold_constant_branches
from intel_quantization.transforms.pipeline import optimize
from intel_quantization.verify.graph import verify
from tests.quantization.builders import (
    assert_same_numbers,
    build,
    check_rewrite,
    conv,
    image,
    norm,
    old_control_flow,
    ops,
    random,
    run,
    v1,
)

pytestmark = pytest.mark.tensorflow


def predicate(value):
    """A constant that tf.cond does not look through."""
    return tf.constant(value, name="training")


def branching(value, body=None, other=None):
    def net():
        x = image((2, 3))
        with old_control_flow():
            y = v1.cond(
                _opaque(predicate(value)),
                lambda: (body or (lambda t: t * 2))(x),
                lambda: (other or (lambda t: t + 3))(x),
            )
        tf.nn.relu(y, name="out")

    return net


def _opaque(flag):
    # smart conditionals evaluate constants while the graph is built
    return tf.raw_ops.Identity(input=flag)


@pytest.mark.parametrize("value", [True, False])
def test_decided(value):
    before = build(branching(value))
    graph = Graph(before, ["out"])
    assert fold_constant_branches(graph) > 0
    graph.prune()
    verify(graph, "test")
    assert not {"Switch", "Merge"} & set(ops(graph))
    assert ("Mul" in ops(graph)) == value
    assert_same_numbers(before, graph, ["out"])


@pytest.mark.parametrize("value", [True, False])
def test_the_pipeline_leaves_the_branch_that_is_taken(value):
    def training(t):
        return tf.nn.relu(norm(conv(t, name="conv"), "norm"))

    def net():
        x = image()
        with old_control_flow():
            y = v1.cond(_opaque(predicate(value)), lambda: -conv(x, name="never"), lambda: training(x))
        tf.nn.relu(y, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    optimize(graph)
    assert_same_numbers(before, graph, ["out"])
    assert ops(graph) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1, "Relu": 1}  # two are one
    assert not any(name.startswith("^") for node in graph.nodes.values() for name in node.input)


@pytest.mark.parametrize("value", [True, False])
def test_constants_in_branches(value):
    before = build(branching(value, lambda t: tf.constant([1.0]), lambda t: tf.constant([-1.0, 5.0])))
    graph = Graph(before, ["out"])
    optimize(graph)
    assert set(ops(graph)) <= {"Const", "Relu"}
    assert run(graph, {}, "out")[0].tolist() == ([1.0] if value else [0.0, 5.0])


@pytest.mark.parametrize("value", [True, False])
def test_conditionals_in_conditionals(value):
    def inner(t):
        return v1.cond(tf.reduce_sum(t) > 0, lambda: t * 5, lambda: t - 1)

    before = build(branching(value, inner, inner))
    graph = Graph(before, ["out"])
    assert fold_constant_branches(graph) > 0
    graph.prune()
    verify(graph, "test")
    assert ops(graph)["Merge"] == 1
    assert_same_numbers(before, graph, ["out"])


@pytest.mark.parametrize("value", [True, False])
def test_loops_in_conditionals(value):
    def loop(t):
        return v1.while_loop(lambda i, u: i < 2, lambda i, u: (i + 1, u * 2), [0, t])[1]

    before = build(branching(value, loop))
    graph = Graph(before, ["out"])
    assert fold_constant_branches(graph) > 0
    graph.prune()
    verify(graph, "test")
    assert ("Enter" in ops(graph)) == value
    assert_same_numbers(before, graph, ["out"])


def test_conditionals_in_loops():
    def net():
        x = image((2, 3))

        def body(i, t):
            return i + 1, v1.cond(_opaque(predicate(True)), lambda: t * 2, lambda: t + 9)

        with old_control_flow():
            y = v1.while_loop(lambda i, t: i < 3, body, [0, x])[1]
        tf.nn.relu(y, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert fold_constant_branches(graph) > 0
    graph.prune()
    verify(graph, "test")
    assert ops(graph)["Merge"] == 2  # those of the loop
    assert_same_numbers(before, graph, ["out"])


def test_which_branch_was_taken():
    def net():
        x = image((2,))
        off, on = tf.raw_ops.Switch(data=x, pred=predicate(True))
        merged, index = tf.raw_ops.Merge(inputs=[off * 2, on * 3])
        tf.add(merged, tf.cast(index, tf.float32), name="out")

    graph = check_rewrite(fold_constant_branches, net, 2)
    assert not {"Switch", "Merge"} & set(ops(graph))


def test_outputs_keep_their_names():
    def net():
        x = image((2,))
        off, on = tf.raw_ops.Switch(data=x, pred=predicate(False))
        tf.raw_ops.Merge(inputs=[off * 2, on * 3], name="out")

    assert check_rewrite(fold_constant_branches, net, 2).nodes["out"].op == "Identity"


def test_an_unknown_predicate_stays():
    def net():
        x = image((2, 3))
        with old_control_flow():
            y = v1.cond(tf.reduce_sum(x) > 0, lambda: x * random("a", (3,)), lambda: x + 3)
        tf.nn.relu(y, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert fold_constant_branches(graph) == 0
    assert graph.to_graph_def() == Graph(before, ["out"]).to_graph_def()


def test_numbers_of_both_sides_are_what_numpy_says():
    for value, wanted in ((True, [2.0, 4.0]), (False, [4.0, 5.0])):
        graph = Graph(build(branching(value)), ["out"])
        optimize(graph)
        x = np.array([[1, 2, 0]], np.float32).repeat(2, 0)
        assert run(graph, {"input:0": x}, "out")[0][0, :2].tolist() == wanted
