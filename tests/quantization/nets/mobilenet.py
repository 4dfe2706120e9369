"""MobileNet v1 (Howard et al. 2017), in the forms of Keras and of TF-slim."""

from __future__ import annotations

import tensorflow as tf

v1 = tf.compat.v1
# filters and strides of the 13 separable convolutions
SEPARABLE = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip


def mobilenet_v1_keras(layers, size=224, classes=1000):
    """``input`` -> ``predict``; Pads ahead of the strided convolutions, Relu6, a 1x1 convolution with bias at the end.
    15 Conv2D, 13 depthwise."""
    x = v1.placeholder(tf.float32, (None, size, size, 3), "input")
    x = layers.conv_norm(layers.pad(x, 0, 1, "conv1_pad"), 32, 3, 2, "VALID", "conv1", tf.nn.relu6)
    for number, (filters, strides) in enumerate(SEPARABLE, 1):
        name = "conv_dw_%d" % number
        if strides == 2:
            y = layers.depthwise(layers.pad(x, 0, 1, "conv_pad_%d" % number), 3, 2, "VALID", name)
        else:
            y = layers.depthwise(x, name=name)
        x = tf.nn.relu6(layers.norm(y, name + "_bn"), name=name + "_relu")
        x = layers.conv_norm(x, filters, 1, name="conv_pw_%d" % number, activation=tf.nn.relu6)
    x = tf.reduce_mean(x, [1, 2], keepdims=True, name="global_average_pooling2d")
    x = layers.bias(layers.conv(x, classes, 1, name="conv_preds", gain=1.0), "conv_preds")
    tf.nn.softmax(tf.reshape(x, [-1, classes], name="reshape_2"), name="predict")
