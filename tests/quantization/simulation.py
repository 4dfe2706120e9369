"""What an INT8 op has to give, computed in exact integers."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intel_quantization.graph.session import run_graph
from tests.quantization.builders import node

v1 = tf.compat.v1
_INTEGERS = {tf.quint8: np.uint8, tf.qint8: np.int8, tf.qint32: np.int32}


def check_int8_op(graph_def, feed, op_name):
    """One oneDNN op of a graph gives what integer arithmetic gives, within one step of its output.

    Returns:
        The integers that the op gave (int64), or the float32 of one that gives those.
    """
    item = node(graph_def, op_name)
    inputs = [name for name in item.input if not name.startswith("^")]
    # in two runs: a Sum op writes into its summand, and a fetched tensor is in use (TensorFlow then crashes)
    values = [_plain(value) for value in run_graph(graph_def, feed, [name + ":0" for name in inputs])]
    given = _plain(run_graph(graph_def, feed, [op_name + ":0"])[0])
    exact, slack = _accumulate(item, values)
    source_low, source_high, weights_high = values[3], values[4], np.asarray(values[6], np.float64)
    scale = max(-source_low, source_high) / _steps(values[0]) * (weights_high / 127.0)
    result, slack = exact * scale + values[2], slack * scale
    if "Sum" in item.op:
        summand, low, high = values[9:12]
        result = result + summand * (max(-low, high) / _steps(summand))
    if "Relu" in item.op or ("fused_ops" in item.attr and b"Relu" in item.attr["fused_ops"].list.s):
        result = np.maximum(result, 0)
    if given.dtype == np.float32:
        assert np.abs(given - result).max() <= 1e-4 * max(np.abs(result).max(), 1.0)
        return given
    step = max(-values[7], values[8]) / _steps(given)
    largest = 255 if given.dtype == np.uint8 else 127
    wanted = np.clip(np.rint(result / step), 0 if given.dtype == np.uint8 else -128, largest)
    difference = np.abs(given.astype(np.int64) - wanted)
    assert (difference <= 1 + slack / step).all(), "%s is off by up to %d steps" % (op_name, difference.max())
    return given.astype(np.int64)


def _plain(value):
    """Integers out of TensorFlow's structured quantized types."""
    for kind, plain in _INTEGERS.items():
        if value.dtype == kind.as_numpy_dtype:
            return value.view(plain).reshape(value.shape)
    return value


def _steps(values):
    return 255.0 if values.dtype == np.uint8 else 127.0


def _accumulate(item, values):
    """The exact sums of products, and by how much a kernel for signed input may be off in them.

    Without VNNI oneDNN shifts signed input by 128 and halves the weights, to half a unit each.
    """
    source, weights = values[0].astype(np.float64), values[1].astype(np.float64)
    exact = _linear(item, source, weights)
    if values[0].dtype == np.uint8:
        return exact, np.zeros(())
    return exact, 0.5 * _linear(item, np.abs(source) + 128, np.ones_like(weights))


def _linear(item, source, weights):
    if "MatMul" in item.op:
        return source.dot(weights.T if item.attr["transpose_b"].b else weights)
    # asked first: reading an attribute that is not there adds it, which TensorFlow 1.15 then refuses
    pads = [key for key in ("padding_list", "explicit_paddings") if key in item.attr]
    padding = [size for key in pads for size in item.attr[key].list.i]
    if padding:
        source = np.pad(source, np.array(padding).reshape(4, 2), mode="constant")
    dilations = list(item.attr["dilations"].list.i) or [1, 1, 1, 1]
    strides, rule = list(item.attr["strides"].list.i), item.attr["padding"].s.decode().replace("EXPLICIT", "VALID")
    with tf.Graph().as_default(), v1.Session() as session:
        if "Depthwise" in item.op:
            result = v1.nn.depthwise_conv2d_native(source, weights, strides, rule, dilations=dilations)
        else:
            result = v1.nn.conv2d(source, weights, strides=strides, padding=rule, dilations=dilations)
        return session.run(result)
