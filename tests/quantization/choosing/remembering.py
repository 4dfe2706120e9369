"""Small networks whose batch norms remember what they saw under one preprocessing, and pictures for them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intel_quantization.data import preprocess
from intel_quantization.data.feeds import Batch, as_input, layout_of
from intel_quantization.data.images import Image
from intel_quantization.reading.interface import find_inputs

tf1 = tf.compat.v1
SIZE = 36


def pictures(count: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Pictures like photos in what matters here: smooth, bright or dark, coloured; float32 [count, SIZE, SIZE, c]."""
    rng = np.random.RandomState(seed)
    coarse = rng.uniform(0, 255, (count, 6, 6, 1)) + rng.uniform(-60, 60, (count, 6, 6, channels))
    coarse = coarse * rng.uniform(0.5, 1, (count, 1, 1, 1)) + rng.uniform(-30, 30, (count, 1, 1, channels))
    coarse += np.array([15.0, 0.0, -15.0])[:channels]  # photos are warm
    fine = np.repeat(np.repeat(coarse, SIZE // 6, 1), SIZE // 6, 2) + rng.normal(0, 12, (count, SIZE, SIZE, channels))
    return np.clip(fine, 0, 255).astype(np.float32)


class Feed:
    """Pictures as a feed of an ImageFeed's kind."""

    def __init__(self, graph_def, mode, pixels: np.ndarray, labels=None) -> None:
        (tensor,) = find_inputs(graph_def)
        self._name, self._layout, self._mode = tensor.name, layout_of(tensor), mode
        self._pixels, self._labels = pixels, labels

    def batches(self):
        for start in range(0, len(self._pixels), 8):
            rows = range(start, min(start + 8, len(self._pixels)))
            images = tuple(Image(str(row), None if self._labels is None else int(self._labels[row])) for row in rows)
            yield Batch({self._name: as_input(self._pixels[list(rows)], self._layout, self._mode)}, images)


def network(mode: str, head: str, *, form: str = "fused", channels: int = 3, seed: int = 0, activation=tf.nn.relu):
    """A GraphDef of six convolutions that was "trained" under ``mode``, and its output's name.

    Args:
        mode: the preprocessing under which the batch norms saw 64 pictures.
        head: "classes" (softmax of 12), "landmarks" or "segmentation" (the best class of each pixel).
        form: of the batch norms: "fused", "pieces" (as TF-slim freezes them) or "folded" into weights and biases.
        channels: of the pictures.
        seed: of the weights.
        activation: behind each.
    """
    rng = np.random.RandomState(seed)
    seen = preprocess.apply(mode, pictures(64, 99, channels))
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, SIZE, SIZE, channels], name="images")
        y = x
        for number, width in enumerate((16, 24, 24, 32, 32, 32)):
            kernel = rng.normal(0, 1, (3, 3, y.shape[-1], width)) / np.sqrt(9 * int(y.shape[-1]))
            kernel += rng.normal(0, 0.6, (1, 1, y.shape[-1], width)) / (3 * np.sqrt(int(y.shape[-1])))
            gamma, beta = rng.uniform(0.6, 1.4, width), rng.normal(0.2, 0.4, width)
            linear = _convolution(y, kernel, number)
            with tf1.Session() as session:
                values = session.run(linear, {x: seen}).astype(np.float64)
            mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
            y = activation(_normalised(form, y, linear, kernel, (gamma, beta, mean, variance), number))
        _head(head, y, rng)
    return graph.as_graph_def(), "result:0"


def _convolution(y, kernel, number):
    stride = 2 if number in (1, 3) else 1
    weights = tf.constant(kernel.astype(np.float32))
    return tf1.nn.conv2d(y, weights, strides=[1, stride, stride, 1], padding="VALID", name=f"conv{number}")


def _normalised(form, y, linear, kernel, numbers, number):
    gamma, beta, mean, variance = (np.asarray(each, np.float32) for each in numbers)
    epsilon = 1e-3
    if form == "fused":
        arguments = {"epsilon": epsilon, "is_training": False, "name": f"norm{number}"}
        return tf1.nn.fused_batch_norm(linear, gamma, beta, mean, variance, **arguments)[0]
    if form == "pieces":
        parts = [tf.constant(each) for each in (mean, variance, beta, gamma)]
        return tf1.nn.batch_normalization(linear, *parts, epsilon, name=f"norm{number}")
    scale = gamma / np.sqrt(variance + epsilon)
    return tf1.nn.bias_add(_convolution(y, kernel * scale, f"{number}"), beta - mean * scale)


def _head(head: str, y, rng) -> None:
    width = int(y.shape[-1])
    if head == "segmentation":
        scores = tf1.nn.conv2d(y, rng.normal(0, 1, (1, 1, width, 5)).astype(np.float32), [1, 1, 1, 1], "SAME")
        tf.argmax(scores, -1, name="result")
        return
    pooled = tf.reduce_mean(y, [1, 2])
    dense = tf.matmul(pooled, tf.constant(rng.normal(0, 1, (width, 12)).astype(np.float32)))
    if head == "classes":
        tf.nn.softmax(4 * dense, name="result")
    else:
        tf.reshape(dense, [-1, 4, 3], name="result")
