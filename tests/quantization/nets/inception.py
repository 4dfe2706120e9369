"""Inception v3 (Szegedy et al. 2015), in the form of TF-slim."""

from __future__ import annotations

import tensorflow as tf

v1 = tf.compat.v1
_ROOT = "InceptionV3/InceptionV3/"


def inception_v3(layers, size=299, classes=1001, width=1.0):
    """``input`` -> ``predict``; 95 Conv2D, of which the last has a bias and is the classifier.

    Args:
        width: factor on all the numbers of filters.
    """

    def conv(x, filters, kernel, name, strides=1, padding="SAME"):
        return layers.conv_norm(x, max(int(filters * width), 4), kernel, strides, padding, _ROOT + name)

    x = v1.placeholder(tf.float32, (None, size, size, 3), "input")
    x = conv(x, 32, 3, "Conv2d_1a_3x3", 2, "VALID")
    x = conv(x, 32, 3, "Conv2d_2a_3x3", 1, "VALID")
    x = conv(x, 64, 3, "Conv2d_2b_3x3")
    x = _max_pool(x, "MaxPool_3a_3x3")
    x = conv(x, 80, 1, "Conv2d_3b_1x1", 1, "VALID")
    x = conv(x, 192, 3, "Conv2d_4a_3x3", 1, "VALID")
    x = _max_pool(x, "MaxPool_5a_3x3")
    for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _mixed_5(conv, x, pooled, name)
    x = _mixed_6a(conv, x)
    for name, inner in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = _mixed_6(conv, x, inner, name)
    x = _mixed_7a(conv, x)
    for name in ("Mixed_7b", "Mixed_7c"):
        x = _mixed_7(conv, x, name)
    x = tf.nn.avg_pool2d(x, int(x.shape[1]), 1, "VALID", name="InceptionV3/Logits/AvgPool_1a_8x8/AvgPool")
    name = "InceptionV3/Logits/Conv2d_1c_1x1"
    x = layers.bias(layers.conv(x, classes, 1, name=name, gain=1.0), name)
    x = tf.squeeze(x, [1, 2], name="InceptionV3/Logits/SpatialSqueeze")
    x = tf.nn.softmax(tf.reshape(x, [-1, classes]), name="InceptionV3/Predictions/Softmax")
    tf.reshape(x, [-1, classes], name="predict")


def _max_pool(x, name):
    return tf.nn.max_pool2d(x, 3, 2, "VALID", name=_ROOT + name + "/MaxPool")


def _pooled(conv, x, filters, name):
    y = tf.nn.avg_pool2d(x, 3, 1, "SAME", name=_ROOT + name + "/Branch_3/AvgPool_0a_3x3/AvgPool")
    return conv(y, filters, 1, name + "/Branch_3/Conv2d_0b_1x1")


def _concat(parts, name):
    return tf.concat(parts, 3, name=_ROOT + name + "/concat")


def _chain(conv, x, name, *steps):
    """Convolutions one after the other: (filters, kernel) each."""
    for letter, (filters, kernel) in zip("abcdef", steps):
        height, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        x = conv(x, filters, kernel, "%s/Conv2d_0%s_%dx%d" % (name, letter, height, wide))
    return x


def _mixed_5(conv, x, pooled, name):
    return _concat(
        [
            _chain(conv, x, name + "/Branch_0", (64, 1)),
            _chain(conv, x, name + "/Branch_1", (48, 1), (64, 5)),
            _chain(conv, x, name + "/Branch_2", (64, 1), (96, 3), (96, 3)),
            _pooled(conv, x, pooled, name),
        ],
        name,
    )


def _mixed_6a(conv, x):
    name = "Mixed_6a"
    y = _chain(conv, x, name + "/Branch_1", (64, 1), (96, 3))
    return _concat(
        [
            conv(x, 384, 3, name + "/Branch_0/Conv2d_1a_1x1", 2, "VALID"),
            conv(y, 96, 3, name + "/Branch_1/Conv2d_1a_1x1", 2, "VALID"),
            _max_pool(x, name + "/Branch_2/MaxPool_1a_3x3"),
        ],
        name,
    )


def _mixed_6(conv, x, inner, name):
    tall, wide = (7, 1), (1, 7)
    branch_2 = ((inner, 1), (inner, tall), (inner, wide), (inner, tall), (192, wide))
    return _concat(
        [
            _chain(conv, x, name + "/Branch_0", (192, 1)),
            _chain(conv, x, name + "/Branch_1", (inner, 1), (inner, wide), (192, tall)),
            _chain(conv, x, name + "/Branch_2", *branch_2),
            _pooled(conv, x, 192, name),
        ],
        name,
    )


def _mixed_7a(conv, x):
    name = "Mixed_7a"
    y = _chain(conv, x, name + "/Branch_0", (192, 1))
    z = _chain(conv, x, name + "/Branch_1", (192, 1), (192, (1, 7)), (192, (7, 1)))
    return _concat(
        [
            conv(y, 320, 3, name + "/Branch_0/Conv2d_1a_3x3", 2, "VALID"),
            conv(z, 192, 3, name + "/Branch_1/Conv2d_1a_3x3", 2, "VALID"),
            _max_pool(x, name + "/Branch_2/MaxPool_1a_3x3"),
        ],
        name,
    )


def _mixed_7(conv, x, name):
    branches = [_chain(conv, x, name + "/Branch_0", (320, 1))]
    for number, steps in ((1, ((384, 1),)), (2, ((448, 1), (384, 3)))):
        branch = "%s/Branch_%d" % (name, number)
        y = _chain(conv, x, branch, *steps)
        parts = [conv(y, 384, kernel, "%s/Conv2d_0x_%dx%d" % (branch, *kernel)) for kernel in ((1, 3), (3, 1))]
        branches.append(_concat(parts, branch))
    return _concat([*branches, _pooled(conv, x, 192, name)], name)
