"""Small graphs for the tests, built op by op with weights that depend on the op's name only."""

from __future__ import annotations

import contextlib
import zlib
from collections import Counter

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.session import run_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.transforms.rule import refusals

v1 = tf.compat.v1


def build(function, *args, **kwargs):
    """The GraphDef that ``function`` builds."""
    with tf.Graph().as_default() as graph:
        function(*args, **kwargs)
    return graph.as_graph_def()


@contextlib.contextmanager
def old_control_flow():
    """Loops and branches as Enter, Switch, Merge …, which is what frozen graphs have."""
    before = control_flow_util.ENABLE_CONTROL_FLOW_V2
    control_flow_util.ENABLE_CONTROL_FLOW_V2 = False
    try:
        yield
    finally:
        control_flow_util.ENABLE_CONTROL_FLOW_V2 = before


def random(name, shape, scale=1.0):
    """float32 normal values that depend on name and shape only."""
    generator = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    return generator.normal(0, scale, shape).astype(np.float32)


# -- ops -----------------------------------------------------------------------------------------


def image(shape=(None, 8, 8, 4), name="input", dtype=tf.float32):
    """A placeholder."""
    return v1.placeholder(dtype, shape, name)


def weights_for(name, shape):
    """Weights that keep the variance of what goes through them."""
    return random(name + "/weights", shape, 1.0 / np.sqrt(np.prod(shape[:-1])))


def conv(x, filters=8, kernel=3, strides=1, padding="SAME", dilation=1, name="conv", weights=None):
    """Conv2D with constant weights (HWIO)."""
    if weights is None:
        weights = weights_for(name, (kernel, kernel, int(x.shape[-1]), filters))
    return v1.nn.conv2d(
        x,
        tf.constant(weights, name=name + "/weights"),
        strides=[1, strides, strides, 1],
        padding=padding,
        dilations=[1, dilation, dilation, 1],
        name=name,
    )


def conv_first(x, filters=8, kernel=3, padding="SAME", name="conv", weights=None):
    """Conv2D on NCHW with constant weights (HWIO)."""
    if weights is None:
        weights = weights_for(name, (kernel, kernel, int(x.shape[1]), filters))
    weights = tf.constant(weights, name=name + "/weights")
    return v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding=padding, data_format="NCHW", name=name)


def depthwise(x, multiplier=1, kernel=3, strides=1, padding="SAME", name="depthwise", weights=None):
    """DepthwiseConv2dNative with constant weights (HWCM)."""
    if weights is None:
        weights = random(name + "/weights", (kernel, kernel, int(x.shape[-1]), multiplier), 1.0 / kernel)
    return v1.nn.depthwise_conv2d_native(
        x, tf.constant(weights, name=name + "/weights"), [1, strides, strides, 1], padding, name=name
    )


def dense(x, units=10, transpose=False, name="dense", weights=None):
    """MatMul with constant weights (KN; NK when transposed)."""
    if weights is None:
        weights = weights_for(name, (int(x.shape[-1]), units))
        weights = weights.T if transpose else weights
    return tf.linalg.matmul(x, tf.constant(weights, name=name + "/weights"), transpose_b=transpose, name=name)


def bias(x, name="bias", values=None):
    """BiasAdd of a constant."""
    values = random(name, (int(x.shape[-1]),), 0.3) if values is None else values
    return tf.nn.bias_add(x, tf.constant(values, name=name + "/values"), name=name)


def norm(x, name="norm", training=False, op="FusedBatchNormV3"):
    """A fused batch norm with constant parameters."""
    channels = (int(x.shape[-1]),)
    gamma, beta, mean = (random(name + part, channels, 0.5) for part in ("/gamma", "/beta", "/mean"))
    variance = np.abs(random(name + "/variance", channels)) + 0.3
    parts = [tf.constant(value) for value in (1 + gamma, beta, mean, variance)]
    function = getattr(tf.raw_ops, op)
    return function(
        x=x, scale=parts[0], offset=parts[1], mean=parts[2], variance=parts[3], is_training=training, name=name
    )[0]


def conv_block(x, name, activation="relu", **options):
    """Convolution, bias and activation; the nodes are ``name``, ``name/bias`` and ``name/out``."""
    return activate(bias(conv(x, name=name, **options), name + "/bias"), activation, name + "/out")


def activate(x, activation, name):
    """relu, relu6 or an Identity."""
    return {"relu": tf.nn.relu, "relu6": tf.nn.relu6, None: tf.identity}[activation](x, name=name)


# -- looking at graphs ---------------------------------------------------------------------------


def node(graph_def, name):
    """The node of a name."""
    return next(item for item in graph_def.node if item.name == name)


def ops(graph):
    """How often each op occurs, of a GraphDef or a Graph."""
    graph_def = graph.to_graph_def() if isinstance(graph, Graph) else graph
    return Counter(item.op for item in graph_def.node)


def int8_ops(graph_def):
    """How often each oneDNN INT8 op occurs."""
    return Counter(item.op for item in graph_def.node if item.op.startswith(("Quantized", "_FusedQuantized")))


def batch(graph_def, size=3, seed=0, scale=1.0):
    """Random values for every placeholder."""
    generator = np.random.RandomState(seed)
    feed = {}
    for item in graph_def.node:
        if item.op == "Placeholder":
            shape = [dim.size if dim.size >= 0 else size for dim in item.attr["shape"].shape.dim]
            dtype = tf.as_dtype(item.attr["dtype"].type)
            if dtype == tf.uint8:
                value = generator.randint(0, 256, shape)
            elif dtype == tf.bool:
                value = np.ones(shape)
            else:
                value = generator.normal(0, scale, shape)
            feed[item.name + ":0"] = np.asarray(value, dtype.as_numpy_dtype)
    return feed


def run(graph, feed, *names):
    """The values of some nodes of a GraphDef or a Graph."""
    graph_def = graph.to_graph_def() if isinstance(graph, Graph) else graph
    return run_graph(graph_def, feed, [name if ":" in name else name + ":0" for name in names])


def assert_same_numbers(before, after, names, seed=0, tolerance=1e-4):
    """Both graphs give the same values on random inputs, up to float rounding."""
    feed = batch(before, seed=seed)
    for name, old, new in zip(names, run(before, feed, *names), run(after, feed, *names)):
        assert old.dtype == new.dtype, name
        assert old.shape == new.shape, name
        scale = max(float(np.abs(old).max()), 1.0) if old.size else 1.0
        np.testing.assert_allclose(new, old, rtol=0, atol=tolerance * scale, err_msg=name)


def check_rewrite(transform, function, expected, outputs=("out",)):
    """Run one FP32 pass on a graph; it must rewrite ``expected`` times and keep outputs and numbers.

    Returns:
        The Graph.
    """
    before = build(function)
    graph = Graph(before, outputs)
    assert transform(graph) == expected
    graph.prune()
    after = graph.to_graph_def()
    assert_same_numbers(before, after, outputs)
    return graph


def refusal(transform, graph, name):
    """Why an FP32 pass leaves a node as it is; empty where it does not say."""
    return refusals(graph, [transform]).get(name, "")


def convert(graph_def, feed=None, **options):
    """Convert a graph, calibrated on two random batches unless a feed is given."""
    if feed is None:
        feed = [batch(graph_def, seed=1), batch(graph_def, seed=2)]
    return GraphConverter(graph_def, calibration_data=feed, **options).convert()


def error(conversion, feed, name="out"):
    """The largest error of the INT8 graph, relative to the largest value."""
    wanted, given = (run(graph, feed, name)[0] for graph in (conversion.input_graph, conversion.graph))
    assert given.shape == wanted.shape
    assert given.dtype == wanted.dtype
    return float(np.abs(given - wanted).max() / max(np.abs(wanted).max(), 1e-6))


def reasons(conversion):
    """Why nodes stayed FP32: by node; empty for INT8 ones."""
    return {decision.node: decision.reason for decision in conversion.decisions}
