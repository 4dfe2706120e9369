"""A constant in the place of others is there when, and only when, those were."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.waits import waits_of
from intel_quantization.verify.graph import verify
from tests.quantization.builders import build, image, old_control_flow, ops, random, run, v1

pytestmark = pytest.mark.tensorflow


def replace_constants(graph, name):
    """Give a product of a tensor and a constant one constant of our own: the same number tripled."""
    node = graph.nodes[name]
    value = graph.constant(node.input[1])
    waits = waits_of(graph, [node.input[1]])
    graph.set_input(node, 1, graph.add_constant("new", np.float32(value * 3), beside=node.input[0], waits=waits))
    verify(graph, "test")
    graph.prune()
    return waits


def branches(inside):
    def net():
        x = image((2,))
        flag = v1.placeholder(tf.bool, (), "flag")
        two = tf.constant(2.0, name="two")
        with old_control_flow():

            def yes():
                return tf.multiply(x, tf.constant(2.0) if inside else two, name="yes")

            y = tf.cond(flag, yes, lambda: tf.negative(x), name="cond")
        tf.identity(y, name="out")

    return net


@pytest.mark.parametrize("inside", [True, False])
def test_in_a_branch(inside):
    graph = Graph(build(branches(inside)), ["out"])
    assert graph.constant(graph.nodes["cond/yes"].input[1]) == 2
    found = replace_constants(graph, "cond/yes")
    assert found == ["^cond/switch_t" if inside else "^cond/pred_id/branch/true"]
    assert "two" not in graph  # no second copy stays
    x = random("x", (2,))
    for flag, factor in ((True, 6), (False, -1)):
        np.testing.assert_allclose(run(graph, {"input:0": x, "flag:0": flag}, "out")[0], x * factor, rtol=1e-6)


def test_what_hangs_on_the_constant_alone_does_not_run_in_the_other_branch():
    """Merge would take the value of a branch that was not chosen."""

    def net():
        image((2,))
        flag = v1.placeholder(tf.bool, (), "flag")
        two = tf.constant([2.0, 2.0], name="two")
        with old_control_flow():
            tf.identity(tf.cond(flag, lambda: two + 0.5, lambda: two - 0.5, name="cond"), name="out")

    graph = Graph(build(net), ["out"])
    for node in list(graph.nodes.values()):
        if node.op in ("Add", "AddV2", "Sub"):
            sign = -1 if node.op == "Sub" else 1
            value = graph.constant(node.input[0]) + sign * graph.constant(node.input[1])
            constant = graph.add_constant("new", value, waits=waits_of(graph, node.input[:1]))
            graph.redirect(node.name, constant)
    verify(graph, "test")
    graph.prune()
    for flag, wanted in ((True, 2.5), (False, 1.5)):
        assert run(graph, {"flag:0": flag}, "out")[0].tolist() == [wanted] * 2


def test_a_pivot_is_made_once():
    graph = Graph(build(branches(False)), ["out"])
    tensor = graph.nodes["cond/yes"].input[1]
    first = waits_of(graph, [tensor])
    size = len(graph)
    assert waits_of(graph, [tensor, tensor]) == first
    assert len(graph) == size


def test_a_taken_name_of_a_pivot():
    graph = Graph(build(branches(False)), ["out"])
    condition = graph.producer(graph.nodes["cond/yes"].input[1]).input[1]
    taken = condition + "/branch/true"
    graph.add("NoOp", taken)
    (wait,) = waits_of(graph, [graph.nodes["cond/yes"].input[1]])
    assert wait != "^" + taken
    replace_constants(graph, "cond/yes")
    assert run(graph, {"input:0": np.ones(2, np.float32), "flag:0": True}, "out")[0].tolist() == [6, 6]


def loop(inside, invariant):
    """Three rounds of t * 2, or of x * 2 + t, which does not depend on the round."""

    def net():
        x = image((2,))
        two = tf.constant(2.0, name="two")

        def body(i, t):
            factor = tf.constant(2.0) if inside else two
            product = tf.multiply(x if invariant else t, factor, name="product")
            return i + 1, product + t if invariant else product

        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, body, [0, x], name="while")[1]
        tf.identity(y, name="out")

    return net


@pytest.mark.parametrize("invariant", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_in_a_loop(inside, invariant):
    graph = Graph(build(loop(inside, invariant)), ["out"])
    waits = replace_constants(graph, "while/product")
    assert waits == (["^while/Identity"] if inside else [])
    assert "two" not in graph  # no second copy stays
    x = random("x", (2,))
    wanted = x * (1 + 3 * 6) if invariant else x * 6**3
    np.testing.assert_allclose(run(graph, {"input:0": x}, "out")[0], wanted, rtol=1e-5)


def test_in_a_branch_of_a_loop():
    def net():
        x = image((2,))
        two = tf.constant(2.0, name="two")

        def body(i, t):
            t = tf.cond(tf.equal(i, 1), lambda: tf.multiply(t, two, name="yes"), lambda: tf.negative(t), name="cond")
            return i + 1, t

        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, body, [0, x], name="while")[1]
        tf.identity(y, name="out")

    graph = Graph(build(net), ["out"])
    waits = replace_constants(graph, "while/cond/yes")
    assert len(waits) == 1
    assert "Identity" in ops(graph)
    x = random("x", (2,))
    np.testing.assert_allclose(run(graph, {"input:0": x}, "out")[0], x * 6, rtol=1e-5)


def test_what_is_no_constant_does_not_matter():
    graph = Graph(build(branches(True)), ["out"])
    assert waits_of(graph, ["input", "flag", "two"]) == []
