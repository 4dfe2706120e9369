"""float16 and bfloat16 graphs are computed in float32, between inputs and outputs of their own types."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.widen_half import narrow_types, widen_half
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def conv(x, name, filters=8):
    weights = b.weights_for(name, (3, 3, int(x.shape[-1]), filters))
    x = tf.nn.conv2d(x, tf.constant(weights, x.dtype), 1, "SAME", name=name)
    return tf.nn.bias_add(x, tf.constant(b.random(name + "/bias", (filters,), 0.3), x.dtype))


def net(dtype=tf.float16, placeholder=None):
    def made():
        x = b.image(dtype=placeholder or dtype)
        x = tf.nn.relu(conv(tf.cast(x, dtype), "first"))
        tf.nn.relu(conv(x, "second"), name="out")

    return made


def mixed():
    """As Keras writes mixed precision: float32 weights that are cast, a float32 result."""
    x = tf.cast(b.image(), tf.float16)
    weights = tf.cast(tf.constant(b.weights_for("w", (3, 3, 4, 8))), tf.float16)
    x = tf.nn.relu(tf.nn.conv2d(x, weights, 1, "SAME", name="first"))
    tf.cast(tf.nn.relu(conv(x, "second")), tf.float32, name="out")


def halves(graph):
    """The ops that still have such a type."""
    names = (tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum)
    found = [node.op for node in graph.nodes.values() if any(value.type in names for value in node.attr.values())]
    return sorted(found)


@pytest.mark.parametrize("function", [net(), net(tf.float16, tf.float32), mixed])
def test_same_numbers_up_to_rounding(function):
    before = b.build(function)
    graph = Graph(before, ["out"])
    assert widen_half(graph) > 0
    assert set(halves(graph)) <= {"Placeholder", "Cast"}
    b.assert_same_numbers(before, graph.to_graph_def(), ["out"], tolerance=5e-3)
    constants = [node for node in graph.nodes.values() if node.op == "Const" and node.name.startswith("Const")]
    assert all(graph.constant(node.name).dtype == np.float32 for node in constants)


def test_bfloat16():
    graph = Graph(b.build(net(tf.bfloat16)), ["out"])
    assert widen_half(graph) > 0
    assert halves(graph) == ["Cast", "Cast", "Placeholder"]


def test_other_readers_of_an_output_read_it_wide():
    def made():
        x = tf.nn.relu(conv(b.image(dtype=tf.float16), "first"), name="out")
        tf.identity(conv(x, "second"), name="more")

    before = b.build(made)
    graph = Graph(before, ["out", "more"])
    widen_half(graph)
    assert [graph.nodes[name].op for name in ("out", "more")] == ["Cast", "Cast"]
    assert graph.nodes["second"].input[0] == "out/wide"
    b.assert_same_numbers(before, graph.to_graph_def(), ["out", "more"], tolerance=5e-3)


def stored():
    x = conv(b.image(dtype=tf.float16), "first")
    tf.bitcast(x, tf.int16, name="out")


def test_what_looks_at_bits_keeps_all_as_it_is():
    graph = Graph(b.build(stored), ["out"])
    assert widen_half(graph) == 0
    told = b.refusal(widen_half, graph, "first")
    assert told == "not float32, as 'out' stays: Bitcast looks at how numbers are stored"


def test_a_second_output_that_is_asked_for_keeps_all_as_it_is():
    def made():
        tf.split(conv(b.image(dtype=tf.float16), "first"), 2, 3, name="out")

    graph = Graph(b.build(made), ["out:0", "out:1"])
    assert widen_half(graph) == 0
    assert "output beyond its first" in b.refusal(widen_half, graph, "first")


def test_float32_graphs_are_left_alone():
    graph = Graph(b.build(net(tf.float32)), ["out"])
    assert widen_half(graph) == 0
    assert not list(widen_half.refusals(graph))


@pytest.mark.parametrize("function", [net(), net(tf.float16, tf.float32), mixed])
def test_they_become_int8(function):
    graph_def = b.build(function)
    conversion = b.convert(graph_def)
    told = b.reasons(conversion)
    assert (told["first"], told["second"]) == ("", "")
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.05


@pytest.mark.parametrize(("dtype", "told"), [(tf.float16, "float16"), (tf.bfloat16, "bfloat16"), (tf.float32, "")])
def test_which_types_a_graph_computes_in(dtype, told):
    assert narrow_types(b.build(net(dtype))) == told
