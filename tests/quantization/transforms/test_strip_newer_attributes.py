"""Attributes that came later go where they are at their default, and only with a target."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph import registry
from intel_quantization.graph.capabilities import RUNNING, Capabilities
from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.strip_newer_attributes import strip_newer_attributes
from tests.quantization.builders import assert_same_numbers, build, image, node

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not registry.has_attr("MaxPool", "explicit_paddings"), reason="needs a newer TensorFlow"),
]


def net():
    tf.nn.max_pool2d(tf.nn.relu(image()), 3, 2, "SAME", name="out")


def pool(graph_def, **attrs):
    item = node(graph_def, "out")
    for key, value in attrs.items():
        item.attr[key].CopyFrom(value)
    return item


def test_a_default_goes():
    before = build(net)
    assert "explicit_paddings" in pool(before).attr
    graph = Graph(before, ["out"])
    assert strip_newer_attributes(graph, Capabilities("1.15")) == 1
    after = graph.to_graph_def()
    assert "explicit_paddings" not in pool(after).attr
    assert sorted(pool(after).attr) == ["T", "data_format", "ksize", "padding", "strides"]
    assert_same_numbers(before, after, ["out"])


def test_without_a_target_nothing_is_touched():
    graph = Graph(build(net), ["out"])
    assert strip_newer_attributes(graph, RUNNING) == 0
    assert graph.to_graph_def() == Graph(build(net), ["out"]).to_graph_def()


def test_a_target_that_knows_it_keeps_it():
    assert strip_newer_attributes(Graph(build(net), ["out"]), Capabilities("2.14")) == 0


def test_what_means_something_stays():
    graph_def = build(net)
    pool(graph_def).attr["explicit_paddings"].list.i.extend([0, 0, 1, 1, 1, 1, 0, 0])
    graph = Graph(graph_def, ["out"])
    assert strip_newer_attributes(graph, Capabilities("1.15")) == 0
    assert list(graph.nodes["out"].attr["explicit_paddings"].list.i) == [0, 0, 1, 1, 1, 1, 0, 0]


def test_functions_and_unknown_ops():
    graph_def = build(net)
    function = graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.add().CopyFrom(pool(graph_def))
    graph_def.node.add(name="odd", op="NoSuchOp").attr["newer"].i = 1
    graph = Graph(graph_def, ["out"])
    assert strip_newer_attributes(graph, Capabilities("1.15")) == 2
    assert "explicit_paddings" not in graph.to_graph_def().library.function[0].node_def[0].attr
    assert "newer" in graph.nodes["odd"].attr
    assert "explicit_paddings" in graph_def.library.function[0].node_def[0].attr, "the caller's graph"
