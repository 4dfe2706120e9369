"""Static shapes."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.inferred_shapes import InferredShapes, infer_shape
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def net():
    x = b.image(name="input")
    tf.reduce_mean(x, [1, 2], keepdims=True, name="mean")
    tf.split(x, [1, 3], axis=3, name="parts")
    tf.reshape(x, b.image((None,), "shape", tf.int32), name="unknown")


@pytest.mark.parametrize("ask", [infer_shape, lambda graph, tensor: InferredShapes(graph)(tensor)])
def test_shapes(ask):
    graph = Graph(b.build(net), ["mean"])
    assert ask(graph, "input") == ask(graph, "input:0") == [None, 8, 8, 4]
    assert ask(graph, "mean") == [None, 1, 1, 4]
    assert ask(graph, "parts:1") == [None, 8, 8, 3]
    assert ask(graph, "unknown") is None


@pytest.mark.parametrize("ask", [infer_shape, lambda graph, tensor: InferredShapes(graph)(tensor)])
@pytest.mark.parametrize("place", ["mean", "gone"])
def test_a_node_that_is_to_be_where_another_one_is(ask, place):
    """That one may be gone, or not be what the tensor is made of."""
    graph_def = b.build(net)
    b.node(graph_def, "input").attr["_class"].list.s.append(b"loc:@" + place.encode())
    graph = Graph(graph_def, ["mean"])
    assert ask(graph, "input") == [None, 8, 8, 4]
    assert list(graph.nodes["input"].attr["_class"].list.s) == [b"loc:@" + place.encode()], "the graph stays as it is"


@pytest.mark.parametrize("ask", [infer_shape, lambda graph, tensor: InferredShapes(graph)(tensor)])
def test_of_a_loop_nothing_is_known(ask):
    """What the next round hands back is imported last."""
    with b.old_control_flow():
        graph_def = b.build(
            lambda: tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t)), [0, b.image((2, 5))])
        )
    relu = next(node.name for node in graph_def.node if node.op == "Relu")
    assert ask(Graph(graph_def), relu) is None


def test_of_one_tensor_nothing_else_is_imported():
    graph_def = b.build(net)
    graph_def.node.add(name="unknown op", op="NoSuchOp", input=["mean"])
    assert infer_shape(Graph(graph_def), "mean") == [None, 1, 1, 4]
    with pytest.raises((ValueError, tf.errors.OpError)):
        InferredShapes(Graph(graph_def))("mean")
