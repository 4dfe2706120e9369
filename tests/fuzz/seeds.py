"""What is damaged: small graphs of every kind that the reader knows, and small files of data, made by code."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from tests.quantization import builders
from tests.quantization.builders import v1

SHARED = os.environ.get("SHARED", os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared"))
REAL = ("kws_ref_model_frozen.pb", "resnet8_cifar10_mlperf_tiny.pb")


def _classifier():
    x = builders.conv_block(builders.image((None, 8, 8, 3)), "c1")
    x = tf.nn.max_pool2d(x, 2, 2, "SAME", name="pool")
    x = builders.activate(builders.bias(builders.depthwise(x), "d/bias"), "relu6", "d/out")
    x = tf.reduce_mean(x, [1, 2], name="mean")
    tf.nn.softmax(builders.bias(builders.dense(x, 5), "logits"), name="out")


def _residual():
    x = builders.conv_block(builders.image(), "a")
    y = builders.norm(builders.conv(x, name="b"), "b/norm")
    x = tf.nn.relu(x + y, name="sum")
    x = tf.concat([builders.conv_block(x, "left", kernel=1), builders.conv_block(x, "right")], 3, name="concat")
    tf.identity(x, name="out")


def _pieces():
    """Batch norms in pieces, paddings, dilations, a dropout's leftovers, constants to fold."""
    x = tf.pad(builders.image(), [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad")
    x = builders.conv(x, padding="VALID", name="c", dilation=2)
    scale = tf.math.rsqrt(tf.constant(np.abs(builders.random("v", (8,)))) + 0.001) * 1.5
    x = tf.nn.relu(x * scale + (0.5 - tf.constant(builders.random("m", (8,))) * scale))
    shape = tf.concat([tf.shape(x)[:1], tf.fill([1], tf.reduce_prod(tf.constant([4, 4, 8])))], 0)
    x = tf.reshape(x, shape)
    tf.nn.relu(builders.dense(tf.identity(x[:, :16]), 4, name="d"), name="out")


def _first():
    x = builders.image((None, 4, 8, 8))
    x = tf.nn.relu(builders.conv_first(x, name="c"))
    x = tf.nn.max_pool(x, 2, 2, "VALID", data_format="NCHW")
    tf.nn.relu(builders.conv_first(x, name="d"), name="out")


def _loops():
    with builders.old_control_flow():
        x = builders.conv_block(builders.image((1, 4, 4, 4)), "c", filters=4)
        x = tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, builders.conv_block(t, "w", filters=4)), [0, x])[1]
        flag = v1.placeholder_with_default(False, (), "flag")
        tf.identity(tf.cond(flag, lambda: x * 2.0, lambda: builders.conv_block(x, "b", filters=4)), name="out")


def _functions():
    @tf.function
    def block(x):
        return tf.nn.relu(builders.bias(builders.conv(x, 4, name="conv"), "bias"))

    x = block(block(builders.image((1, 4, 4, 4))))
    x = tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, block(t)), [0, x])[1]
    tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: block(x), lambda: x), name="out")


GRAPHS = {"classifier": _classifier, "residual": _residual, "pieces": _pieces}
GRAPHS.update({"first": _first, "loops": _loops, "functions": _functions})


def graph(name: str) -> v1.GraphDef:
    """One of GRAPHS."""
    return builders.build(GRAPHS[name])


def graphs() -> dict[str, tf.compat.v1.GraphDef]:
    """All graphs, by name; the real ones where they are."""
    found = {name: builders.build(net) for name, net in GRAPHS.items()}
    for name in REAL:
        path = os.path.join(SHARED, "models", name)
        if os.path.isfile(path):
            with open(path, "rb") as stream:
                found[name] = v1.GraphDef.FromString(stream.read())
    return found


def models(folder: str) -> dict[str, dict[str, bytes]]:
    """Saved models: name -> {path in it: bytes}; a name with a suffix is one file. Made below ``folder``."""
    first = os.path.join(folder, "first")
    with tf.Graph().as_default(), v1.Session() as session:
        x = builders.image()
        scale = v1.get_variable("scale", (8,), initializer=v1.ones_initializer())
        out = tf.multiply(builders.conv_block(x, "c"), scale, name="out")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, first, {"x": x}, {"out": out})
    with context.eager_mode():
        model = _keras()
        for name in ("m.h5", "m.keras"):
            model.save(os.path.join(folder, name))
        tf.saved_model.save(model, os.path.join(folder, "second"))
    return {name: _content(os.path.join(folder, name)) for name in ("first", "second", "m.h5", "m.keras")}


def _keras():
    x = tf.keras.layers.Input((8, 8, 3), name="x")
    y = tf.keras.layers.BatchNormalization()(tf.keras.layers.Conv2D(4, 3, activation="relu")(x))
    y = tf.keras.layers.GlobalAveragePooling2D()(y)
    return tf.keras.Model(x, tf.keras.layers.Dense(5, activation="softmax", name="classes")(y))


def _content(path: str) -> dict[str, bytes]:
    paths = [path] if os.path.isfile(path) else []
    for folder, _, files in os.walk(path):
        paths += [os.path.join(folder, name) for name in files]
    found = {}
    for each in sorted(paths):
        with open(each, "rb") as stream:
            found[os.path.relpath(each, path) if each != path else ""] = stream.read()
    return found


# -- data ----------------------------------------------------------------------------------------


def png(width: int = 5, height: int = 4) -> bytes:
    """An image."""
    rows = (b"\0" + bytes(3 * min(width, 99))) * min(height, 99)
    return _png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), rows)


def _png(head: bytes, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bmp(width: int = 4, height: int = 4) -> bytes:
    """An image."""
    pixels = bytes(3 * width) * height
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + head + pixels


def gif(width: int = 2, height: int = 2, frames: int = 2) -> bytes:
    """An animation."""
    frame = b"\x21\xf9\x04\x04\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03\x44\x02\x05\0"
    colours = b"\0\0\0\xff\xff\xff\xff\0\0\0\xff\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, 0, 0) + colours + frame * frames + b";"


def jpeg() -> bytes:
    """An image, by TensorFlow."""
    with tf.Graph().as_default(), v1.Session() as session:
        return session.run(tf.io.encode_jpeg(tf.zeros((8, 6, 3), tf.uint8) + 99))


def gray_png(width: int = 5, height: int = 4) -> bytes:
    """A map of pixels: eight bits of gray each."""
    rows = b"".join(b"\0" + bytes((row + column) % 3 for column in range(width)) for row in range(height))
    return _png(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), rows)
