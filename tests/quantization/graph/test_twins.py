"""Nodes that Grappler makes one of."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.twins import Twins
from tests.quantization.builders import build, conv_block, image, node, old_control_flow, v1

pytestmark = pytest.mark.tensorflow


def twins(function, change=lambda graph_def: None):
    graph_def = build(function)
    change(graph_def)
    found = Twins(Graph(graph_def))
    return {item.name for item in graph_def.node if found.has(item.name)}


def test_the_same_op_on_the_same_tensors():
    def net():
        x, other = image(), image(name="other")
        tf.nn.relu(x, name="a")
        tf.nn.relu(x, name="b")
        tf.nn.relu(other, name="c")
        tf.nn.elu(x, name="d")

    assert twins(net) == {"a", "b"}


def test_attributes_and_constants_count_by_value():
    def net():
        x = image()
        for name, size in (("a", 2), ("b", 2), ("c", 3)):
            v1.nn.max_pool(x, size, 1, "SAME", name=name)
        for name, value in (("d", 2.0), ("e", 2.0), ("f", 3.0)):
            tf.multiply(x, tf.constant(value, name=name + "/value"), name=name)

    assert twins(net) == {"a", "b", "d", "e", "d/value", "e/value"}


def test_whole_branches_are_twins_and_layers_of_other_weights_are_not():
    def net():
        x = image()
        for name in ("a", "b"):
            y = tf.nn.relu(tf.identity(x), name=name + "/one")
            tf.tanh(y, name=name + "/two")
            conv_block(x, name + "/layer")

    assert twins(net) == {"a/one", "a/two", "b/one", "b/two"}


def test_what_grappler_can_change_does_not_count():
    def net():
        x, y = image(), image(name="y")
        tf.add(x, y, name="a")
        tf.add(y, x, name="b")
        tf.add(x, y, name="c")

    def change(graph_def):
        node(graph_def, "c").input.append("^a")
        node(graph_def, "b").device = "/cpu:0"
        node(graph_def, "a").attr["_mark"].i = 3

    assert twins(net, change) == {"a", "b", "c"}


def test_outputs_of_one_node_differ():
    def net():
        one, two = tf.split(image(), 2, 3)
        tf.nn.relu(one, name="a")
        tf.nn.relu(two, name="b")

    assert twins(net) == set()


def test_loops():
    def net():
        with old_control_flow():
            x = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t * 0.5)), [0, image((2,))])[1]
        tf.nn.relu(x, name="a")
        tf.nn.relu(x, name="b")

    assert {"a", "b"} <= twins(net)


def test_inputs_are_no_twins():
    def net():
        for name in ("a", "b"):
            tf.constant(np.zeros(2, np.float32), name=name)
            image(name="input_" + name)

    assert twins(net) == {"a", "b"}
