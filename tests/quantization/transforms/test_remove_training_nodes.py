"""Nodes that pass their input through go, except where something hangs on them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.remove_training_nodes import remove_training_nodes
from intel_quantization.verify.graph import verify
from tests.quantization.builders import build, check_rewrite, image, old_control_flow, ops, refusal, run, v1

pytestmark = pytest.mark.tensorflow


def test_chains_go():
    def net():
        x = tf.identity(tf.stop_gradient(tf.identity(image())))
        x = tf.debugging.check_numerics(x, "broken")
        tf.nn.relu(tf.raw_ops.Snapshot(input=x) if hasattr(tf.raw_ops, "Snapshot") else x, name="out")

    graph = check_rewrite(remove_training_nodes, net, 5)
    assert ops(graph) == {"Placeholder": 1, "Relu": 1}


def test_messages_and_casts_to_the_same_type_go():
    def net():
        x = v1.Print(tf.nn.relu(image((2, 3))), [tf.constant("x is")])
        tf.nn.relu(tf.raw_ops.Cast(x=x, DstT=tf.float32), name="out")

    graph = check_rewrite(remove_training_nodes, net, 2)
    assert ops(graph) == {"Placeholder": 1, "Relu": 2}


def test_a_cast_to_another_type_stays():
    check_rewrite(remove_training_nodes, lambda: tf.cast(tf.cast(image((2, 3)), tf.int32), tf.float32, name="out"), 0)


def test_several_at_once_go():
    def net():
        first, second = tf.raw_ops.IdentityN(input=[tf.nn.relu(image((2, 3))), tf.split(image((2, 6), "y"), 2, 1)[1]])
        tf.add(first * first, second, name="out")

    graph = check_rewrite(remove_training_nodes, net, 1)
    assert "IdentityN" not in ops(graph)


def test_several_that_are_waited_for_or_outputs_stay():
    def net():
        pair = tf.raw_ops.IdentityN(input=[image((2, 3)), image((2, 3), "y")], name="pair")
        with tf.control_dependencies(pair):
            tf.nn.relu(image((2, 3), "z"), name="out")

    check_rewrite(remove_training_nodes, net, 0)
    check_rewrite(remove_training_nodes, net, 0, ("out", "pair:1"))


def test_one_behind_a_second_output():
    def net():
        tf.nn.relu(tf.identity(tf.split(image(), 2, axis=3)[1]), name="out")

    assert "Identity" not in ops(check_rewrite(remove_training_nodes, net, 1))


def test_outputs_stay():
    graph = check_rewrite(remove_training_nodes, lambda: tf.identity(image(), name="out"), 0)
    assert "out" in graph


def test_what_waited_for_one_waits_for_its_producer():
    def net():
        x = image()
        alias = tf.identity(tf.nn.relu(x, name="relu"), name="alias")
        with tf.control_dependencies([alias]):
            tf.nn.relu6(x, name="out")

    graph = check_rewrite(remove_training_nodes, net, 1)
    assert list(graph.nodes["out"].input) == ["input", "^relu"]


def test_one_that_waits_and_is_waited_for_stays():
    def net():
        x = image()
        with tf.control_dependencies([tf.nn.relu(x)]):
            alias = tf.identity(x)
        with tf.control_dependencies([alias]):
            tf.nn.relu6(x, name="out")

    assert "Identity" in ops(check_rewrite(remove_training_nodes, net, 0))


def branch(constant):
    def net():
        x = image((2,))
        flag = v1.placeholder(tf.bool, (), "flag")
        with old_control_flow():
            y = tf.cond(
                flag,
                lambda: tf.identity(tf.constant([7.0, 7.0]) if constant else x * 2),
                lambda: tf.identity(tf.constant([8.0, 8.0]) if constant else x),
            )
        tf.nn.relu(tf.identity(y), name="out")

    return net


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("flag", [False, True])
def test_branches_go_on_working(constant, flag):
    before = build(branch(constant))
    graph = Graph(before, ["out"])
    remove_training_nodes(graph)
    graph.prune()
    verify(graph, "test")
    feed = {"input:0": np.array([1, 2], np.float32), "flag:0": flag}
    if constant:
        del feed["input:0"]
    np.testing.assert_array_equal(run(graph, feed, "out")[0], run(before, feed, "out")[0])


def test_an_alias_that_waits_for_a_branch_stays():
    """Without it Merge would see both branches alive."""

    def net():
        value = tf.constant([1.0, 2.0], name="value")
        other = tf.constant([3.0, 4.0], name="other")
        flag = v1.placeholder(tf.bool, (), "flag")
        with old_control_flow():
            tf.cond(flag, lambda: tf.constant([0.0, 0.0], name="c"), lambda: tf.constant([9.0, 9.0], name="d"))
        del value, other

    graph_def = build(net)
    for name, source in (("cond/c", "value"), ("cond/d", "other")):
        for item in graph_def.node:
            if item.name == name:
                item.op = "Identity"
                item.attr.clear()
                item.attr["T"].type = tf.float32.as_datatype_enum
                item.input.insert(0, source)
    graph = Graph(graph_def, ["cond/Merge"])
    remove_training_nodes(graph)
    for flag, wanted in ((True, [1, 2]), (False, [3, 4])):
        assert run(graph, {"flag:0": flag}, "cond/Merge")[0].tolist() == wanted


@pytest.mark.parametrize("steps", [0, 3])
def test_loops_go_on_working(steps):
    def net():
        x = tf.identity(image((2,)))
        with old_control_flow():
            y = tf.while_loop(
                lambda i, t: tf.identity(i) < steps,
                lambda i, t: (tf.identity(i + 1), tf.stop_gradient(tf.identity(t) * 2)),
                [0, x],
            )[1]
        tf.nn.relu(tf.identity(y), name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert remove_training_nodes(graph) >= 1
    feed = {"input:0": np.array([1, 2], np.float32)}
    np.testing.assert_array_equal(run(graph, feed, "out")[0], run(before, feed, "out")[0])


def test_reasons():
    def net():
        x = tf.stop_gradient(image(), name="kept")
        y = tf.nn.elu(x)
        with tf.control_dependencies([tf.nn.relu(x, name="first")]):
            y = tf.identity(y, name="waits")
        with tf.control_dependencies([y]):
            tf.nn.relu(x, name="out")

    graph = Graph(build(net), ["out", "kept"])
    assert refusal(remove_training_nodes, graph, "kept") == "'kept' is an output"
    assert refusal(remove_training_nodes, graph, "waits") == "'waits' waits for other nodes, and others for it"
    cast = Graph(build(lambda: tf.cast(image(), tf.float16, name="out")), ["out"])
    assert refusal(remove_training_nodes, cast, "out") == ""
