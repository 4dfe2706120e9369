"""SpaceToBatchND, Conv2D, BatchToSpaceND are one dilated convolution."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.flatten_atrous_conv import flatten_atrous_conv
from tests.quantization.builders import build, check_rewrite, conv, conv_first, depthwise, image, ops, random, refusal

pytestmark = pytest.mark.tensorflow


def atrous(block=(2, 2), paddings=((2, 2), (2, 2)), crops=((0, 0), (0, 0)), linear=None, after=None, behind=None):
    """A convolution in batches of phases; the padded sizes must be multiples of the block."""

    def net():
        x = tf.raw_ops.SpaceToBatchND(input=image(), block_shape=list(block), paddings=paddings, name="split")
        x = (linear or conv)(x, padding="VALID", name="conv")
        x = after(x) if after else x
        x = tf.raw_ops.BatchToSpaceND(input=x, block_shape=list(behind or block), crops=crops, name="join")
        tf.nn.relu(x, name="out")

    return net


@pytest.mark.parametrize(
    ("block", "paddings", "crops", "padding"),
    [
        ((2, 2), [[2, 2], [2, 2]], [[0, 0], [0, 0]], b"SAME"),
        ((3, 3), [[3, 4], [3, 4]], [[0, 1], [0, 1]], b"SAME"),
        ((2, 4), [[2, 2], [4, 4]], [[0, 0], [0, 0]], b"SAME"),
        ((2, 2), [[0, 0], [0, 0]], [[0, 0], [0, 0]], b"VALID"),
        ((2, 2), [[2, 0], [1, 3]], [[2, 0], [0, 2]], b"EXPLICIT"),
        ((2, 2), [[0, 4], [0, 0]], [[0, 1], [0, 0]], b"EXPLICIT"),
        ((1, 2), [[1, 1], [2, 2]], [[0, 0], [0, 0]], b"SAME"),
    ],
)
def test_flattened(block, paddings, crops, padding):
    graph = check_rewrite(flatten_atrous_conv, atrous(block, paddings, crops), 1)
    assert ops(graph) == {"Placeholder": 1, "Const": 1, "Conv2D": 1, "Relu": 1}
    assert list(graph.nodes["conv"].attr["dilations"].list.i) == [1, *block, 1]
    assert graph.nodes["conv"].attr["padding"].s == padding


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_as_tensorflow_itself_writes_it(size, padding):
    def net():
        weights = tf.constant(random("w", (3, 3, 4, 8)))
        margins, crops = [[0, 0]] * 2, [[0, 0]] * 2
        if padding == "SAME":
            margins = [[2, 2]] * 2
        extra = -(size + sum(margins[0])) % 2
        margins, crops = [[margins[0][0], margins[0][1] + extra]] * 2, [[0, extra]] * 2
        x = tf.space_to_batch(image((None, size, size, 4)), [2, 2], margins)
        x = tf.nn.conv2d(x, weights, 1, "VALID", name="conv")
        tf.batch_to_space(x, [2, 2], crops, name="out")

    graph = check_rewrite(flatten_atrous_conv, net, 1)
    assert graph.nodes["conv"].attr["padding"].s == padding.encode()
    assert graph.nodes["out"].op == "Identity"  # an output keeps its name


def reason(net, outputs=("out",)):
    graph = Graph(build(net), outputs)
    before = graph.to_graph_def()
    assert flatten_atrous_conv(graph) == 0
    assert graph.to_graph_def() == before
    return refusal(flatten_atrous_conv, graph, "join")


def strided(x, padding, name):
    return conv(x, 8, 3, 2, padding, name=name)


def padded(x, padding, name):
    return conv(x, name=name)


def first(x, padding, name):
    return conv_first(x, padding=padding, name=name)


def half(x, padding, name):
    weights = tf.constant(random("w", (3, 3, 4, 8)).astype(np.float16))
    return tf.cast(tf.nn.conv2d(tf.cast(x, tf.float16), weights, 1, padding, name=name), tf.float32)


def test_refused():
    assert reason(atrous(), ("out", "conv")) == "'conv' is also read elsewhere"
    assert reason(atrous(), ("out", "split")) == "'split' is also read elsewhere"
    assert reason(atrous(linear=strided)) == "'conv' has a stride or a dilation"
    assert reason(atrous(linear=padded)) == "'conv' pads each phase by itself"
    assert reason(atrous(linear=first)) == "'conv' is not NHWC"
    assert reason(atrous(behind=(4, 1))) == "the blocks before and behind 'conv' are not the same"
    assert reason(atrous(crops=((0, 3), (0, 0)))) == "more is cropped behind 'conv' than was padded before it"
    assert "DepthwiseConv2dNative, not a Conv2D" in reason(atrous(linear=depthwise))
    assert reason(atrous(after=tf.nn.relu)).endswith("is a Relu, not a Conv2D")
    assert reason(atrous(linear=half)).endswith("is a Cast, not a Conv2D")


def test_computed_paddings():
    def net():
        paddings = image((2, 2), "paddings", tf.int32)
        x = tf.raw_ops.SpaceToBatchND(input=image(), block_shape=[2, 2], paddings=paddings)
        x = conv(x, padding="VALID", name="conv", weights=random("w", (3, 3, 4, 8)))
        tf.nn.relu(tf.raw_ops.BatchToSpaceND(input=x, block_shape=[2, 2], crops=[[0, 0]] * 2, name="join"), name="out")

    assert reason(net) == "'paddings' is not a constant"
