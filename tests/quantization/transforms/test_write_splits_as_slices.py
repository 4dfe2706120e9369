"""Splits between linear ops become Slices, with the same numbers, and pass INT8 values on."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.write_splits_as_slices import write_splits_as_slices
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def net(split, behind=None, shape=(None, 8, 8, 4)):
    """A convolution, what is split, and a convolution for each part."""

    def made():
        parts = split(b.conv_block(b.image(shape), "first", filters=12))
        parts = [behind(part) if behind else part for part in parts]
        named = enumerate(parts)
        tf.add_n([tf.reduce_mean(b.conv(part, name="conv_%d" % index), [1, 2]) for index, part in named], name="out")

    return made


def unpacked(axis):
    """The first two of the parts, as images."""
    return lambda x: [tf.expand_dims(part, axis) for part in tf.unstack(x, axis=axis, name="split")[:2]]


SPLITS = [
    ("Split", lambda x: tf.split(x, 3, 3, name="split"), 3),
    ("Split", lambda x: tf.split(x, 2, -1, name="split"), 2),
    ("Split", lambda x: tf.split(x, 4, 1, name="split"), 4),
    ("SplitV", lambda x: tf.split(x, [2, 7, 3], 3, name="split"), 3),
    ("SplitV", lambda x: tf.split(x, [2, -1, 3], -1, name="split"), 3),
    ("SplitV", lambda x: tf.split(x, [5, 3], 2, name="split"), 2),
    ("Unpack", unpacked(1), 2),
    ("Unpack", unpacked(2), 2),
]


@pytest.mark.parametrize(("op", "split", "parts"), SPLITS)
def test_splits(op, split, parts):
    assert b.ops(b.build(net(split)))[op] == 1
    graph = b.check_rewrite(write_splits_as_slices, net(split), 1)
    found = b.ops(graph)
    assert (found["Slice"], found[op]) == (parts, 0)
    assert found["Squeeze"] == (parts if op == "Unpack" else 0)


def test_parts_that_nobody_reads_are_not_made():
    graph = b.check_rewrite(write_splits_as_slices, net(lambda x: tf.split(x, 3, 3, name="split")[1:2]), 1)
    assert b.ops(graph)["Slice"] == 1


def test_a_split_of_a_split():
    def split(x):
        first, second = tf.split(x, 2, 3)
        return [first, *tf.split(second, 3, 3)]

    assert b.ops(b.check_rewrite(write_splits_as_slices, net(split), 2))["Slice"] == 5


def test_what_lies_between_may_be_additions_and_pools():
    def split(x):
        return tf.split(tf.nn.relu(tf.nn.max_pool2d(x, 2, 2, "SAME") + 1.0), 2, 3)

    assert b.ops(b.check_rewrite(write_splits_as_slices, net(split, lambda x: tf.nn.relu6(x + 1.0)), 1))["Slice"] == 2


def test_control_dependencies_stay():
    graph_def = b.build(net(lambda x: tf.split(x, 2, 3, name="split")))
    graph_def.node.add(name="before", op="NoOp")
    b.node(graph_def, "split").input.append("^before")
    b.node(graph_def, "conv_0").input.append("^split")
    graph = Graph(graph_def, ["out"])
    assert write_splits_as_slices(graph) == 1
    slices = [node for node in graph.nodes.values() if node.op == "Slice"]
    assert [graph.control_inputs(node) for node in slices] == [["^before"]] * 2
    assert graph.control_inputs(graph.nodes["conv_0"]) == ["^" + slices[-1].name]


def gates():
    """As in an LSTM: what reads the parts is FP32."""
    parts = tf.split(b.dense(b.image((None, 6)), 12), 3, 1)
    tf.multiply(tf.sigmoid(parts[0]), tf.tanh(parts[1]) + parts[2], name="out")


def image_in_parts():
    """Nothing that is INT8 makes what is split."""
    parts = tf.split(b.image(), 2, 3)
    tf.add(b.conv(parts[0], name="one"), b.conv(parts[1], name="two"), name="out")


def parts_as_outputs():
    parts = tf.split(b.conv(b.image()), 2, 3, name="out")
    b.conv(parts[0], name="next")


def doubles():
    x = tf.cast(b.conv(b.image()), tf.float64)
    parts = tf.split(x, 2, 3)
    tf.identity(b.conv(tf.cast(parts[0] + parts[1], tf.float32), name="next"), "out")


@pytest.mark.parametrize("function", [gates, image_in_parts, parts_as_outputs, doubles])
def test_other_splits_stay_without_a_word(function):
    graph = Graph(b.build(function), ["out"])
    assert write_splits_as_slices(graph) == 0
    assert not list(write_splits_as_slices.refusals(graph))


def test_an_unknown_length_stays():
    def split(x):
        return [tf.ensure_shape(part, (None, 4, 8, 12)) for part in tf.split(x, 2, 1, name="split")]

    def made():
        x = tf.compat.v1.placeholder_with_default(tf.zeros((1, 8, 8, 4)), (None, None, 8, 4), "x")
        parts = split(b.conv_block(x, "first", filters=12))
        tf.add(b.conv(tf.nn.relu(parts[0]), name="one"), b.conv(parts[1], name="two"), name="out")

    graph_def = b.build(made)
    for node in graph_def.node:  # what knows the shape would be in the way
        if node.op == "EnsureShape":
            node.op = "Relu"
            del node.attr["shape"]
    graph = Graph(graph_def, ["out"])
    assert write_splits_as_slices(graph) == 0
    assert "not known" in b.refusal(write_splits_as_slices, graph, "split")


@pytest.mark.parametrize(("op", "split", "parts"), SPLITS)
def test_int8_values_are_passed_on(op, split, parts):
    graph_def = b.build(net(split))
    conversion = b.convert(graph_def)
    ops = b.ops(conversion.graph)
    assert (ops["QuantizeV2"], ops["Slice"], ops["Dequantize"]) == (1, parts, parts)
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.05


def test_channels_first():
    def made():
        x = tf.nn.relu(b.conv_first(b.image((None, 4, 8, 8)), 12, name="first"))
        parts = tf.split(x, 2, 1)
        parts = [tf.nn.relu(b.conv_first(part, 6, name="conv_%d" % index)) for index, part in enumerate(parts)]
        tf.concat(parts, 1, name="out")

    before = b.build(made)
    conversion = b.convert(before)
    ops = b.ops(conversion.graph)
    assert (ops["QuantizeV2"], ops["Slice"], ops["Transpose"]) == (1, 2, 2)
