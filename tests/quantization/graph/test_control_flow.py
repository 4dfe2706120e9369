"""Which nodes run together."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.control_flow import context_of, contexts
from intel_quantization.graph.graph import Graph
from tests.quantization.builders import build, image, old_control_flow, v1

pytestmark = pytest.mark.tensorflow


def found(function):
    with old_control_flow():
        return contexts(Graph(build(function)))


def test_a_graph_without_control_flow_has_none():
    assert set(found(lambda: tf.nn.relu(image(), name="out")).values()) == {frozenset()}


def test_a_loop_ends_at_its_exit():
    def net():
        x = tf.nn.relu(image(), name="before")
        x = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t, name="body")), [0, x], name="while")[1]
        tf.nn.relu(x, name="after")

    known = found(net)
    assert known["while/body"] == {(1, "while/while_context", -1), (1, "while/LoopCond", 1)}
    assert known["while/Less"] == {(1, "while/while_context", -1)}
    assert not known["before"]
    assert not known["after"]


def test_branches_differ_and_end_at_their_merge():
    def net():
        x = image()
        wanted = tf.reduce_sum(x, name="sum") > 0
        y = tf.cond(wanted, lambda: tf.nn.relu(x, name="yes"), lambda: tf.nn.relu6(x, name="no"), name="cond")
        tf.nn.relu(y, name="after")

    known = found(net)
    assert known["cond/yes"] == {(0, "Greater", 1)}
    assert known["cond/no"] == {(0, "Greater", 0)}
    assert not known["sum"]
    assert not known["after"]


def test_what_leaves_a_switch_depends_on_its_output_but_what_waits_for_it_does_not():
    def net():
        v1.placeholder(tf.bool, (), "flag")

    graph = Graph(build(net))
    graph.add("Switch", "switch", ["flag", "flag"], {})
    graph.add("NoOp", "waits", ["^switch"])
    known = contexts(graph)
    assert context_of(graph, known, "switch:1") == {(0, "flag", 1)}
    assert context_of(graph, known, "switch") == {(0, "flag", 0)}
    assert context_of(graph, known, "^switch") == known["waits"] == frozenset()


def test_a_loop_inside_a_loop_is_inside():
    def inner(t):
        return tf.while_loop(
            lambda i, u: i < 2, lambda i, u: (i + 1, tf.nn.relu(u, name="deep")), [0, t], name="inner"
        )[1]

    def net():
        x = tf.while_loop(
            lambda i, t: i < 2, lambda i, t: (i + 1, tf.identity(inner(t), name="shallow")), [0, image()], name="outer"
        )[1]
        tf.nn.relu(x, name="after")

    known = found(net)
    assert len(known["outer/shallow"]) == 2
    assert len(known["outer/inner/deep"]) == 4
    assert known["outer/shallow"] < known["outer/inner/deep"]
    assert not known["after"]


def test_a_loop_in_a_branch_leaves_the_branch_on():
    def loop(t):
        return tf.while_loop(lambda i, u: i < 2, lambda i, u: (i + 1, u * 2), [0, t], name="while")[1]

    def net():
        x = image((2,))
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(loop(x), name="yes"), lambda: x, name="cond")
        tf.nn.relu(y, name="after")

    known = found(net)
    assert known["cond/yes"] == {(0, "Greater", 1)}
    assert not known["after"]
