"""Control inputs that only wait for checks go; those that order effects, or carry a branch, stay."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.pipeline import optimize
from intel_quantization.transforms.remove_assertions import remove_assertions
from tests.quantization.builders import build, check_rewrite, image, old_control_flow, ops, run, v1

pytestmark = pytest.mark.tensorflow


def waiting(make):
    """``out`` waits for what ``make`` builds from x."""

    def net():
        x = image((2,))
        with tf.control_dependencies([make(x)]):
            tf.nn.relu(x, name="out")

    return net


def assertion(x):
    return v1.Assert(tf.reduce_all(x > -100), [x])


def guarded(x):
    with old_control_flow():
        return v1.Assert(tf.reduce_all(x > -100), [x])


def guarded_by_functions(x):
    return tf.cond(tf.reduce_all(x > -100), lambda: x, lambda: tf.debugging.check_numerics(x, "no"))


def group(x):
    return tf.group(assertion(x), tf.debugging.check_numerics(x, "no"))


def message(x):
    return v1.Print(x, [x], "x is")


@pytest.mark.parametrize(
    ("make", "count"),
    [(assertion, 1), (guarded, 3), (guarded_by_functions, 1), (group, 3), (message, 1), (tf.exp, 1)],
)
def test_nothing_is_waited_for(make, count):
    graph = check_rewrite(remove_assertions, waiting(make), count)
    assert ops(graph) == {"Placeholder": 1, "Relu": 1}


def counter(x):
    table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)
    keys = tf.constant([1, 2], tf.int64)
    return tf.raw_ops.LookupTableInsertV2(table_handle=table, keys=keys, values=x)


def counter_in_a_function(x):
    return tf.cond(tf.reduce_all(x > 0), lambda: tf.group(counter(x)), tf.no_op)


def group_of_counter(x):
    return tf.group(counter(x), assertion(x))


@pytest.mark.parametrize("make", [counter, counter_in_a_function, group_of_counter])
def test_effects_are_waited_for(make):
    graph = Graph(build(waiting(make)), ["out"])
    before = [name for name in graph.nodes["out"].input if name.startswith("^")]
    remove_assertions(graph)
    assert [name for name in graph.nodes["out"].input if name.startswith("^")] == before != []


def test_an_unknown_op_is_waited_for():
    graph_def = build(waiting(tf.exp))
    node = next(item for item in graph_def.node if item.op == "Exp")
    node.op = "NobodyKnows"
    assert remove_assertions(Graph(graph_def, ["out"])) == 0


@pytest.mark.parametrize("flag", [True, False])
def test_branches_and_loops_go_on_working(flag):
    def net():
        x = image((2,))
        y = v1.placeholder(tf.bool, (), "flag")
        with old_control_flow():
            x = tf.cond(y, lambda: tf.constant([1.0, 2.0]), lambda: x * 2)
            x = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t + tf.constant([1.0, 1.0])), [0, x])[1]
        tf.nn.relu(x, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    remove_assertions(graph)
    feed = {"input:0": np.array([3, 4], np.float32), "flag:0": flag}
    np.testing.assert_array_equal(run(graph, feed, "out")[0], run(before, feed, "out")[0])


def test_the_pipeline_leaves_no_assertion():
    def net():
        x = image((2,))
        with tf.control_dependencies([guarded(x)]):
            x = tf.identity(x)
        tf.nn.relu(x, name="out")

    graph = Graph(build(net), ["out"])
    optimize(graph)
    assert ops(graph) == {"Placeholder": 1, "Relu": 1}
