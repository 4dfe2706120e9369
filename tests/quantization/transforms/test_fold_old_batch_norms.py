"""Batch norms of old graphs are folded into the convolution before them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fold_old_batch_norms import fold_old_batch_norms
from tests.quantization.builders import (
    assert_same_numbers,
    bias,
    build,
    conv,
    conv_first,
    depthwise,
    image,
    ops,
    random,
    refusal,
)

pytestmark = pytest.mark.tensorflow

# The last GraphDef version in which the op may stand.
OLD = 8
CHANNELS = 8


def old_norm(function, scale_after=True, channels=CHANNELS, epsilon=0.01):
    """A graph of version 8 with a batch norm named out behind what ``function`` builds."""
    graph_def = build(lambda: tf.identity(function(), name="source"))
    graph_def.versions.producer = OLD
    values = {key: random(key, (channels,)) for key in ("mean", "beta", "gamma")}
    values["variance"] = np.abs(random("variance", (channels,))) + 0.1
    with tf.Graph().as_default() as graph:
        for key, value in values.items():
            tf.constant(value, name="norm/" + key)
    graph_def.node.extend(graph.as_graph_def().node)
    node = graph_def.node.add(op="BatchNormWithGlobalNormalization", name="out")
    source = next(item for item in graph_def.node if item.name == "source").input[0]
    node.input.extend([source, "norm/mean", "norm/variance", "norm/beta", "norm/gamma"])
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["variance_epsilon"].f = epsilon
    node.attr["scale_after_normalization"].b = scale_after
    for number, item in enumerate(graph_def.node):
        if item.name == "source":
            del graph_def.node[number]
            break
    return graph_def


def modern(graph_def):
    """The same graph with the op written in others: none of them that this TensorFlow has runs the old one."""
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph_def)
    node = next(item for item in result.node if item.name == "out")
    scale_after = node.attr["scale_after_normalization"].b
    with tf.Graph().as_default() as graph:
        parts = [tf.compat.v1.placeholder(tf.float32, name="p%d" % number) for number in range(5)]
        x, mean, variance, beta, gamma = parts
        y = (x - mean) * tf.math.rsqrt(variance + node.attr["variance_epsilon"].f) * (gamma if scale_after else 1.0)
        tf.add(y, beta, name="out")
    sources = {"p%d" % number: name for number, name in enumerate(node.input)}
    result.node.remove(node)
    for item in graph.as_graph_def().node:
        if item.name not in sources:
            copy = result.node.add()
            copy.CopyFrom(item)
            copy.input[:] = [sources.get(name, name) for name in item.input]
    result.versions.producer = graph.as_graph_def().versions.producer
    return result


@pytest.mark.parametrize("scale_after", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("linear", [conv, lambda x, name: depthwise(x, 2, name=name)])
def test_folded(linear, biased, scale_after):
    def net():
        x = linear(image(), name="linear")
        return bias(x) if biased else x

    before = old_norm(net, scale_after)
    graph = Graph(before, ["out"])
    assert refusal(fold_old_batch_norms, graph, "out") == ""
    assert fold_old_batch_norms(graph) == 1
    graph.prune()
    assert ops(graph)["BiasAdd"] == 1
    assert graph.nodes["out"].op == "BiasAdd"
    assert "BatchNormWithGlobalNormalization" not in ops(graph)
    assert_same_numbers(modern(before), graph, ["out"])


def refused(function, outputs=("out",), **options):
    graph = Graph(old_norm(function, **options), outputs)
    before = graph.to_graph_def()
    reason = refusal(fold_old_batch_norms, graph, "out")
    assert fold_old_batch_norms(graph) == 0
    assert graph.to_graph_def() == before
    return reason


def test_refused():
    assert refused(lambda: conv(image(), name="conv"), ("out", "conv")) == "'conv' is also read elsewhere"
    assert refused(lambda: conv(image(), 6)) == "'out' does not have one parameter for each output channel"
    assert refused(lambda: tf.nn.relu(image(), name="relu")).startswith("'relu' is a Relu, not a")
    reason = "'out' normalizes the last dimension, which are not the channels of 'conv'"
    assert refused(lambda: conv_first(image((2, 4, 8, 8)))) == reason


def test_parameters_that_are_computed():
    graph_def = old_norm(lambda: conv(image()))
    node = next(item for item in graph_def.node if item.name == "norm/gamma")
    node.op = "Placeholder"
    del node.attr["value"]
    graph = Graph(graph_def, ["out"])
    assert refusal(fold_old_batch_norms, graph, "out") == "'norm/gamma' is not a constant"
    assert fold_old_batch_norms(graph) == 0
