"""A graph of a newer TensorFlow is read by an older one where its newer attributes say nothing new."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph import newer_attributes, registry
from intel_quantization.graph.newer_attributes import without_newer_attributes
from tests.quantization.builders import bias, build, conv, image, norm, ops, run

pytestmark = pytest.mark.tensorflow


def net():
    x = norm(conv(image(), name="c"), "n")
    tf.nn.relu(bias(x), name="out")


@pytest.fixture
def older(monkeypatch):
    """As if this TensorFlow knew neither of these attributes."""
    known = registry.has_attr
    monkeypatch.setattr(
        newer_attributes.registry,
        "has_attr",
        lambda op, name: name not in ("exponential_avg_factor", "explicit_paddings") and known(op, name),
    )


def newer_net():
    graph_def = build(net)
    for node in graph_def.node:
        if node.op.startswith("FusedBatchNorm"):
            node.attr["exponential_avg_factor"].f = 1.0
        if node.op == "Conv2D":
            node.attr["explicit_paddings"].list.SetInParent()
    return graph_def


def attributes(graph_def):
    return {name for node in graph_def.node for name in node.attr}


@pytest.mark.usefixtures("older")
def test_defaults_go():
    graph_def = newer_net()
    older = without_newer_attributes(graph_def)
    assert attributes(graph_def) - attributes(older) == {"exponential_avg_factor", "explicit_paddings"}
    assert ops(older) == ops(graph_def)
    run(older, {"input:0": [[[[0.5] * 4] * 8] * 8]}, "out")


@pytest.mark.usefixtures("older")
def test_what_says_something_stays():
    graph_def = newer_net()
    for node in graph_def.node:
        if node.op == "Conv2D":
            node.attr["explicit_paddings"].list.i.extend([0, 0, 1, 1, 1, 1, 0, 0])
    assert "explicit_paddings" in attributes(without_newer_attributes(graph_def))


def test_what_this_tensorflow_knows_is_left_alone():
    graph_def = build(net)
    assert without_newer_attributes(graph_def) is graph_def


@pytest.mark.usefixtures("older")
def test_functions_are_looked_at_too():
    graph_def = newer_net()
    function = graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.extend(node for node in graph_def.node if node.op == "Conv2D")
    graph_def.node[0].attr["T"].type = 1
    older = without_newer_attributes(graph_def)
    assert "explicit_paddings" not in older.library.function[0].node_def[0].attr


@pytest.mark.parametrize("name", sorted(newer_attributes._DEFAULTS))
def test_the_table_agrees_with_the_registry(name):
    """Wherever this TensorFlow has such an attribute on an op that 1.15 had without it, the default is the same."""
    op = {
        "Tcomplex": "RFFT",
        "Tk": "TopKV2",
        "Treal": "RFFT",
        "Tsegmentids": "SparseSegmentSum",
        "Tshape": "TensorListGetItem",
        "axis": "Dequantize",
        "bad_indices_policy": "GatherNd",
        "dtype": "Dequantize",
        "ensure_minimum_range": "QuantizeV2",
        "explicit_paddings": "MaxPool",
        "exponential_avg_factor": "FusedBatchNormV3",
        "grad_a": "MatMul",
        "grad_b": "MatMul",
        "grad_x": "BatchMatMulV2",
        "grad_y": "BatchMatMulV2",
        "index_type": "TopKV2",
        "narrow_range": "Dequantize",
        "padding_list": "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize",
        "perturb_singular": "TridiagonalSolve",
        "resize_if_index_out_of_bounds": "TensorListSetItem",
        "shape_type": "ConcatOffset",
        "sparse_gradient": "SparseSegmentSum",
    }[name]
    found = {attr.name: attr.default_value for attr in registry.op_def(op).attr}
    assert name not in found or found[name] == newer_attributes._DEFAULTS[name]
