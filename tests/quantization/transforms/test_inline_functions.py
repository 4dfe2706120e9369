"""Bodies of functions come into the graph; those that a run decides on stay where they are."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import function as defun

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.inline_functions import inline_functions
from intel_quantization.transforms.pipeline import optimize
from intel_quantization.verify.graph import verify
from tests.quantization.builders import (
    assert_same_numbers,
    bias,
    build,
    conv,
    convert,
    image,
    norm,
    old_control_flow,
    ops,
    random,
    refusal,
    run,
    v1,
)

pytestmark = pytest.mark.tensorflow

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def inlined(net, expected, outputs=("out",)):
    """Inline; the graph must be right, and its numbers the same."""
    before = build(net)
    graph = Graph(before, outputs)
    assert inline_functions(graph) == expected
    verify(graph, "test")
    graph.prune()
    assert_same_numbers(before, graph, outputs)
    return graph


@tf.function
def block(x, name="block"):
    return tf.nn.relu(norm(bias(conv(x, 4, name="conv"), "bias"), "norm"))


@tf.function
def split(x):
    first, second = tf.split(x, 2, axis=3)
    return first * 2.0, second, x


@tf.function
def nested(x):
    parts = split(block(x))
    return tf.concat([parts[1], parts[0]], axis=3) + parts[2]


def test_a_call():
    graph = inlined(lambda: tf.identity(block(image()), name="out"), 1)
    assert not CALLS & set(ops(graph))
    assert any(name.endswith("Call/conv") for name in graph.nodes)
    assert list(graph.library.function) == []


def test_calls_in_calls_and_several_outputs():
    graph = inlined(lambda: tf.identity(nested(image()), name="out"), 3)
    assert not CALLS & set(ops(graph))


def test_the_same_function_twice():
    graph = inlined(lambda: tf.identity(block(block(image())), name="out"), 2)
    assert ops(graph)["Conv2D"] == 2


def test_what_was_inlined_is_folded_and_quantized():
    before = build(lambda: tf.identity(block(tf.nn.relu(image((None, 8, 8, 4)))), name="out"))
    graph = Graph(before, ["out"])
    optimize(graph)
    assert ops(graph) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1, "Relu": 2, "Identity": 1}
    assert [decision.int8 for decision in convert(before).decisions] == [True]


def call_name(graph_def):
    return next(node.name for node in graph_def.node if node.op in CALLS)


@pytest.mark.parametrize("several", [False, True])
def test_calls_that_are_outputs(several):
    before = build(lambda: (split if several else block)(image()))
    name = call_name(before)
    outputs = [name, name + ":1", name + ":2"] if several else [name]
    graph = Graph(before, outputs)
    assert inline_functions(graph) == 1
    verify(graph, "test")
    assert graph.nodes[name].op == ("IdentityN" if several else "Identity")
    assert_same_numbers(before, graph, outputs)


def test_waiting():
    @tf.function
    def constant():
        return tf.constant([1.0, 2.0])

    def net():
        x = image((2,))
        with tf.control_dependencies([tf.exp(x, name="first")]):
            y = constant()
        with tf.control_dependencies([y]):
            tf.nn.relu(x, name="out")
        tf.identity(y, name="second")

    graph = inlined(net, 1, ("out", "second"))
    waits = graph.control_inputs(graph.nodes["out"])
    assert len(waits) == 1
    source = graph.nodes[waits[0][1:]]
    while graph.data_inputs(source):
        source = graph.producer(source.input[0])
    assert graph.control_inputs(source) == ["^first"]


def test_functions_of_tensorflow_1():
    @defun.Defun(tf.float32, tf.float32, func_name="old_function")
    def old(x, y):
        return x * y + 1.0, x - y

    def net():
        first, second = old(image((2, 3)), image((2, 3), "y"))
        tf.divide(first, second * second + 1.0, name="out")

    before = build(net)
    assert "old_function" in ops(before)
    assert "old_function" not in ops(inlined(net, 1))


# -- loops and branches --------------------------------------------------------------------------


@tf.function
def affine(x, y):
    return x * 0.5 + tf.constant([1.0, 2.0]) + y * 0.0


def test_a_call_in_a_loop():
    def net():
        x = image((2,))
        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, affine(t, t)), [0, x])[1]
        tf.nn.relu(y, name="out")

    assert not CALLS & set(ops(inlined(net, 1)))


@pytest.mark.parametrize("flag", [True, False])
def test_a_call_in_a_branch(flag):
    """TensorFlow 2.14 itself gives [5, 6] in both: what it inlines runs whichever branch is taken."""

    @tf.function
    def constant(x):
        return tf.constant([5.0, 6.0])

    def net():
        x = image((2,))
        condition = v1.placeholder(tf.bool, (), "flag")
        with old_control_flow():
            y = tf.cond(condition, lambda: constant(x), lambda: affine(x, x))
        tf.nn.relu(y, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert inline_functions(graph) == 2
    verify(graph, "test")
    feed = {"input:0": np.array([1, 2], np.float32), "flag:0": flag}
    wanted = [5.0, 6.0] if flag else [1.5, 3.0]
    assert run(graph, feed, "out")[0].tolist() == wanted
    optimize(graph)
    assert run(graph, feed, "out")[0].tolist() == wanted


# -- If and Case ---------------------------------------------------------------------------------


def conditional(predicate):
    def net():
        x = image((2, 3))
        tf.nn.relu(tf.cond(predicate(x), lambda: x * random("a", (3,)), lambda: x - 3.0), name="out")

    return net


@pytest.mark.parametrize("value", [True, False])
def test_an_if_that_is_decided(value):
    graph = inlined(conditional(lambda x: tf.raw_ops.Identity(input=tf.constant(value))), 1)
    assert not {"If", "StatelessIf"} & set(ops(graph))
    assert ("Mul" in ops(graph)) == value


@pytest.mark.parametrize("value", [True, False])
def test_an_if_that_folding_decides(value):
    before = build(conditional(lambda x: tf.logical_not(v1.placeholder_with_default(not value, (), "training"))))
    graph = Graph(before, ["out"])
    optimize(graph)
    assert set(ops(graph)) == {"Placeholder", "Const", "Mul" if value else "Sub", "Relu"}
    assert_same_numbers(before, graph, ["out"])


@pytest.mark.parametrize("number", [-1, 0, 1, 2, 7])
def test_a_case_that_is_decided(number):
    def net():
        x = image((2, 3))
        branches = [lambda: x * 2.0, lambda: x * 3.0, lambda: x * 5.0]
        index = tf.raw_ops.Identity(input=tf.constant(number))
        tf.nn.relu(tf.switch_case(index, branches), name="out")

    assert not {"Case", "StatelessCase"} & set(ops(inlined(net, 1)))


def test_what_a_run_decides_stays():
    def net():
        x = image((2, 3))
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x - 3.0)
        tf.nn.relu(tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2.0), [0, y])[1], name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert inline_functions(graph) == 0
    optimize(graph)
    assert {"StatelessIf", "StatelessWhile"} <= set(ops(graph))
    assert len(graph.library.function) == len(before.library.function)
    assert_same_numbers(before, graph, ["out"])


# -- refusals ------------------------------------------------------------------------------------


def refused(graph_def):
    graph = Graph(graph_def, ["out"])
    before = graph.to_graph_def()
    name = next(node.name for node in graph.nodes.values() if node.op in CALLS)
    reason = refusal(inline_functions, graph, name)
    assert inline_functions(graph) == 0
    assert graph.to_graph_def() == before
    return reason.replace(graph_def.library.function[0].signature.name, "F")


def test_refused():
    def net():
        tf.nn.relu(block(image((2, 8, 8, 4))), name="out")

    graph_def = build(net)
    graph_def.library.function[0].node_def[0].op = "NobodyKnows"
    assert refused(graph_def) == "this TensorFlow does not know NobodyKnows in function 'F'"
    graph_def = build(net)
    graph_def.library.function[0].node_def[0].attr["dtype"].placeholder = "T"
    assert refused(graph_def) == "an attribute of function 'F' is not given"
    graph_def = build(net)
    graph_def.library.function[0].signature.input_arg[0].number_attr = "N"
    assert refused(graph_def) == "function 'F' takes lists"


def test_effects_are_kept():
    @tf.function
    def insert(x):
        table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)
        tf.raw_ops.LookupTableInsertV2(table_handle=table, keys=tf.constant([1, 2], tf.int64), values=x)
        return x * 2.0

    assert refused(build(lambda: tf.nn.relu(insert(image((2,))), name="out"))) == "function 'F' has effects"


def test_a_function_that_calls_itself_stays():
    before = build(lambda: tf.nn.relu(nested(image((2, 8, 8, 4))), name="out"))
    names = [function.signature.name for function in before.library.function]
    for function in before.library.function:
        for node in function.node_def:
            if node.op in CALLS and "block" in node.attr["f"].func.name:
                node.attr["f"].func.name = next(name for name in names if "nested" in name)
    graph = Graph(before, ["out"])
    assert inline_functions(graph) == 2
    verify(graph, "test")
    assert any(node.op in CALLS for node in graph.nodes.values())
