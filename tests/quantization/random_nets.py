"""Small networks of supported ops, by their plan."""

from __future__ import annotations

import tensorflow as tf

from tests.quantization.builders import bias, conv, dense, depthwise, image, norm, random

LAYERS = (
    "conv",
    "depthwise",
    "norm",
    "bias",
    "relu",
    "relu6",
    "identity",
    "scale",
    "pool",
    "residual",
    "addition",
    "bottleneck",
    "concat",
    "pad",
    "pieces",
    "mean",
    "branches",
    "move",
    "activation",
)


def network(plan, signed, head):
    """Build the network of a plan: (layer, choice) pairs."""
    x = image()
    x = x if signed else tf.nn.relu(x)
    for number, (layer, choice) in enumerate(plan):
        x = _LAYERS[layer](x, "%s%d" % (layer, number), choice)
    if head:
        x = bias(dense(tf.reduce_mean(x, [1, 2]), 5, transpose=plan[0][1] % 2 == 1, name="head"), "head/bias")
    tf.identity(x, name="out")


def _conv(x, name, choice):
    return conv(
        x, 4 + choice % 3, kernel=(1, 3)[choice % 2], strides=1 + choice // 6, dilation=1 + (choice == 3), name=name
    )


def _residual(x, name, choice):
    channels = int(x.shape[-1])
    y = tf.nn.relu(bias(conv(x, 6, kernel=1, name=name + "/a"), name + "/a/bias"))
    y = bias(conv(y, channels, name=name + "/b"), name + "/b/bias")
    if choice % 2:
        x = bias(conv(x, channels, kernel=1, name=name + "/c"), name + "/c/bias")
    pair = (x, y) if choice // 2 % 2 else (y, x)
    return tf.nn.relu(tf.raw_ops.Add(x=pair[0], y=pair[1]) if choice < 4 else tf.raw_ops.AddV2(x=pair[0], y=pair[1]))


def _addition(x, name, choice):
    """An inverted residual: what is added is signed, and nothing but the next layer cuts the sum off."""
    channels = int(x.shape[-1])
    y = tf.nn.relu6(bias(conv(x, 6, kernel=(1, 3)[choice % 2], name=name + "/a"), name + "/a/bias"))
    y = bias(conv(y, channels, kernel=1, name=name + "/b"), name + "/b/bias")
    if choice // 2 % 2:
        x = bias(conv(x, channels, kernel=1, name=name + "/c"), name + "/c/bias")
    return x + y if choice < 4 else y + x


def _bottleneck(x, name, choice):
    """A linear convolution, read by one or two that may pad."""
    x = bias(conv(x, 4 + choice % 2, kernel=3, name=name + "/a"), name + "/a/bias", random(name, (4 + choice % 2,)) - 1)
    x = tf.nn.max_pool2d(x, 2, 1, "SAME") if choice == 5 else x
    y = tf.nn.relu(bias(conv(x, 6, kernel=(1, 3)[choice // 2 % 2], name=name + "/b"), name + "/b/bias"))
    return tf.concat([y, x], 3) if choice > 5 else y


def _pieces(x, name, choice):
    """A batch norm of single ops."""
    shape = (int(x.shape[-1]),)
    gamma, beta, mean = (tf.constant(random(name + part, shape, 0.4)) for part in ("/gamma", "/beta", "/mean"))
    variance = tf.constant(abs(random(name + "/variance", shape)) + 0.3)
    scale = tf.math.rsqrt(variance + 0.001) * (1 + gamma)
    if choice % 2:
        return x * scale + (beta - mean * scale)
    return (x - mean) / tf.sqrt(variance + 0.001) * (1 + gamma) + beta


def _branches(x, name, choice):
    """Branches of different size, one of them through a pool."""
    small = tf.nn.relu(bias(conv(x, 4, kernel=1, name=name + "/a"), name + "/a/bias") * 0.1)
    large = tf.nn.relu(bias(conv(x, 4, name=name + "/b"), name + "/b/bias"))
    pooled = tf.nn.avg_pool2d(large, 3, 1, "SAME") if choice % 2 else tf.nn.max_pool2d(large, 3, 1, "SAME")
    return tf.concat([small, large, pooled][: 2 + choice // 4], axis=3)


def _move(x, name, choice):
    height, width, channels = (int(size) for size in x.shape[1:])
    even = height % 2 == width % 2 == 0
    if choice == 0 or min(height, width) < 4:
        return tf.transpose(x, [0, 2, 1, 3])
    if choice == 1 and even:
        return tf.nn.space_to_depth(x, 2)
    if choice == 2 and channels % 4 == 0:
        return tf.nn.depth_to_space(x, 2)
    if choice == 3:
        return tf.compat.v1.image.resize_nearest_neighbor(x, [height + 1, width + 1])
    if choice == 4 and even:
        return tf.batch_to_space(tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]) * 0.9, [2, 2], [[0, 0], [0, 0]])
    return x[:, 1:, :-1, :] if choice % 2 else tf.slice(x, [0, 0, 0, 0], [-1, height - 1, width - 1, -1])


_ACTIVATIONS = (tf.nn.elu, tf.sigmoid, tf.nn.leaky_relu, tf.nn.swish, tf.tanh, tf.nn.softplus, tf.nn.selu, tf.abs)

_LAYERS = {
    "conv": _conv,
    "depthwise": lambda x, name, choice: depthwise(x, 1 + choice % 2, name=name),
    "norm": lambda x, name, choice: norm(x, name),
    "bias": lambda x, name, choice: bias(x, name),
    "relu": lambda x, name, choice: tf.nn.relu(x),
    "relu6": lambda x, name, choice: tf.nn.relu6(x),
    "identity": lambda x, name, choice: tf.identity(x),
    "scale": lambda x, name, choice: x * tf.constant(0.5 + choice / 4.0),
    "pool": lambda x, name, choice: tf.nn.max_pool2d(x, 2, 1, "SAME"),
    "residual": _residual,
    "addition": _addition,
    "bottleneck": _bottleneck,
    "concat": lambda x, name, choice: tf.concat([x, tf.nn.relu(x)], axis=3) if int(x.shape[-1]) < 16 else x,
    "pieces": _pieces,
    "mean": lambda x, name, choice: tf.nn.avg_pool2d(x, 2, 1 + choice % 2, "SAME"),
    "branches": _branches,
    "move": _move,
    "activation": lambda x, name, choice: _ACTIVATIONS[choice](x),
    "pad": lambda x, name, choice: conv(
        tf.pad(x, [[0, 0], [choice % 3, 1], [1, choice % 2], [0, 0]]), 4, padding="VALID", name=name
    ),
}
