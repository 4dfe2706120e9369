"""ResNet v1 in the form of TF-slim: the stride of a block in its last unit, shortcuts by a max pool of 1x1, explicit
Pads ahead of strided 3x3 convolutions. The object detection API builds its two-stage detectors upon it."""

from __future__ import annotations

import tensorflow as tf

v1 = tf.compat.v1
UNITS_50 = (3, 4, 6, 3)
UNITS_101 = (3, 4, 23, 3)


def resnet_v1_101(layers, size=224, classes=1000, base=64, units=UNITS_101):
    """``input`` -> ``resnet_v1_101/predictions/Reshape_1``; 104 Conv2D, the last one with a bias, + 1 a projection.

    Args:
        base: the filters of the first convolution, 64 in the real one.
    """
    root = "resnet_v1_101"
    x = v1.placeholder(tf.float32, (None, size, size, 3), "input")
    x = stem(layers, x, base, root)
    for number, count in enumerate(units):
        x = block(layers, x, base << number, count, 2 if number < 3 else 1, "%s/block%d" % (root, number + 1))
    x = tf.reduce_mean(x, [1, 2], keepdims=True, name=root + "/pool5")
    x = layers.bias(layers.conv(x, classes, 1, name=root + "/logits", gain=1.0), root + "/logits")
    x = tf.squeeze(x, [1, 2], name=root + "/SpatialSqueeze")
    x = tf.nn.softmax(tf.reshape(x, [-1, classes]), name=root + "/predictions/Softmax")
    tf.reshape(x, [-1, classes], name=root + "/predictions/Reshape_1")


def stem(layers, x, base, root):
    """The 7x7 convolution behind a Pad, and the max pool."""
    x = layers.pad(x, 3, 3, root + "/Pad")
    x = layers.conv_norm(x, base, 7, 2, "VALID", root + "/conv1", epsilon=1e-5)
    return tf.nn.max_pool2d(x, 3, 2, "SAME", name=root + "/pool1/MaxPool")


def block(layers, x, filters, units, strides, name, rate=1):
    """Bottleneck units, of which the last has the strides."""
    for number in range(units):
        unit = "%s/unit_%d/bottleneck_v1" % (name, number + 1)
        x = _unit(layers, x, filters, strides if number == units - 1 else 1, rate, unit)
    return x


def _unit(layers, x, filters, strides, rate, name):
    def conv(x, count, kernel, part, activation=tf.nn.relu, strides=1, padding="SAME"):
        dilation = rate if kernel > 1 else 1
        return layers.conv_norm(
            x, count, kernel, strides, padding, "%s/%s" % (name, part), activation, dilation, epsilon=1e-5
        )

    depth = 4 * filters
    if int(x.shape[-1]) == depth:
        shortcut = x if strides == 1 else tf.nn.max_pool2d(x, 1, strides, "VALID", name=name + "/shortcut/MaxPool")
    else:
        shortcut = conv(x, depth, 1, "shortcut", None, strides)
    y = conv(x, filters, 1, "conv1")
    if strides == 1:
        y = conv(y, filters, 3, "conv2")
    else:
        y = conv(layers.pad(y, 1, 1, name + "/Pad"), filters, 3, "conv2", tf.nn.relu, strides, "VALID")
    y = conv(y, depth, 1, "conv3", None)
    return tf.nn.relu(tf.raw_ops.Add(x=shortcut, y=y, name=name + "/add"), name=name + "/Relu")
