"""Patterns: bindings, and the reason why not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.pattern import Any, Const, Match, Mismatch, Op, match
from tests.quantization.builders import bias, build, conv, image, node

pytestmark = pytest.mark.tensorflow

CONV = Op("Conv2D", inputs=(Any("x"), Const("weights", 4)), bind="conv", private=True)
BIASED = Op("BiasAdd", inputs=(CONV, Const("bias", 1)), bind="bias")


def block(extra=None):
    def net():
        convolved = conv(image(), name="conv")
        out = bias(convolved, "out")
        if extra:
            extra(convolved, out)

    return net


def found(function, pattern, name="out", outputs=("out",)):
    graph = Graph(build(function), outputs)
    return match(graph, graph.nodes[name], pattern)


def test_bindings():
    result = found(block(), BIASED)
    assert isinstance(result, Match)
    assert result
    assert {key: item.name for key, item in result.nodes.items()} == {"conv": "conv", "bias": "out"}
    assert result.tensors == {"x": "input", "weights": "conv/weights", "bias": "out/values"}
    assert result.values["weights"].shape == (3, 3, 4, 8)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (Op("Relu"), "'out' is a BiasAdd, not a Relu"),
        (Op("BiasAdd", inputs=(Op("MatMul|Relu"),)), "'conv' is a Conv2D, not a MatMul|Relu"),
        (Op("BiasAdd", inputs=(Const("c"),)), "'conv' is not a constant"),
        (Op("BiasAdd", inputs=(Any("x"), Const("b", 2))), "'out/values' has 1 dimensions, not 2"),
        (Op("BiasAdd", inputs=(Any("x"), Any("b"), Any("c"))), "'out' has 2 inputs"),
    ],
)
def test_reasons(pattern, reason):
    result = found(block(), pattern)
    assert isinstance(result, Mismatch)
    assert not result
    assert result.reason == reason


def test_private_nodes_may_not_be_read_elsewhere():
    shared = block(lambda convolved, out: tf.nn.relu(convolved))
    assert found(shared, BIASED).reason == "'conv' is also read elsewhere"
    assert found(block(), BIASED, outputs=("out", "conv")).reason == "'conv' is also read elsewhere"


def test_private_nodes_may_not_be_waited_for():
    def wait(convolved, out):
        with tf.control_dependencies([convolved]):
            tf.no_op()

    assert found(block(wait), BIASED).reason == "'conv' is also read elsewhere"


def test_private_nodes_may_not_wait():
    graph_def = build(block())
    node(graph_def, "conv").input.append("^input")
    graph = Graph(graph_def, ["out"])
    assert match(graph, graph.nodes["out"], BIASED).reason == "'conv' waits for other nodes"


def test_the_last_node_may_be_shared():
    pattern = Op("BiasAdd", inputs=(CONV, Const("bias")), private=True)
    assert found(block(lambda convolved, out: [tf.nn.relu(out), tf.nn.relu6(out)]), pattern)


def test_commutative():
    pattern = Op("AddV2|Add", inputs=(Op("Relu", bind="relu"), Const("term")), commutative=True)

    def net(swap):
        pair = [tf.nn.relu(image()), tf.constant(1.0)]
        tf.add(*(pair[::-1] if swap else pair), name="out")

    for swap in (False, True):
        result = found(lambda swap=swap: net(swap), pattern)
        assert result.nodes["relu"].op == "Relu"
        assert result.values["term"] == 1
    assert "not a constant" in found(lambda: tf.add(tf.nn.relu(image()), image(name="y"), name="out"), pattern).reason


def test_a_failed_order_leaves_no_binding():
    pattern = Op("AddV2|Add", inputs=(Any("first"), Const("term")), commutative=True)
    result = found(lambda: tf.add(tf.constant(1.0), image(), name="out"), pattern)
    assert result.tensors == {"first": "input", "term": "Const"}


def test_only_output_0_is_followed():
    pattern = Op("Relu", inputs=(Op("Split"),))

    def net(index):
        tf.nn.relu(tf.split(image(), 2, axis=3, name="split")[index], name="out")

    assert found(lambda: net(0), pattern)
    assert found(lambda: net(1), pattern).reason == "output 1 of 'split' is read"


def test_constants_behind_identity():
    result = found(
        lambda: tf.nn.bias_add(image(), tf.identity(tf.constant(np.ones(4, np.float32)), name="read"), name="out"),
        Op("BiasAdd", inputs=(Any("x"), Const("bias"))),
    )
    assert result.tensors["bias"] == "read"
    assert result.values["bias"].tolist() == [1, 1, 1, 1]
