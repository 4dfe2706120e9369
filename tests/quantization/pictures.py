"""Image files and small graphs for tests, made with TensorFlow and by hand."""

from __future__ import annotations

import base64
import struct

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1

GIF_RED_THEN_BLUE = base64.b64decode(
    "R0lGODlhAgACAIAAAP8AAAAA/yH5BAAKAAAALAAAAAACAAIAAAIChFEAIfkEAAoAAAAsAAAAAAIAAgAAAgKMUwA7"
)
"""An animation of two pictures of 2x2 pixels: all red, then all blue."""


def encode(kind: str, pixels: np.ndarray) -> bytes:
    """``pixels`` uint8 [h, w, channels] as "png" or "jpeg" (quality 100)."""
    with tf.Graph().as_default(), tf1.Session() as session:
        op = tf1.image.encode_png(pixels) if kind == "png" else tf1.image.encode_jpeg(pixels, quality=100)
        return session.run(op)


def bmp(pixels: np.ndarray) -> bytes:
    """``pixels`` uint8 RGB [h, w, 3] as an uncompressed 24-bit BMP."""
    height, width, _ = pixels.shape
    rows = b"".join(row[:, ::-1].tobytes().ljust((3 * width + 3) // 4 * 4, b"\0") for row in pixels[::-1])
    header = struct.pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54)
    return header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + rows


def write(path, pixels: np.ndarray) -> str:
    """Write ``pixels`` as a PNG, folders included; returns the path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode("png", pixels))
    return str(path)


def plain(value: int, size=(8, 8), channels: int = 3) -> np.ndarray:
    """A picture of one shade: uint8 [h, w, channels]."""
    return np.full((*size, channels), value, np.uint8)


def bands(label: int, classes: int, seed: int, size: int = 16) -> np.ndarray:
    """A gray picture [size, size, 1] with some noise whose bright band tells its class."""
    rng = np.random.RandomState(seed)
    pixels = rng.randint(0, 60, (size, size, 1)).astype(np.uint8)
    step = size // classes
    pixels[label * step : (label + 1) * step] += 180
    return pixels


def band_classifier(classes: int = 4, size: int = 16) -> bytes:
    """A frozen graph for pictures of ``bands`` in -1..1: a convolution and a dense layer, serialized.

    Its convolution has 8 equal smoothing channels; the dense layer adds up the rows of each band.
    """
    step = size // classes
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, size, size, 1], name="images")
        kernel = tf.constant(np.full((1, 3, 1, 8), 1 / 3, np.float32))
        y = tf.nn.relu(tf1.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME"), name="relu")
        rows = np.zeros((size, size, 8, classes), np.float32)
        for label in range(classes):
            rows[label * step : (label + 1) * step, :, :, label] = 8 / (step * size * 8)
        flat = tf.reshape(y, [-1, size * size * 8])
        logits = tf.matmul(flat, tf.constant(rows.reshape(-1, classes)), name="logits")
        tf.nn.softmax(logits, name="predictions")
        return graph.as_graph_def().SerializeToString()


def write_records(path: str, images, compression: str = "") -> None:
    """Write a TFRecord file in ImageNet's form: ``images`` are (bytes of a picture, label or None)."""
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for data, label in images:
            feature = {"image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))}
            if label is not None:
                feature["image/class/label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
