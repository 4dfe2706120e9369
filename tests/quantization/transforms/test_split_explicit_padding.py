"""Explicit padding of depthwise convolutions becomes a Pad, which INT8 ops take as their own padding."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.ops import registry
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.transforms.pipeline import optimize
from intel_quantization.transforms.split_explicit_padding import split_explicit_padding
from tests.quantization.builders import (
    batch,
    bias,
    build,
    check_rewrite,
    conv,
    convert,
    depthwise,
    error,
    image,
    random,
    refusal,
)

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        not registry.has_attr("DepthwiseConv2dNative", "explicit_paddings"), reason="needs a newer TensorFlow"
    ),
]

SPATIAL = [[0, 0], [1, 2], [0, 3], [0, 0]]
FIRST = [[0, 0], [0, 0], [1, 2], [0, 3]]


def explicit(x, padding, data_format="NHWC", strides=1):
    channels = int(x.shape[1 if data_format == "NCHW" else 3])
    return tf.raw_ops.DepthwiseConv2dNative(
        input=x,
        filter=tf.constant(random("w", (3, 3, channels, 2))),
        strides=[1, 1, strides, strides] if data_format == "NCHW" else [1, strides, strides, 1],
        padding="EXPLICIT",
        explicit_paddings=[size for pair in padding for size in pair],
        data_format=data_format,
        name="linear",
    )


@pytest.mark.parametrize("strides", [1, 2])
def test_split(strides):
    graph = check_rewrite(
        split_explicit_padding, lambda: tf.identity(explicit(image(), SPATIAL, strides=strides), name="out"), 1
    )
    assert graph.nodes["linear"].attr["padding"].s == b"VALID"
    assert "explicit_paddings" not in graph.nodes["linear"].attr
    group = find_candidates(graph)[0][0]
    assert (group.source, group.pads) == ("input", (1, 2, 0, 3))


def test_channels_first():
    def net():
        tf.identity(explicit(image((2, 4, 8, 8)), FIRST, "NCHW"), name="out")

    check_rewrite(split_explicit_padding, net, 1)


def test_nothing_to_pad():
    graph = check_rewrite(split_explicit_padding, lambda: tf.identity(explicit(image(), [[0, 0]] * 4), name="out"), 1)
    assert graph.nodes["linear"].input[0] == "input"


@pytest.mark.parametrize("net", [lambda: depthwise(image(), name="out"), lambda: conv(image(), name="out")])
def test_others_stay(net):
    check_rewrite(split_explicit_padding, net, 0)


def net_with_both():
    x = tf.nn.relu(image((None, 8, 8, 8)))
    x = tf.nn.relu(bias(explicit(x, SPATIAL), "bias"))
    tf.identity(bias(conv(x, 8, name="conv"), "last"), name="out")


def test_the_int8_op_pads():
    graph = Graph(build(net_with_both), ["out"])
    optimize(graph)
    conversion = convert(graph.to_graph_def())
    node = next(item for item in conversion.graph.node if item.op == "_FusedQuantizedDepthwiseConv2D")
    assert list(node.attr["explicit_paddings"].list.i) == [0, 0, 1, 2, 0, 3, 0, 0]
    assert "Pad" not in {item.op for item in conversion.graph.node}
    assert error(conversion, batch(conversion.input_graph, seed=1)) < 0.05


def test_the_form_that_kills_tensorflow_converts():
    conversion = convert(build(net_with_both))
    assert all(decision.int8 for decision in conversion.decisions)


def test_half_precision_says_so():
    graph_def = build(lambda: depthwise(image((2, 8, 8, 4)), name="out"))
    node = next(item for item in graph_def.node if item.name == "out")
    node.attr["padding"].s, node.attr["T"].type = b"EXPLICIT", tf.float16.as_datatype_enum
    graph = Graph(graph_def, ["out"])
    assert refusal(split_explicit_padding, graph, "out") == "'out' is not float32"
    assert split_explicit_padding(graph) == 0
