"""Inputs that are computed become Placeholders."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.cut_at_inputs import cut_at_inputs
from intel_quantization.transforms.pipeline import optimize
from tests.quantization.builders import build, image, ops, run, v1

pytestmark = pytest.mark.tensorflow


def decoder():
    x = tf.cast(image((None, 4), dtype=tf.uint8, name="bytes"), tf.float32) / 255.0
    x = tf.identity(x, name="photo")
    tf.nn.relu(x - 0.5, name="out")


@pytest.mark.parametrize("name", ["photo", "photo:0", "truediv"])
def test_a_computed_input_survives_the_rewrites(name):
    graph = Graph(build(decoder), ["out"])
    assert cut_at_inputs(graph, [name]) == 1
    optimize(graph)
    assert ops(graph) == {"Placeholder": 1, "Sub": 1, "Const": 1, "Relu": 1}
    value = np.array([[1, 0, 0.75, 0.5]], np.float32)
    feed = {name.split(":")[0] + ":0": value}
    np.testing.assert_allclose(run(graph, feed, "out")[0], [[0.5, 0, 0.25, 0]])


def test_placeholders_stay_as_they_are():
    graph = Graph(build(decoder), ["out"])
    before = graph.to_graph_def()
    assert cut_at_inputs(graph, ["bytes"]) == 0
    assert graph.to_graph_def() == before


def test_nodes_with_several_outputs_stay():
    graph = Graph(build(lambda: tf.nn.relu(tf.split(image(), 2, axis=3, name="halves")[1], name="out")), ["out"])
    assert cut_at_inputs(graph, ["halves", "halves:1"]) == 0


def test_a_default_stays_unless_it_is_a_switch():
    def net():
        x = v1.placeholder_with_default(np.zeros((1, 4), np.float32), (None, 4), "photo")
        training = v1.placeholder_with_default(False, (), "training")
        tf.cond(training, lambda: x * 2, lambda: x, name="out")

    graph = Graph(build(net), ["out/Identity"])
    before = graph.nodes["photo"].SerializeToString()
    assert cut_at_inputs(graph, ["photo", "training"]) == 1
    assert graph.nodes["photo"].SerializeToString() == before
    assert graph.nodes["training"].op == "Placeholder"
    assert graph.nodes["training"].attr["dtype"].type == tf.bool.as_datatype_enum
