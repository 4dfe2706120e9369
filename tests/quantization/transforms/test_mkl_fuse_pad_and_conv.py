"""Pads become explicit padding of the convolutions behind them; depthwise ones go the other way."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.transforms.mkl_fuse_pad_and_conv import mkl_fuse_pad_and_conv, why_not
from tests.quantization.builders import build, check_rewrite, conv, conv_first, depthwise, image, ops, random, v1

pytestmark = pytest.mark.tensorflow

SPATIAL = [[0, 0], [1, 2], [0, 3], [0, 0]]
FIRST = [[0, 0], [0, 0], [1, 2], [0, 3]]


def explicit(x, padding, strides=1):
    weights = tf.constant(random("w", (3, 3, 4, 8)))
    return v1.nn.conv2d(x, weights, strides=[1, strides, strides, 1], padding=padding, name="conv")


@pytest.mark.parametrize("strides", [1, 2])
def test_fused(strides):
    def net():
        tf.nn.relu(conv(tf.pad(image(), SPATIAL), padding="VALID", strides=strides, name="conv"), name="out")

    graph = check_rewrite(mkl_fuse_pad_and_conv, net, 1)
    assert "Pad" not in ops(graph)
    assert list(graph.nodes["conv"].attr["explicit_paddings"].list.i) == [0, 0, 1, 2, 0, 3, 0, 0]
    groups, _ = find_candidates(graph)
    assert (groups[0].source, groups[0].pads) == ("input", (1, 2, 0, 3))


def test_channels_first():
    def net():
        conv_first(tf.pad(image((2, 4, 8, 8)), FIRST), padding="VALID", name="out")

    graph = check_rewrite(mkl_fuse_pad_and_conv, net, 1)
    assert list(graph.nodes["out"].attr["explicit_paddings"].list.i) == [0, 0, 0, 0, 1, 2, 0, 3]


def test_pads_add_up():
    def net():
        tf.identity(explicit(tf.pad(tf.pad(image(), SPATIAL), SPATIAL), SPATIAL), name="out")

    graph = check_rewrite(mkl_fuse_pad_and_conv, net, 2)
    assert list(graph.nodes["conv"].attr["explicit_paddings"].list.i) == [0, 0, 3, 6, 0, 9, 0, 0]


def test_nothing_to_pad():
    def net():
        conv(tf.pad(image(), [[0, 0]] * 4), padding="VALID", name="out")

    assert check_rewrite(mkl_fuse_pad_and_conv, net, 1).nodes["out"].attr["padding"].s == b"VALID"


def test_a_pad_with_several_readers():
    def net():
        x = tf.pad(image(), SPATIAL, name="pad")
        y = conv(x, padding="VALID", name="first") + conv(x, padding="VALID", name="second")
        tf.add(tf.reduce_sum(y), tf.reduce_sum(tf.nn.max_pool2d(x, 3, 2, "VALID")), name="out")

    graph = check_rewrite(mkl_fuse_pad_and_conv, net, 2)
    assert [reader.op for reader in graph.consumers("pad")] == ["MaxPool"]


def reason(net, outputs=("out",)):
    graph = Graph(build(net), outputs)
    before = graph.to_graph_def()
    assert mkl_fuse_pad_and_conv(graph) == 0
    assert graph.to_graph_def() == before
    return why_not(graph, graph.nodes["out"])


def test_refused():
    wrong = "'pad' does not pad rows and columns only, by constants"
    for paddings in ([[0, 0], [1, 1], [1, 1], [0, 1]], [[1, 0], [1, 1], [1, 1], [0, 0]]):
        assert reason(lambda p=paddings: conv(tf.pad(image(), p, name="pad"), padding="VALID", name="out")) == wrong
    assert reason(lambda: conv(tf.pad(image(), SPATIAL), name="out")) == "'out' has SAME padding"
    assert reason(lambda: conv(tf.nn.relu(image(), name="x"), name="out")) == "'x' is a Relu, not a Pad"

    def computed():
        conv(tf.pad(image(), image((4, 2), "p", tf.int32), name="pad"), padding="VALID", name="out", weights=WEIGHTS)

    assert reason(computed) == wrong

    def waiting():
        x = image()
        with tf.control_dependencies([tf.nn.relu(x)]):
            y = tf.pad(x, tf.constant(SPATIAL), name="pad")
        conv(y, padding="VALID", name="out")

    graph = Graph(build(waiting), ["out"])
    graph.set_inputs(graph.nodes["pad"], [*graph.data_inputs(graph.nodes["pad"]), "^Relu"])
    assert why_not(graph, graph.nodes["out"]) == "'pad' waits for other nodes"
    assert mkl_fuse_pad_and_conv(graph) == 0


WEIGHTS = random("w", (3, 3, 4, 8))


def test_a_depthwise_convolution_keeps_its_pad():
    check_rewrite(mkl_fuse_pad_and_conv, lambda: depthwise(tf.pad(image(), SPATIAL), padding="VALID", name="out"), 0)


def test_a_pad_that_is_an_output_stays():
    def net():
        conv(tf.pad(image(), SPATIAL, name="pad"), padding="VALID", name="out")

    assert "pad" in check_rewrite(mkl_fuse_pad_and_conv, net, 1, ("out", "pad"))
