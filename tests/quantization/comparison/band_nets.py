"""Small networks for pictures whose bright band tells their class, with outputs of every kind.

All have the same two convolutions; what stands behind them reads the bands' brightness. They take pixels in -1..1.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.quantization.builders import build, conv_block

v1 = tf.compat.v1

BANDS = 16
SIZE = 32
_STEP = SIZE // BANDS
_DARK, _BRIGHT = 0.0, 0.6  # behind the convolutions, pixels of a dark and of a bright band


def pictures(count, seed=0):
    """(uint8 [count, 32, 32, 1], labels): the band of each is bright, and all others are dark."""
    rng = np.random.RandomState(seed)
    labels = rng.permutation(count) % BANDS
    pixels = rng.randint(20, 60, (count, SIZE, SIZE, 1)).astype(np.uint8)
    for picture, label in zip(pixels, labels):
        picture[label * _STEP : (label + 1) * _STEP] += 180
    return pixels, labels


def net(kind):
    """(GraphDef, names of its outputs) of a network with such an output; its input is ``images``."""

    def make():
        x = v1.placeholder(tf.float32, (None, SIZE, SIZE, 1), "images")
        y = conv_block(x, "first", "relu6", filters=8, kernel=1, weights=np.ones((1, 1, 1, 8), np.float32))
        y = conv_block(y, "second", "relu6", filters=8, kernel=3, weights=_smooth(), padding="SAME")
        _HEADS[kind](y)

    return build(make), [f"{name}:0" for name in _OUTPUTS.get(kind, ("out",))]


def _smooth():
    """Each channel averaged along the rows."""
    weights = np.zeros((3, 3, 8, 8), np.float32)
    weights[1] = np.eye(8) / 3
    return weights


def _bands(y):
    """Mean brightness of each band: [N, BANDS]."""
    return tf.reduce_mean(tf.reshape(y, (-1, BANDS, _STEP * SIZE * 8)), axis=2)


def _contrast(values):
    return 20.0 * (values - (_DARK + _BRIGHT) / 2)


def _scores(y):
    tf.nn.softmax(_contrast(_bands(y)), name="out")


def _class_map(y):
    bright = _contrast(tf.reduce_mean(y, axis=3))
    tf.nn.softmax(tf.stack([-bright, bright], axis=3), name="out")


def _sequences(y):
    there = tf.sigmoid(_contrast(_bands(y)))[:, :, tf.newaxis]
    symbols = tf.eye(BANDS)[tf.newaxis]
    tf.concat([1 - there, there * symbols], axis=2, name="out")


def _detections(y):
    top = np.arange(BANDS, dtype=np.float32) / BANDS
    boxes = np.stack([top, top * 0, top + 1 / BANDS, top * 0 + 1], axis=1)
    scores, order = tf.nn.top_k(tf.sigmoid(_contrast(_bands(y))), BANDS)
    tf.identity(scores, name="detection_scores")
    tf.gather(boxes, order, name="detection_boxes")
    tf.cast(order + 1, tf.float32, name="detection_classes")
    tf.fill([tf.shape(y)[0]], float(BANDS), name="num_detections")


def _embedding(y):
    tf.nn.l2_normalize(_bands(y), axis=1, name="out")


def _values(y):
    """Where the brightness lies: its mean row and column."""
    weights = np.stack([np.arange(BANDS), np.arange(BANDS)[::-1] * 2], axis=1).astype(np.float32)
    tf.matmul(_bands(y), tf.constant(weights), name="out")


_HEADS = {
    "scores": _scores,
    "class_map": _class_map,
    "sequences": _sequences,
    "detections": _detections,
    "embedding": _embedding,
    "values": _values,
}
_OUTPUTS = {"detections": ("detection_boxes", "detection_scores", "detection_classes", "num_detections")}
KINDS = tuple(_HEADS)
