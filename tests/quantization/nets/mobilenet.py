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


def mobilenet_v1_slim(layers, size=224, classes=1001, width=1.0, op="pieces"):
    """``input`` -> ``MobilenetV1/Predictions/Reshape_1``; padding SAME throughout, batch norm in pieces."""
    x = v1.placeholder(tf.float32, (None, size, size, 3), "input")
    x = slim_features(layers, x, "MobilenetV1/MobilenetV1", width, op)[-1]
    x = tf.nn.avg_pool2d(x, int(x.shape[1]), 1, "VALID", name="MobilenetV1/Logits/AvgPool_1a/AvgPool")
    x = tf.identity(x, name="MobilenetV1/Logits/Dropout_1b/Identity")
    name = "MobilenetV1/Logits/Conv2d_1c_1x1"
    x = layers.bias(layers.conv(x, classes, 1, name=name, gain=1.0), name)
    x = tf.squeeze(x, [1, 2], name="MobilenetV1/Logits/SpatialSqueeze")
    name = "MobilenetV1/Predictions/"
    x = tf.nn.softmax(tf.reshape(x, [-1, classes], name=name + "Reshape"), name=name + "Softmax")
    tf.reshape(x, [-1, classes], name=name + "Reshape_1")


def slim_features(layers, x, root, width=1.0, op="FusedBatchNormV3"):
    """The 13 separable convolutions behind a full one.

    Args:
        width: factor on all the numbers of filters, which are at least 8.

    Returns:
        The output of each layer.
    """

    def filters(count):
        return max(int(count * width), 8)

    x = layers.conv_norm(x, filters(32), 3, 2, "SAME", root + "/Conv2d_0", tf.nn.relu6, op=op)
    result = [x]
    for number, (count, strides) in enumerate(SEPARABLE, 1):
        name = "%s/Conv2d_%d_" % (root, number)
        y = layers.depthwise(x, 3, strides, name=name + "depthwise")
        y = layers.norm(y, name + "depthwise/BatchNorm", op=op)
        x = tf.nn.relu6(y, name=name + "depthwise/Relu6")
        x = layers.conv_norm(x, filters(count), 1, name=name + "pointwise", activation=tf.nn.relu6, op=op)
        result.append(x)
    return result
