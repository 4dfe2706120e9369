"""What is in function bodies stays FP32, and is told."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.python.framework import function

from intel_quantization.errors import QuantizationError
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.functions import refused_in_functions
from tests.quantization.builders import (
    batch,
    build,
    conv,
    conv_block,
    convert,
    dense,
    error,
    image,
    node,
    reasons,
    run,
    v1,
)

pytestmark = pytest.mark.tensorflow
SHAPE = (1, 4, 4, 4)


def loop(x):
    return tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, conv_block(t, "conv", filters=4)), [0, x])[1]


def branch(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: conv_block(x, "conv", filters=4), lambda: x)


def case(x):
    return tf.switch_case(
        tf.cast(tf.reduce_sum(x) > 0, tf.int32), [lambda: conv_block(x, "conv", filters=4), lambda: x]
    )


def call(x):
    return tf.function(lambda t: conv_block(t, "conv", filters=4))(x)


def stateful_call(x):
    def body(t):
        return conv_block(t, "conv", filters=4) + v1.random_normal(SHAPE, 0, 1e-3)

    return tf.function(body)(x)


def old_call(x):
    """A call as TensorFlow 1 writes it: the function's name is the op."""

    @function.Defun(tf.float32, func_name="old_function")
    def body(t):
        return conv_block(tf.ensure_shape(t, SHAPE), "conv", filters=4)

    return tf.ensure_shape(body(x), SHAPE)


def call_in_a_loop(x):
    return tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, call(t)), [0, x])[1]


def told(graph_def):
    return {decision.node: (decision.op, decision.reason) for decision in refused_in_functions(Graph(graph_def))}


@pytest.mark.parametrize(
    ("block", "ops"),
    [
        (loop, ("While", "StatelessWhile")),
        (branch, ("If", "StatelessIf")),
        (case, ("Case", "StatelessCase")),
        (call, ("PartitionedCall",)),
        (stateful_call, ("StatefulPartitionedCall",)),
        (old_call, ("old_function",)),
        (call_in_a_loop, ("While", "StatelessWhile")),
    ],
)
def test_what_is_in_a_body_is_told(block, ops):
    def net():
        x = conv_block(image(SHAPE), "before", filters=4)
        tf.identity(conv_block(tf.ensure_shape(block(x), SHAPE), "after"), name="out")

    graph_def = build(net)
    assert any(item.op in ops for item in graph_def.node)
    (inside,) = {
        "%s/%s" % (item.signature.name, body.name)
        for item in graph_def.library.function
        for body in item.node_def
        if body.op == "Conv2D"
    }
    name = inside.split("/")[0]
    assert told(graph_def) == {inside: ("Conv2D", "inside function '%s'" % name)}


@pytest.mark.parametrize("block", [loop, branch, case, call_in_a_loop])
def test_a_body_stays_as_it_is(block):
    """Of While, If and Case; what is merely called is put in the place of the call: test_inline_functions.py."""

    def net():
        x = conv_block(image(SHAPE), "before", filters=4)
        tf.identity(conv_block(tf.ensure_shape(block(x), SHAPE), "after"), name="out")

    graph_def = build(net)
    ((inside, (_, reason)),) = told(graph_def).items()
    conversion = convert(graph_def, outputs=["out"])
    assert conversion.graph.library.SerializeToString() == graph_def.library.SerializeToString()
    assert list(reasons(conversion).items()) == [
        ("before", ""),
        ("after", ""),
        (inside, reason),
    ]
    (row,) = conversion.op_table
    assert (row.op, row.total, row.int8, row.fp32) == ("Conv2D", 3, 2, 1)
    assert error(conversion, batch(graph_def, seed=1)) < 0.1


def test_pools_and_concatenations_are_told_but_no_numbers():
    def body(t):
        numbers = tf.concat([tf.shape(t), tf.constant([1])], 0)
        t = tf.concat([tf.nn.max_pool2d(t, 2, 1, "SAME"), tf.nn.avg_pool2d(t, 2, 1, "SAME")], 3)
        return dense(tf.reshape(t, (1, 128))) + tf.cast(tf.reduce_sum(numbers), tf.float32)

    graph_def = build(lambda: tf.identity(tf.function(body)(image(SHAPE)), name="out"))
    assert sorted(op for op, _ in told(graph_def).values()) == ["AvgPool", "ConcatV2", "MatMul", "MaxPool"]


def test_a_function_called_twice_is_told_once_and_one_not_called_is_not():
    used, unused = tf.function(lambda t: conv(t, 4)), tf.function(lambda t: conv(t, 4))

    def net():
        x = image(SHAPE)
        unused(x)
        tf.identity(used(x) + used(-x), name="out")

    graph_def = build(net)
    assert len(graph_def.library.function) == 2
    assert len(told(graph_def)) == 2
    graph = Graph(graph_def, ["out"])
    graph.prune()
    assert len(refused_in_functions(graph)) == 1


def test_functions_that_call_each_other_come_to_an_end():
    graph_def = build(lambda: tf.identity(call(image(SHAPE)), name="out"))
    body = graph_def.library.function[0]
    again = body.node_def.add(name="again", op="PartitionedCall")
    again.attr["f"].func.name = body.signature.name
    assert len(told(graph_def)) == 1


def test_an_empty_library():
    assert told(build(lambda: conv(image(SHAPE)))) == {}


def test_a_graph_with_all_in_functions():
    with pytest.raises(QuantizationError, match=r"no operation can become INT8; .*/conv: inside function '"):
        convert(build(lambda: tf.identity(loop(image(SHAPE)), name="out")))


def test_a_feed_reaches_the_function_in_the_int8_graph():
    """The branch that runs is chosen anew in each run."""

    def net():
        x = conv_block(image(SHAPE), "before", filters=4)
        flag = v1.placeholder(tf.bool, (), "flag")
        y = tf.cond(flag, lambda: conv_block(x, "yes", filters=4), lambda: -x)
        tf.identity(y, name="out")

    graph_def = build(net)
    conversion = convert(graph_def)
    assert node(conversion.graph, "cond").op in ("If", "StatelessIf")
    for flag in (True, False):
        feed = dict(batch(graph_def, seed=1), **{"flag:0": flag})
        assert (
            run(conversion.graph, feed, "out")[0].min() >= 0
            if flag
            else run(conversion.graph, feed, "out")[0].max() <= 0
        )
