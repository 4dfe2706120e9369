"""Clips at zero become ReLUs, with the same numbers and names."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.write_clips_as_relus import write_clips_as_relus
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def maximum(x, low, name=None):
    return tf.raw_ops.Maximum(x=x, y=tf.constant(low, tf.float32), name=name)


def minimum(x, high, name=None):
    return tf.raw_ops.Minimum(x=x, y=tf.constant(high, tf.float32), name=name)


def clip(x, low, high, name=None):
    ends = [tf.constant(end, tf.float32) for end in (low, high)]
    return tf.raw_ops.ClipByValue(t=x, clip_value_min=ends[0], clip_value_max=ends[1], name=name)


def net(function, **options):
    def made():
        tf.identity(function(10.0 * b.conv(b.image(**options))), "out")

    return made


CLIPS = [
    (lambda x: maximum(x, 0.0, "clip"), 1, ["Relu"]),
    (lambda x: tf.raw_ops.Maximum(x=tf.constant(0.0), y=x, name="clip"), 1, ["Relu"]),
    (lambda x: maximum(x, [0.0], "clip"), 1, ["Relu"]),
    (lambda x: minimum(maximum(x, 0.0), 6.0, "clip"), 2, ["Relu6"]),
    (lambda x: maximum(minimum(x, 6.0), 0.0, "clip"), 1, ["Relu6"]),
    (lambda x: minimum(tf.nn.relu(x), 6.0, "clip"), 1, ["Relu6"]),
    (lambda x: tf.nn.relu(minimum(x, 6.0), "clip"), 1, ["Relu6"]),
    (lambda x: clip(x, 0.0, 6.0, "clip"), 1, ["Relu6"]),
    (lambda x: tf.nn.relu(tf.nn.relu(x), "clip"), 1, ["Relu"]),
    (lambda x: minimum(maximum(x, 0.0), 4.5, "clip"), 1, ["Minimum", "Relu"]),
    (lambda x: tf.nn.relu(minimum(x, 4.5), "clip"), 1, ["Minimum", "Relu"]),
    (lambda x: clip(x, 0.0, 4.5, "clip"), 1, ["Minimum", "Relu"]),
    (lambda x: minimum(clip(x, 0.0, 8.0), 4.5, "clip"), 2, ["Minimum", "Relu"]),
    (lambda x: clip(minimum(x, 4.5), 0.0, 8.0, "clip"), 1, ["Minimum", "Relu"]),
]


@pytest.mark.parametrize(("function", "count", "ops"), CLIPS)
def test_clips(function, count, ops):
    graph = b.check_rewrite(write_clips_as_relus, net(function), count)
    assert graph.nodes["clip"].op == ops[0]
    found = b.ops(graph)
    kinds = ("Relu", "Relu6", "Maximum", "Minimum", "ClipByValue")
    assert {op: found[op] for op in kinds if found[op]} == dict.fromkeys(ops, 1)


def test_clip_by_value_of_tensorflow():
    graph = b.check_rewrite(write_clips_as_relus, net(lambda x: tf.clip_by_value(x, 0.0, 6.0)), 1)
    assert b.ops(graph)["Relu6"] == 1


def test_a_clip_of_nothing_else_is_what_the_last_one_says():
    """Minimum(Maximum(x, 0), -1) is -1 everywhere."""
    graph = Graph(b.build(net(lambda x: minimum(maximum(x, 0.0, "first"), -1.0, "clip"))), ["out"])
    before = graph.to_graph_def()
    write_clips_as_relus(graph)
    b.assert_same_numbers(before, graph.to_graph_def(), ["out"])


@pytest.mark.parametrize(
    "function",
    [
        tf.nn.relu,
        tf.nn.relu6,
        lambda x: minimum(tf.nn.relu(x), 4.5),
        lambda x: tf.maximum(x, x * 0.1),
    ],
)
def test_what_is_written_so_already_or_is_no_clip_has_no_reason(function):
    graph = Graph(b.build(net(function)), ["out"])
    assert write_clips_as_relus(graph) == 0
    assert not list(write_clips_as_relus.refusals(graph))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: clip(x, -1.0, 6.0, "clip"), "from -1 to 6"),
        (lambda x: maximum(x, 0.5, "clip"), "from 0.5 to inf"),
        (lambda x: minimum(x, 6.0, "clip"), "from -inf to 6"),
        (lambda x: clip(x, 0.0, 0.0, "clip"), "from 0 to 0"),
    ],
)
def test_other_clips_stay(function, told):
    graph = Graph(b.build(net(function)), ["out"])
    assert write_clips_as_relus(graph) == 0
    assert told in b.refusal(write_clips_as_relus, graph, "clip")


def test_a_clip_by_channel_stays():
    graph = Graph(b.build(net(lambda x: maximum(x, np.zeros(8)))), ["out"])
    assert write_clips_as_relus(graph) == 0


def test_a_clip_that_adds_dimensions_stays():
    graph = Graph(b.build(net(lambda x: maximum(x, np.zeros((1, 1, 1, 1, 1))))), ["out"])
    assert write_clips_as_relus(graph) == 0


def test_other_types_stay():
    def made():
        x = b.image(dtype=tf.float64)
        tf.raw_ops.Maximum(x=x, y=tf.constant(0.0, tf.float64), name="out")

    assert write_clips_as_relus(Graph(b.build(made), ["out"])) == 0


def test_what_others_read_stays_between():
    def function(x):
        first = maximum(x, 0.0, "first")
        return minimum(first, 6.0, "clip") + first

    graph = b.check_rewrite(write_clips_as_relus, net(function), 1)
    assert (graph.nodes["first"].op, graph.nodes["clip"].op) == ("Relu", "Minimum")


def test_control_dependencies_stay():
    graph_def = b.build(net(lambda x: minimum(maximum(x, 0.0, "first"), 6.0, "clip")))
    graph_def.node.add(name="before", op="NoOp")
    b.node(graph_def, "clip").input.append("^before")
    graph = Graph(graph_def, ["out"])
    assert write_clips_as_relus(graph) == 2
    assert list(graph.nodes["clip"].input) == ["mul", "^before"]
    b.node(graph_def, "first").input.append("^before")
    graph = Graph(graph_def, ["out"])
    assert write_clips_as_relus(graph) == 1
    assert (graph.nodes["first"].op, graph.nodes["clip"].op) == ("Relu", "Minimum")


def chain(end, form):
    def made():
        x = b.bias(b.conv(b.image(), name="first"))
        x = form(x, end)
        tf.identity(b.conv_block(x, "second"), "out")

    return made


FORMS = [lambda x, end: clip(x, 0.0, end), lambda x, end: tf.clip_by_value(x, 0.0, end)]


@pytest.mark.parametrize("end", [6.0, 1.5])
@pytest.mark.parametrize("form", FORMS)
def test_a_clip_is_part_of_the_int8_op(end, form):
    conversion = b.convert(b.build(chain(end, form)))
    ops = b.ops(conversion.graph)
    assert ops["QuantizedConv2DWithBiasAndReluAndRequantize"] == 2
    assert (ops["Minimum"], ops["Maximum"], ops["QuantizeV2"], ops["Dequantize"]) == (0, 0, 1, 1)
    graph_def = conversion.input_graph
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.05


@pytest.mark.parametrize("equalize", [False, True])
def test_the_int8_result_ends_where_the_clip_does(equalize):
    """Most of what the first one gives is beyond the end."""

    def made():
        x = b.bias(b.conv(b.image(), name="first"), "b", np.zeros(8, np.float32))
        tf.identity(b.conv(clip(x, 0.0, 1.5), name="second"), "out")

    graph_def = b.build(made)
    conversion = b.convert(graph_def, [b.batch(graph_def, seed=1, scale=3.0)], equalize=equalize)
    assert b.error(conversion, b.batch(graph_def, seed=1, scale=3.0)) < 0.05
