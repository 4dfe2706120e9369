"""Layers of networks with random weights, and freezing them with batch norm statistics of their own.

Weights are He-initialised and depend on the layer's name and shape only, so a network is the same each time.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.quantization.builders import random

v1 = tf.compat.v1


class Layers:
    """Builds layers into the default graph.

    Args:
        statistics: (mean, variance) of each batch norm by name; None to normalise with those of the batch that runs,
            which ``moments`` then gives as tensors.
    """

    def __init__(self, statistics=None) -> None:
        self._statistics = statistics
        self.moments: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}

    def conv(self, x, filters, kernel, strides=1, padding="SAME", name="conv", dilation=1, gain=2.0):
        """Conv2D without a bias; ``kernel`` is an int or (height, width), ``gain`` is 2 ahead of a ReLU, else 1."""
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        shape = (height, width, int(x.shape[-1]), filters)
        weights = random(name + "/weights", shape, np.sqrt(gain / np.prod(shape[:3])))
        return v1.nn.conv2d(
            x,
            tf.constant(weights, name=name + "/weights"),
            strides=[1, strides, strides, 1],
            padding=padding,
            dilations=[1, dilation, dilation, 1],
            name=name + "/Conv2D",
        )

    def depthwise(self, x, kernel=3, strides=1, padding="SAME", name="depthwise"):
        """DepthwiseConv2dNative without a bias, one filter a channel."""
        weights = random(name + "/weights", (kernel, kernel, int(x.shape[-1]), 1), np.sqrt(2.0) / kernel)
        return v1.nn.depthwise_conv2d_native(
            x,
            tf.constant(weights, name=name + "/weights"),
            [1, strides, strides, 1],
            padding,
            name=name + "/depthwise",
        )

    def dense(self, x, units, name="dense"):
        """MatMul and BiasAdd."""
        weights = random(name + "/weights", (int(x.shape[-1]), units), np.sqrt(1.0 / int(x.shape[-1])))
        y = tf.linalg.matmul(x, tf.constant(weights, name=name + "/weights"), name=name + "/MatMul")
        return self.bias(y, name)

    def bias(self, x, name):
        """BiasAdd of small values."""
        values = random(name + "/bias", (int(x.shape[-1]),), 0.1)
        return tf.nn.bias_add(x, tf.constant(values, name=name + "/bias"), name=name + "/BiasAdd")

    def norm(self, x, name, epsilon=1e-3, op="FusedBatchNormV3"):
        """Batch norm, unfused from its convolution, with the scale 1 and the offset 0 of a new network."""
        channels = int(x.shape[-1])
        scale = tf.constant(np.ones(channels, np.float32), name=name + "/gamma")
        offset = tf.constant(np.zeros(channels, np.float32), name=name + "/beta")
        training = self._statistics is None
        empty = np.zeros(0, np.float32)
        mean, variance = (empty, empty) if training else self._statistics[name]
        y, batch_mean, batch_variance = getattr(tf.raw_ops, op)(
            x=x,
            scale=scale,
            offset=offset,
            mean=tf.constant(mean, name=name + "/moving_mean"),
            variance=tf.constant(variance, name=name + "/moving_variance"),
            epsilon=epsilon,
            is_training=training,
            name=name + "/" + op,
        )[:3]
        self.moments[name] = (batch_mean, batch_variance)
        return y

    def conv_norm(self, x, filters, kernel, strides=1, padding="SAME", name="conv", activation=tf.nn.relu):
        """Convolution, batch norm and an activation, or None."""
        gain = 1.0 if activation is None else 2.0
        y = self.norm(self.conv(x, filters, kernel, strides, padding, name, gain=gain), name + "/BatchNorm")
        return y if activation is None else activation(y, name=name + "/activation")

    @staticmethod
    def pad(x, before, after, name):
        """Zeros around an image."""
        return tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]], name=name)


def freeze(network, feed):
    """The frozen graph of a network.

    Args:
        network: builds it with the Layers that it is given.
        feed: the batch that gives the statistics; tensor name -> array.

    Returns:
        A GraphDef.
    """
    measuring = Layers()
    with tf.Graph().as_default(), v1.Session() as session:
        network(measuring)
        statistics = session.run(measuring.moments, feed) if measuring.moments else {}
    with tf.Graph().as_default() as graph:
        network(Layers(statistics))
    return graph.as_graph_def()


def pictures(count, size, seed, low=-1.0, high=1.0):
    """Random images float32 [count, size, size, 3] within ``low``..``high``: noise of several grain sizes.

    As in photos; white noise would be the same to a network in every image.
    """
    generator = np.random.RandomState(seed)
    result = np.zeros((count, size, size, 3))
    for grain in (2, 4, 16, 64):
        coarse = generator.uniform(-1, 1, (count, grain, grain, 3)) * generator.uniform(0.2, 1, (count, 1, 1, 3))
        rows = np.linspace(0, grain - 1, size)
        first = np.minimum(rows.astype(int), grain - 2)
        part = (rows - first)[:, None, None]
        tall = coarse[:, first] * (1 - part) + coarse[:, first + 1] * part
        part = (rows - first)[:, None]
        result += tall[:, :, first] * (1 - part) + tall[:, :, first + 1] * part
    result += generator.uniform(-0.2, 0.2, result.shape)
    largest = np.abs(result).max(axis=(1, 2, 3), keepdims=True)
    return ((result / largest + 1) / 2 * (high - low) + low).astype(np.float32)
