"""A newer TensorFlow's graph is read by an older one, or made for one, where its newer attributes say nothing new."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph import newer_attributes
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.newer_attributes import strip_newer_attributes, without_newer_attributes
from intel_quantization.ops import registry
from intel_quantization.ops.capabilities import RUNNING, Capabilities
from tests.quantization.builders import assert_same_numbers, bias, build, conv, image, node, norm, ops, run

pytestmark = pytest.mark.tensorflow
knows_more = pytest.mark.skipif(
    not registry.has_attr("MaxPool", "explicit_paddings"), reason="needs a newer TensorFlow"
)


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
    for item in graph_def.node:
        if item.op.startswith("FusedBatchNorm"):
            item.attr["exponential_avg_factor"].f = 1.0
        if item.op == "Conv2D":
            item.attr["explicit_paddings"].list.SetInParent()
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
    for item in graph_def.node:
        if item.op == "Conv2D":
            item.attr["explicit_paddings"].list.i.extend([0, 0, 1, 1, 1, 1, 0, 0])
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


# -- made for an older one -----------------------------------------------------------------------


def pooled():
    tf.nn.max_pool2d(tf.nn.relu(image()), 3, 2, "SAME", name="out")


def pool(graph_def, **attrs):
    item = node(graph_def, "out")
    for key, value in attrs.items():
        item.attr[key].CopyFrom(value)
    return item


@knows_more
def test_a_default_goes():
    before = build(pooled)
    assert "explicit_paddings" in pool(before).attr
    graph = Graph(before, ["out"])
    assert strip_newer_attributes(graph, Capabilities("1.15").has_attr) == 1
    after = graph.to_graph_def()
    assert "explicit_paddings" not in pool(after).attr
    assert sorted(pool(after).attr) == ["T", "data_format", "ksize", "padding", "strides"]
    assert_same_numbers(before, after, ["out"])


@knows_more
def test_without_a_target_nothing_is_touched():
    graph = Graph(build(pooled), ["out"])
    assert strip_newer_attributes(graph, RUNNING.has_attr) == 0
    assert graph.to_graph_def() == Graph(build(pooled), ["out"]).to_graph_def()


@knows_more
def test_a_target_that_knows_it_keeps_it():
    assert strip_newer_attributes(Graph(build(pooled), ["out"]), Capabilities("2.14").has_attr) == 0


@knows_more
def test_what_means_something_stays():
    graph_def = build(pooled)
    pool(graph_def).attr["explicit_paddings"].list.i.extend([0, 0, 1, 1, 1, 1, 0, 0])
    graph = Graph(graph_def, ["out"])
    assert strip_newer_attributes(graph, Capabilities("1.15").has_attr) == 0
    assert list(graph.nodes["out"].attr["explicit_paddings"].list.i) == [0, 0, 1, 1, 1, 1, 0, 0]


@knows_more
def test_functions_and_unknown_ops():
    graph_def = build(pooled)
    function = graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.add().CopyFrom(pool(graph_def))
    graph_def.node.add(name="odd", op="NoSuchOp").attr["newer"].i = 1
    graph = Graph(graph_def, ["out"])
    assert strip_newer_attributes(graph, Capabilities("1.15").has_attr) == 2
    assert "explicit_paddings" not in graph.to_graph_def().library.function[0].node_def[0].attr
    assert "newer" in graph.nodes["odd"].attr
    assert "explicit_paddings" in graph_def.library.function[0].node_def[0].attr, "the caller's graph"
