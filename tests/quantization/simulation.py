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
    given_by = [_result(item, values, weights) for weights in _weights_in_kernels(item, values)]
    if given.dtype == np.float32:
        differences = [np.abs(given - result).max() / max(np.abs(result).max(), 1.0) for result in given_by]
        assert min(differences) <= 1e-4, "%s is off by up to %g" % (op_name, min(differences))
        return given
    step = max(-values[7], values[8]) / _steps(given)
    least, most = (0, 255) if given.dtype == np.uint8 else (-128, 127)
    wanted = [np.clip(np.rint(result / step), least, most) for result in given_by]
    off = min(np.abs(given.astype(np.int64) - whole).max() for whole in wanted)
    assert off <= 1, "%s is off by up to %d steps" % (op_name, off)
    return given.astype(np.int64)


def _result(item, values, weights):
    """What the op stands for, in float64, if its weights are those integers."""
    source_low, source_high, weights_high = values[3], values[4], np.asarray(values[6], np.float64)
    scale = max(-source_low, source_high) / _steps(values[0]) * (weights_high / 127.0)
    result = _linear(item, values[0].astype(np.float64), weights) * scale + values[2]
    if "Sum" in item.op:
        summand, low, high = values[9:12]
        result = result + summand * (max(-low, high) / _steps(summand))
    if "Relu" in item.op or ("fused_ops" in item.attr and b"Relu" in item.attr["fused_ops"].list.s):
        result = np.maximum(result, 0)
    return result


def _plain(value):
    """Integers out of TensorFlow's structured quantized types."""
    for kind, plain in _INTEGERS.items():
        if value.dtype == kind.as_numpy_dtype:
            return value.view(plain).reshape(value.shape)
    return value


def _steps(values):
    return 255.0 if values.dtype == np.uint8 else 127.0


def _weights_in_kernels(item, values):
    """The integers that a kernel may multiply by: the op's weights, or what is left of them when they are halved.

    Without VNNI oneDNN halves the weights for signed input, and doubles the sums; see kept_weights.py.
    """
    weights = values[1].astype(np.float64)
    return [weights] if values[0].dtype == np.uint8 else [weights, 2 * np.rint(weights / 2)]


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
