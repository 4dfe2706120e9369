"""What holds in every TensorFlow from 1.15 on: what it has a kernel for becomes INT8, the rest says why not.

``make test-variants`` runs this in each variant.
"""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8
from intel_quantization.kinds.depthwise import NEWER as FUSED_DEPTHWISE
from intel_quantization.ops import registry
from tests.quantization.builders import (
    activate,
    batch,
    bias,
    build,
    conv,
    conv_block,
    convert,
    dense,
    depthwise,
    error,
    image,
    int8_ops,
    reasons,
)

v1 = tf.compat.v1
pytestmark = pytest.mark.tensorflow

CONV, RELU_CONV = "QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasAndReluAndRequantize"
SUM = "QuantizedConv2DWithBiasSumAndReluAndRequantize"
DEPTHWISE = "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
RELU_MATMUL, MATMUL = "QuantizedMatMulWithBiasAndReluAndRequantize", "QuantizedMatMulWithBiasAndDequantize"
LACKS = "%s has no kernel for this in this TensorFlow"


def has_conv(op, source):
    return registry.has_kernel(op, Tinput=source, Tfilter=DT_QINT8, Tbias=DT_FLOAT)


def check(net, kernels):
    """Convert a net of nodes: node -> (its op in INT8, whether this TensorFlow has that)."""
    graph_def = build(net)
    conversion = convert(graph_def)
    wanted = {name: "" if there else LACKS % op for name, (op, there) in kernels.items()}
    assert {name: reason for name, reason in reasons(conversion).items() if name in kernels} == wanted
    assert sum(int8_ops(conversion.graph).values()) >= sum(there for _, there in kernels.values())
    assert error(conversion, batch(graph_def, seed=1)) < 0.1
    return conversion


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_convolutions_of_signed_input(activation):
    def net():
        conv_block(tf.nn.relu(conv_block(image(), "signed", activation)), "unsigned", activation)
        tf.identity(v1.get_default_graph().get_tensor_by_name("unsigned/out:0"), name="out")

    check(net, {"signed": (RELU_CONV, has_conv(RELU_CONV, DT_QINT8)), "unsigned": (RELU_CONV, True)})


def test_convolutions_without_a_relu():
    def net():
        tf.identity(conv_block(conv_block(tf.nn.relu(image()), "unsigned", None), "signed", None), name="out")

    check(net, {"unsigned": (CONV, True), "signed": (CONV, has_conv(CONV, DT_QINT8))})


def test_depthwise_with_its_pad():
    """Where the newer op is missing, the Pad stays beside the older one."""

    def net():
        x = tf.nn.relu(image((None, 9, 9, 8)))
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        activate(bias(depthwise(x, padding="VALID", name="d")), "relu6", "out")

    conversion = check(net, {"d": (DEPTHWISE, True)})
    found = {node.op for node in conversion.graph.node}
    newer = registry.has_attr(FUSED_DEPTHWISE, "explicit_paddings")
    assert found & {DEPTHWISE, FUSED_DEPTHWISE, "Pad"} == ({FUSED_DEPTHWISE} if newer else {DEPTHWISE, "Pad"})


def test_products_with_and_without_a_relu():
    def net():
        x = tf.nn.relu(bias(dense(tf.nn.relu(image((None, 16))), 8, name="hidden"), "b"))
        bias(dense(x, 4, name="logits"), "out")

    there = registry.has_kernel(MATMUL, T1=DT_QUINT8, T2=DT_QINT8, Tbias=DT_FLOAT, Toutput=DT_FLOAT)
    relu = registry.has_kernel(RELU_MATMUL, T1=DT_QUINT8, T2=DT_QINT8, Tbias=DT_FLOAT, Toutput=DT_QUINT8)
    check(net, {"hidden": (RELU_MATMUL, relu), "logits": (MATMUL, there)})


def test_sums_of_what_is_int8_and_of_what_is_not():
    """Before 2.1 what QuantizeV2 gave is not added: those versions fail or abort on it."""

    def block(x, name):
        y = conv_block(x, name + "1")
        return tf.nn.relu(bias(conv(y, name=name + "2"), name + "2/bias") + x)

    def net():
        x = block(conv_block(image(), "signed"), "a")  # of FP32 before 2.1
        tf.identity(block(conv_block(x, "middle"), "b"), name="out")

    signed = has_conv(RELU_CONV, DT_QINT8)
    convolutions = dict.fromkeys(("a1", "a2", "middle", "b1", "b2"), (RELU_CONV, True))
    conversion = check(net, {"signed": (RELU_CONV, signed), **convolutions})
    assert int8_ops(conversion.graph)[SUM] == (2 if signed or registry.has_attr("QuantizeV2", "axis") else 1)


def test_pools_and_concatenations_between_convolutions():
    def net():
        x = tf.nn.relu(image((None, 8, 8, 4)))
        a, b = conv_block(x, "a"), conv_block(x, "b")
        x = tf.concat([tf.nn.max_pool2d(x, 2, 2, "SAME") for x in (a, b)], 3, name="concat")
        tf.identity(conv_block(x, "c"), name="out")

    there = registry.has_kernel("QuantizedConcatV2", T=DT_QUINT8)
    conversion = check(net, {"concat": ("QuantizedConcatV2", there), **dict.fromkeys("abc", (RELU_CONV, True))})
    counts = int8_ops(conversion.graph)
    assert (counts["QuantizedMaxPool"], counts["QuantizedConcatV2"]) == ((2, 1) if there else (0, 0))
