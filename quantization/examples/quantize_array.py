"""From a graph and an array to an INT8 graph and its figures, all in Python.

    python quantize_array.py [GRAPH.pb DATA.npy]

Without arguments, it makes a small network of its own, with random weights, and random images. With them, GRAPH is a
frozen graph with one input and DATA an array for it, its first dimension the samples: the first half calibrates, the
other half compares.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

import intel_quantization.graph_converter as converter
from intel_quantization.errors import QuantizationError
from intel_quantization.reading.load import load_graph

SIZE, CLASSES = 32, 10


def small_network() -> tf.compat.v1.GraphDef:
    """Two convolutions, a pool and a matrix product with random weights, as a frozen graph."""
    random = np.random.RandomState(0)

    def weights(*shape: int) -> tf.Tensor:
        return tf.constant(random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float32))

    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "images")
        net = tf.nn.relu(tf.nn.conv2d(images, weights(3, 3, 3, 16), strides=2, padding="SAME"))
        net = tf.nn.relu(tf.nn.conv2d(net, weights(3, 3, 16, 32), strides=2, padding="SAME"))
        net = tf.nn.max_pool2d(net, 2, 2, "VALID")
        net = tf.reshape(net, [-1, (SIZE // 8) ** 2 * 32])
        tf.nn.softmax(tf.matmul(net, weights((SIZE // 8) ** 2 * 32, CLASSES)), name="scores")
    return graph.as_graph_def()


def run(graph_def: tf.compat.v1.GraphDef, output: str, feed: dict[str, np.ndarray]) -> np.ndarray:
    """The output of a frozen graph; plain TensorFlow runs both the FP32 and the INT8 graph."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return np.asarray(session.run(output, feed))


def decibels(signal: np.ndarray, noisy: np.ndarray) -> float:
    """The signal to quantization noise ratio."""
    noise = np.square(signal - noisy).mean()
    return float(10 * np.log10(np.square(signal).mean() / noise)) if noise else float("inf")


def main() -> None:
    """Convert, and print what came of it."""
    if len(sys.argv) > 1:
        source, data = sys.argv[1], np.load(sys.argv[2])
        graph_def = load_graph(source).graph_def
    else:
        graph_def, data = small_network(), np.random.RandomState(1).uniform(-1, 1, (64, SIZE, SIZE, 3))
    data = data.astype(np.float32)
    calibrate, compare = np.split(data, [len(data) // 2])

    result = converter.GraphConverter(graph_def, algo="AUTO", calibration_data=calibrate).convert()

    print("op                      total  INT8")
    for row in result.op_table:
        print("%-22s %6d %5d" % (row.op, row.total, row.int8))
    for decision in result.decisions:
        if not decision.int8:
            print("%s stays in FP32: %s" % (decision.node, decision.reason))
    feed = {result.inputs[0].name: compare}
    output = result.outputs[0].name
    before, after = run(result.fp32_graph, output, feed), run(result.graph, output, feed)
    print("same answer for %.1f %%" % (100 * (before.argmax(-1) == after.argmax(-1)).mean()))
    print("signal to noise %.1f dB" % decibels(before, after))


if __name__ == "__main__":
    try:
        main()
    except QuantizationError as error:
        sys.exit("%s\n  %s" % (error.message, error.remedy))
