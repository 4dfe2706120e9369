"""Layers of networks with random weights, and freezing them with batch norm statistics of their own.

Weights are He-initialised and depend on the layer's name and shape only, so a network is the same each time.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.quantization.builders import old_control_flow, random

v1 = tf.compat.v1


class Layers:
    """Builds layers into the default graph.

    Args:
        statistics: (mean, variance) of each batch norm by name; None to normalise with those of the batch that runs,
            which ``moments`` then gives as tensors.
        folded: ``conv_norm`` folds the batch norm into its convolution, which gets a BiasAdd, as in published graphs
            that went through a graph transform.
        channels_first: images are NCHW, not NHWC.
    """

    def __init__(self, statistics=None, folded=False, channels_first=False) -> None:
        self._statistics = statistics
        self._folded = folded and statistics is not None
        self.channels_first = channels_first
        self._format = "NCHW" if channels_first else "NHWC"
        self.moments: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}

    def channels(self, x):
        """How many there are."""
        return int(x.shape[1 if self._format == "NCHW" else -1])

    def conv(self, x, filters, kernel, strides=1, padding="SAME", name="conv", dilation=1, gain=2.0, factors=None):
        """Conv2D without a bias; ``kernel`` is an int or (height, width), ``gain`` is 2 ahead of a ReLU, else 1.

        Args:
            factors: float32 [filters] for the weights, or None.
        """
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        shape = (height, width, self.channels(x), filters)
        weights = random(name + "/weights", shape, np.sqrt(gain / np.prod(shape[:3])))
        return v1.nn.conv2d(
            x,
            tf.constant(weights if factors is None else weights * factors, name=name + "/weights"),
            strides=self._spatial(strides),
            padding=padding,
            dilations=self._spatial(dilation),
            data_format=self._format,
            name=name + "/Conv2D",
        )

    def _spatial(self, step):
        return [1, 1, step, step] if self._format == "NCHW" else [1, step, step, 1]

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
        return tf.nn.bias_add(y, tf.constant(random(name + "/bias", (units,), 0.1)), name=name + "/BiasAdd")

    def bias(self, x, name, values=None):
        """BiasAdd of small values."""
        values = random(name + "/bias", (self.channels(x),), 0.1) if values is None else values
        return tf.nn.bias_add(x, tf.constant(values, name=name + "/bias"), self._format, name=name + "/BiasAdd")

    def norm(self, x, name, epsilon=1e-3, op="FusedBatchNormV3"):
        """Batch norm, unfused from its convolution, with the scale 1 and the offset 0 of a new network.

        Args:
            op: a fused batch norm, or "pieces" for the Rsqrt, Mul, Sub and Add of old graphs.
        """
        if op == "pieces":
            return self._norm_in_pieces(x, name, epsilon)
        channels = self.channels(x)
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
            data_format=self._format,
            is_training=training,
            name=name + "/" + op,
        )[:3]
        self.moments[name] = (batch_mean, batch_variance)
        return y

    def _norm_in_pieces(self, x, name, epsilon):
        if self._statistics is None:
            self.moments[name] = mean, variance = tf.nn.moments(x, [0, 1, 2])
        else:
            mean, variance = (tf.constant(value, name=name + "/moving") for value in self._statistics[name])
        channels = int(x.shape[-1])
        gamma = tf.constant(np.ones(channels, np.float32), name=name + "/gamma")
        beta = tf.constant(np.zeros(channels, np.float32), name=name + "/beta")
        factor = tf.math.rsqrt(tf.add(variance, epsilon, name=name + "/add"), name=name + "/Rsqrt")
        factor = tf.multiply(factor, gamma, name=name + "/mul")
        scaled = tf.multiply(x, factor, name=name + "/mul_1")
        shift = tf.subtract(beta, tf.multiply(mean, factor, name=name + "/mul_2"), name=name + "/sub")
        return tf.add(scaled, shift, name=name + "/add_1")

    def conv_norm(
        self,
        x,
        filters,
        kernel,
        strides=1,
        padding="SAME",
        name="conv",
        activation=tf.nn.relu,
        dilation=1,
        epsilon=1e-3,
        op="FusedBatchNormV3",
    ):
        """Convolution, batch norm and an activation, or None."""
        gain = 1.0 if activation is None else 2.0
        norm = name + "/BatchNorm"
        if self._folded:
            mean, variance = self._statistics[norm]
            factors = 1 / np.sqrt(variance + epsilon)
            y = self.conv(x, filters, kernel, strides, padding, name, dilation, gain, factors)
            y = self.bias(y, name, -mean * factors)
        else:
            y = self.conv(x, filters, kernel, strides, padding, name, dilation, gain)
            y = self.norm(y, norm, epsilon, op)
        return y if activation is None else activation(y, name=name + "/activation")

    def pad(self, x, before, after, name):
        """Zeros around an image."""
        sides = [[before, after], [before, after]]
        paddings = [[0, 0], [0, 0], *sides] if self._format == "NCHW" else [[0, 0], *sides, [0, 0]]
        return tf.pad(x, paddings, name=name)


def freeze(network, feed, **options):
    """The frozen graph of a network.

    Args:
        network: builds it with the Layers that it is given.
        feed: the batch that gives the statistics; tensor name -> array.
        options: of Layers.

    Returns:
        A GraphDef, with loops and branches as frozen graphs have them.
    """
    # in NHWC: TensorFlow before 2.16 confuses max pools of one size in both formats (tensorflow issue 61482)
    measuring = Layers()
    with old_control_flow():
        with tf.Graph().as_default(), v1.Session() as session:
            network(measuring)
            statistics = session.run(measuring.moments, feed) if measuring.moments else {}
        with tf.Graph().as_default() as graph:
            network(Layers(statistics, **options))
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
