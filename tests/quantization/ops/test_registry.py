"""What TensorFlow says about its ops."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from intel_quantization.graph.graph import NodeDef
from intel_quantization.ops import registry
from tests.quantization.builders import build, conv, image, node, norm

pytestmark = pytest.mark.tensorflow

CONV = "QuantizedConv2DWithBiasAndReluAndRequantize"


def test_op_definitions_and_attributes():
    assert registry.op_def("Conv2D").name == "Conv2D"
    assert registry.op_def("NoSuchOp") is None
    assert registry.has_attr(CONV, "padding_list")
    assert not registry.has_attr(CONV, "no_such_attr")
    assert not registry.has_attr("NoSuchOp", "T")


def test_kernels():
    quint8, qint8, single = types_pb2.DT_QUINT8, types_pb2.DT_QINT8, types_pb2.DT_FLOAT
    assert registry.has_kernel("Relu", T=single)
    assert not registry.has_kernel("Relu", T=types_pb2.DT_STRING)
    assert not registry.has_kernel("NoSuchOp")
    assert registry.has_kernel(CONV, Tinput=quint8, Tfilter=qint8, Tbias=single, out_type=quint8)
    assert not registry.has_kernel(CONV, Tinput=single, Tfilter=qint8, Tbias=single, out_type=quint8)


def test_output_types():
    def net():
        x = image()
        tf.argmax(conv(x, name="conv"), axis=3, name="argmax", output_type=tf.int32)
        tf.split(x, 2, axis=3, name="split")
        norm(x, name="norm")
        tf.identity_n([x, tf.constant(1)], name="pair")

    graph_def = build(net)
    assert registry.output_dtype(node(graph_def, "conv")) == types_pb2.DT_FLOAT
    assert registry.output_dtype(node(graph_def, "argmax")) == types_pb2.DT_INT32
    assert registry.output_dtype(node(graph_def, "split"), 1) == types_pb2.DT_FLOAT
    assert registry.output_dtype(node(graph_def, "split"), 2) == 0
    assert registry.output_dtype(node(graph_def, "norm"), 4) == types_pb2.DT_FLOAT
    assert registry.output_dtype(node(graph_def, "pair"), 1) == types_pb2.DT_INT32
    assert registry.output_dtype(NodeDef(name="x", op="NoSuchOp")) == 0


def test_a_stripped_type_is_the_ops_default():
    assert registry.output_dtype(NodeDef(name="x", op="ArgMax")) == types_pb2.DT_INT64
    assert registry.output_dtype(NodeDef(name="x", op="Shape")) == types_pb2.DT_INT32
