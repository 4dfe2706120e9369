"""BatchToSpaceND goes behind what looks at one value at a time."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.delay_batch_to_space import delay_batch_to_space
from intel_quantization.transforms.rule import refusals
from tests.quantization.builders import bias, build, check_rewrite, depthwise, image, norm, random

pytestmark = pytest.mark.tensorflow


def phases(behind, linear=depthwise):
    """A dilated convolution, and what stands behind it."""

    def net():
        x = tf.space_to_batch(image((2, 8, 8, 4)), [2, 2], [[2, 2], [2, 2]])
        x = linear(x, padding="VALID", name="conv")
        behind(tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]], name="join"))

    return net


def test_behind_bias_norm_and_activation():
    def behind(x):
        tf.nn.softmax(tf.nn.relu(norm(bias(x, "bias"), "norm"), name="relu"), name="out")

    graph = check_rewrite(delay_batch_to_space, phases(behind), 1)
    (joined,) = [node for node in graph.nodes.values() if node.op == "BatchToSpaceND"]
    assert [reader.name for reader in graph.consumers(joined.name)] == ["out"]
    assert graph.producer(joined.input[0]).op == "Relu"


@pytest.mark.parametrize("operand", [random("channels", (4,)), random("all", (1, 1, 1, 4)), 2.0])
def test_constants_along_the_channels(operand):
    graph = check_rewrite(delay_batch_to_space, phases(lambda x: tf.nn.softmax(x * operand, name="out")), 1)
    assert graph.producer(graph.nodes["out"].input[0]).op == "BatchToSpaceND"


def told(behind, outputs=("out",), linear=depthwise):
    graph = Graph(build(phases(behind, linear)), outputs)
    before = graph.to_graph_def()
    assert delay_batch_to_space(graph) == 0
    assert graph.to_graph_def() == before
    return refusals(graph, [delay_batch_to_space])


def test_reasons():
    shared = "'join' is also read elsewhere, or waits for other nodes"
    assert told(lambda x: tf.add(tf.nn.relu(x), tf.nn.elu(x), name="out")) == {"join": shared}
    reason = "the other operand of 'out' differs along more than the channels"
    assert told(lambda x: tf.multiply(x, random("map", (8, 1)), name="out")) == {"out": reason}
    reason = "the other operand of 'out' is not constant"
    assert told(lambda x: tf.multiply(x, image((4,), "y"), name="out")) == {"out": reason}
    training = lambda x: tf.nn.elu(norm(x, "norm", training=True), name="out")  # noqa: E731
    assert told(training) == {"norm": "'norm' does not norm each channel by itself"}


def test_no_concern():
    assert told(lambda x: tf.nn.softmax(x, name="out")) == {}
    assert told(lambda x: tf.nn.relu(x, name="out"), linear=lambda x, padding, name: tf.abs(x)) == {}
