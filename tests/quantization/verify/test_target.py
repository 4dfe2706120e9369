"""What a target does not have is found: ops, attributes, kernels; in the graph and in its functions."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from intel_quantization.errors import BadInputError, InvalidGraphError
from intel_quantization.graph.graph import Graph
from intel_quantization.ops.capabilities import RUNNING, Capabilities
from intel_quantization.verify.target import check_target, verify_target
from tests.quantization.builders import build, conv_block, image, node

pytestmark = pytest.mark.tensorflow

OLDEST = Capabilities("1.15")


def net():
    tf.raw_ops.Dequantize(
        input=tf.raw_ops.QuantizeV2(
            input=conv_block(image(), "c"), min_range=0.0, max_range=1.0, T=tf.quint8, mode="SCALED"
        )[0],
        min_range=0.0,
        max_range=1.0,
        mode="SCALED",
        name="out",
    )


@pytest.fixture
def graph_def():
    graph_def = build(net)
    for item in graph_def.node:
        for name in ("dtype", "axis", "narrow_range", "ensure_minimum_range"):
            if item.op in ("QuantizeV2", "Dequantize") and name in item.attr:
                del item.attr[name]
    return graph_def


def broken(graph_def, message):
    graph = Graph(graph_def, ["out"])
    verify_target(graph, RUNNING)
    check_target(graph, RUNNING)
    with pytest.raises(InvalidGraphError, match=message) as caught:
        verify_target(graph, OLDEST)
    assert "\n" not in caught.value.message
    with pytest.raises(BadInputError) as caught:
        check_target(graph, OLDEST)
    assert "\n" not in caught.value.message
    return caught.value


def test_a_graph_of_what_all_have(graph_def):
    verify_target(Graph(graph_def, ["out"]), OLDEST)
    check_target(Graph(graph_def, ["out"]), OLDEST)


def test_an_op(graph_def):
    graph_def.node.add(name="risc", op="RiscAbs", input=["input"]).attr["T"].type = types_pb2.DT_FLOAT
    error = broken(graph_def, r"in TensorFlow 1\.15\.2: 'risc' \(RiscAbs\) needs RiscAbs")
    assert "1.15.2, which --target_tensorflow 1.15 asks for" in error.message
    assert error.message.endswith("no RiscAbs")
    graph_def.node.add(name="risc2", op="RiscAbs", input=["input"]).attr["T"].type = types_pb2.DT_FLOAT
    assert broken(graph_def, "RiscAbs").message.endswith("no RiscAbs (2 nodes)")


def test_an_attribute(graph_def):
    node(graph_def, "out").attr["axis"].i = 1
    broken(graph_def, r"'out' \(Dequantize\) needs attribute axis of Dequantize")


def test_a_kernel(graph_def):
    node(graph_def, "c").attr["T"].type = types_pb2.DT_BFLOAT16
    broken(graph_def, r"'c' \(Conv2D\) needs kernel of Conv2D for T bfloat16")


def test_a_type_that_is_left_at_its_default(graph_def):
    """out_type of this op is quint8 unless it says something else."""
    item = graph_def.node.add(name="q", op="QuantizedConv2DWithBiasAndReluAndRequantize")
    types = {"Tinput": types_pb2.DT_QUINT8, "Tfilter": types_pb2.DT_QINT8, "Tbias": types_pb2.DT_FLOAT}
    for key, value in types.items():
        item.attr[key].type = value
    verify_target(Graph(graph_def, ["out"]), OLDEST)
    item.attr["Tinput"].type = types_pb2.DT_QINT8
    broken(graph_def, "Tinput qint8, out_type quint8")
    verify_target(Graph(graph_def, ["out"]), Capabilities("2.1"))


def test_functions(graph_def):
    function = graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.add(name="inside", op="RiscAbs")
    graph_def.node.add(name="call", op="f")
    broken(graph_def, r"'inside' \(RiscAbs\)")


def test_many_things_are_one_line(graph_def):
    for number, op in enumerate(
        ("Abs", "Add", "Ceil", "Cos", "Div", "Dot", "Exp", "Fft", "Floor", "Max", "Mul", "Neg")
    ):
        graph_def.node.add(name="r%d" % number, op="Risc" + op)
    assert broken(graph_def, "RiscAbs").message.endswith("no RiscFloor, no RiscMax and 2 more")
