"""A graph that normalises what it is given is recognised by what it does."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.choosing.own_normalisation import own_map, wanted_mode
from intel_quantization.graph.graph import Graph

tf1 = tf.compat.v1

MEAN = np.array([123.68, 116.78, 103.94], np.float32)
TORCH_MEAN, TORCH_STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def keras_rescaling(x):
    return x * tf.constant(1 / 127.5) + tf.constant(-1.0)


def detection_zoo(x):
    return tf.constant(0.007843137718737125) * tf.image.resize(x, [8, 8]) - tf.constant(1.0)


def batch_norm(x):
    one = np.ones(3, np.float32)
    return tf1.nn.fused_batch_norm(x, one, 0 * one, MEAN, 3364 * one, epsilon=1e-3, is_training=False)[0]


def flipped(x):
    return tf.concat(tf.split(x, 3, -1)[::-1], -1)


@pytest.mark.parametrize(
    ("function", "mode"),
    [
        (lambda x: x / tf.constant(127.5) - 1.0, "none"),
        (lambda x: (x - 127.0) / 128.0, "none"),
        (lambda x: (x - tf.constant(MEAN)) / 58.0, "none"),
        (lambda x: x - tf.constant(MEAN), "none"),
        (lambda x: tf.constant(1 / 256.0) * x, "none"),
        (lambda x: (x / 255.0 - TORCH_MEAN) / TORCH_STD, "none"),
        (keras_rescaling, "none"),
        (detection_zoo, "none"),
        (batch_norm, "none"),
        (lambda x: x * 2.0 - 1.0, "unit"),
        (lambda x: (x - 0.5) * 2.0, "unit"),
        (lambda x: (x - TORCH_MEAN) / TORCH_STD, "unit"),
        (lambda x: x * 255.0, "unit"),
        (lambda x: (x + 1.0) * 127.5 - tf.constant(MEAN), "tf"),
        (lambda x: -x, None),
        (lambda x: x, None),
        (lambda x: x * 1.0, None),
        (flipped, None),
        (tf.nn.relu, None),
        (lambda x: tf.constant(np.float32(0.9)) * x + np.float32(0.05), None),
        (lambda x: x * tf.constant(np.random.RandomState(0).normal(0, 1, (8, 8, 3)).astype(np.float32)), None),
    ],
)
def test_what_a_graph_wants(function, mode):
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        kernel = tf.constant(np.ones((3, 3, 3, 4), np.float32))
        tf1.nn.conv2d(function(tf.identity(x)), kernel, [1, 1, 1, 1], "SAME", name="y")
    found = own_map(Graph(graph.as_graph_def(), ["y"]), "x", 3)
    assert (None if found is None else wanted_mode(found)) == mode


def test_an_input_that_is_read_twice_is_not_followed():
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        tf.add(x / 255.0, x * 2.0, name="y")
    assert own_map(Graph(graph.as_graph_def(), ["y"]), "x", 3) is None
