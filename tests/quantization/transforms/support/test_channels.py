"""The number of channels of a tensor, as far as the nodes ahead of it tell."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.support.channels import channels_of
from tests.quantization.builders import build, conv, conv_first, dense, depthwise, image

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("net", "rank", "first", "wanted"),
    [
        (lambda: conv(image()), 4, False, 8),
        (lambda: conv(image()), 4, True, None),
        (lambda: conv_first(image((1, 4, 8, 8))), 4, True, 8),
        (lambda: depthwise(image(), 3), 4, False, 12),
        (lambda: dense(image((None, 4)), 5), 2, False, 5),
        (lambda: dense(image((None, 4)), 5), 4, False, None),
        (image, 4, False, 4),
        (image, 2, False, None),
        (lambda: image((2, 3, 8, 8)), 4, True, 3),
        (lambda: image((None, 8, 8, None)), 4, False, None),
        (lambda: image(None), 4, False, None),
        (lambda: tf.nn.max_pool2d(tf.nn.relu(conv(image())), 2, 2, "SAME"), 4, False, 8),
        (lambda: tf.reduce_sum(image(), axis=3, keepdims=True), 4, False, None),
        (lambda: tf.split(image(), 2, axis=3)[1], 4, False, None),
    ],
)
def test_channels_of(net, rank, first, wanted):
    graph = Graph(build(lambda: tf.nn.relu(net(), name="out")))
    assert channels_of(graph, "out", rank, first) == wanted


def test_the_search_is_not_endless():
    def net():
        x = image()
        for _ in range(30):
            x = tf.nn.relu(x)
        tf.identity(x, name="out")

    assert channels_of(Graph(build(net)), "out", 4) is None
