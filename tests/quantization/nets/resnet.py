"""ResNet for classification (He et al. 2015), in two of the forms that its frozen graphs have."""

from __future__ import annotations

import tensorflow as tf

v1 = tf.compat.v1
BLOCKS_50 = (3, 4, 6, 3)


def resnet50(layers, size=224, classes=1000, blocks=BLOCKS_50, base=64):
    """``input`` -> ``predict``; as in Keras: Pads ahead of the first convolution and the max pool, the stride of a
    stage in its first 1x1 convolutions. Without biases ahead of the batch norms. 53 Conv2D with four stages of 50."""
    x = v1.placeholder(tf.float32, (None, size, size, 3), "input")
    x = layers.conv_norm(layers.pad(x, 3, 3, "conv1_pad"), base, 7, 2, "VALID", "conv1")
    x = tf.nn.max_pool2d(layers.pad(x, 1, 1, "pool1_pad"), 3, 2, "VALID", name="pool1")
    for stage, count in enumerate(blocks):
        for block in range(count):
            name = "conv%d_block%d" % (stage + 2, block + 1)
            x = _bottleneck(layers, x, base << stage, 2 if stage and block == 0 else 1, block == 0, name)
    x = tf.reduce_mean(x, [1, 2], name="avg_pool")
    tf.nn.softmax(layers.dense(x, classes, "predictions"), name="predict")


def _bottleneck(layers, x, filters, strides, project, name):
    y = layers.conv_norm(x, filters, 1, strides, name=name + "_1")
    y = layers.conv_norm(y, filters, 3, name=name + "_2")
    y = layers.conv_norm(y, 4 * filters, 1, name=name + "_3", activation=None)
    if project:
        x = layers.conv_norm(x, 4 * filters, 1, strides, name=name + "_0", activation=None)
    return tf.nn.relu(tf.raw_ops.AddV2(x=x, y=y, name=name + "_add"), name=name + "_out")


def resnet50_v1_5(layers, size=224, classes=1001, blocks=BLOCKS_50, base=64):
    """``input_tensor`` -> ``softmax_tensor`` and ``ArgMax``; as in TensorFlow's official models: the stride in the 3x3
    convolution, with a Pad ahead of each strided convolution, projection first."""
    x = v1.placeholder(tf.float32, (None, size, size, 3), "input_tensor")
    x = _fixed_padding(layers, x, base, 7, 2, "resnet_model/conv2d")
    x = tf.nn.relu(layers.norm(x, "resnet_model/batch_normalization", 1e-5), name="resnet_model/Relu")
    x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="resnet_model/max_pooling2d/MaxPool")
    for stage, count in enumerate(blocks):
        for block in range(count):
            name = "resnet_model/block_layer%d/%d" % (stage + 1, block)
            x = _official_bottleneck(layers, x, base << stage, 2 if stage and block == 0 else 1, block == 0, name)
    x = tf.identity(tf.reduce_mean(x, [1, 2], keepdims=True, name="resnet_model/Mean"), name="resnet_model/final_pool")
    x = layers.dense(tf.squeeze(x, [1, 2], name="resnet_model/Squeeze"), classes, "resnet_model/dense")
    tf.argmax(x, axis=1, name="ArgMax")
    tf.nn.softmax(x, name="softmax_tensor")


def _official_bottleneck(layers, x, filters, strides, project, name):
    shortcut = x
    if project:
        shortcut = _fixed_padding(layers, x, 4 * filters, 1, strides, name + "/projection")
        shortcut = layers.norm(shortcut, name + "/projection/norm", 1e-5)
    for number, (width, kernel, step) in enumerate(((filters, 1, 1), (filters, 3, strides), (4 * filters, 1, 1))):
        part = "%s/conv%d" % (name, number)
        x = layers.norm(_fixed_padding(layers, x, width, kernel, step, part), part + "/norm", 1e-5)
        x = tf.nn.relu(x, name=part + "/Relu") if number < 2 else tf.raw_ops.Add(x=x, y=shortcut, name=name + "/add")
    return tf.nn.relu(x, name=name + "/Relu")


def _fixed_padding(layers, x, filters, kernel, strides, name):
    if strides == 1:
        return layers.conv(x, filters, kernel, name=name)
    x = layers.pad(x, (kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2, name + "/Pad")  # of nothing for 1x1
    return layers.conv(x, filters, kernel, strides, "VALID", name)
