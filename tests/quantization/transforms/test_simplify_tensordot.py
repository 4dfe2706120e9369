"""The Reshapes of tf.tensordot get constant shapes, and products of one tensor share the first."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.pipeline import OPTIMIZE_FP32, optimize
from intel_quantization.transforms.simplify_tensordot import simplify_tensordot
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow

SHAPES = [((None, 7, 6), (6, 5), 1), ((None, 3, 7, 6), (6, 5), 1), ((None, 7, 3, 2), (3, 2, 5), 2)]


def tensordot(x, name, shape, axes=1):
    return tf.tensordot(x, tf.constant(b.random(name, shape)), axes, name=name)


def prepared(net):
    """The net after all that runs ahead of the pass."""
    graph = Graph(b.build(net), ["out"])
    names = [item.__name__ for item in OPTIMIZE_FP32]
    optimize(graph, OPTIMIZE_FP32[: names.index("simplify_tensordot")])
    return graph


def simplified(net, count):
    graph = prepared(net)
    before = graph.to_graph_def()
    assert simplify_tensordot(graph) == count
    graph.prune()
    b.assert_same_numbers(before, graph.to_graph_def(), ["out"])
    return graph


@pytest.mark.parametrize(("shape", "weights", "axes"), SHAPES)
def test_constant_shapes(shape, weights, axes):
    graph = simplified(lambda: tf.tanh(tensordot(b.image(shape), "dense", weights, axes), "out"), 1)
    assert b.ops(graph) == {"Placeholder": 1, "Reshape": 2, "MatMul": 1, "Const": 3, "Tanh": 1}
    assert list(graph.constant(graph.nodes["dense"].input[1])) == [-1, *shape[1 : len(shape) - axes], 5]


def test_two_unknown_sizes():
    """Where the result's shape has to be computed, that of the rows is constant all the same."""

    def net():
        x = b.image((None, None, 6))
        tf.tanh(tensordot(x, "dense", (6, 5)), "out")

    graph = prepared(net)
    assert simplify_tensordot(graph) == 1
    graph.prune()
    ops = b.ops(graph)
    assert (ops["Prod"], ops["Pack"], ops["ConcatV2"], ops["Reshape"]) == (0, 0, 1, 2)
    feed = {"input:0": b.random("x", (3, 4, 6))}
    want, got = (b.run(item, feed, "out")[0] for item in (b.build(net), graph))
    assert abs(want - got).max() < 1e-5


def test_shared_rows():
    def net():
        x = tf.nn.relu(b.image((None, 7, 6)))
        tf.add_n([tensordot(x, name, (6, 5)) for name in "qkv"], "out")

    graph = simplified(net, 3)
    assert b.ops(graph)["Reshape"] == 4
    assert len({node.input[0] for node in graph.nodes.values() if node.op == "MatMul"}) == 1


def reason(net, node="dense"):
    graph = prepared(net)
    before = graph.to_graph_def()
    assert simplify_tensordot(graph) == 0
    assert graph.to_graph_def() == before
    return b.refusal(simplify_tensordot, graph, node)


def test_weights_that_are_computed():
    assert "is not a constant" in reason(
        lambda: tf.tanh(tf.tensordot(b.image((None, 7, 6)), tf.tanh(b.image((6, 5), "w")), 1, name="dense"), "out")
    )


def by_hand(x, measured=None, free=(0, 1), rows=None, transposed=False):
    """What tf.tensordot writes, with something else about it."""
    sizes = tf.gather(tf.shape(x if measured is None else measured), tf.constant(list(free)))
    rows = tf.stack([tf.reduce_prod(sizes), 6]) if rows is None else rows
    weights = tf.constant(b.random("w", (5, 6) if transposed else (6, 5)))
    product = tf.matmul(tf.reshape(x, rows), weights, transpose_b=transposed, name="product")
    tf.tanh(tf.reshape(product, tf.concat([sizes, [5]], 0), name="dense"), "out")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: {"measured": tf.tanh(x)}, "its sizes are those of another tensor"),
        (lambda x: {"free": (1, 0)}, "its free dimensions are not the first"),
        (lambda x: {"rows": [-1, 6]}, "its rows are told apart already"),
        (lambda x: {"transposed": True}, "'product' transposes"),
    ],
)
def test_refused(change, told):
    def net():
        x = tf.nn.relu(b.image((None, 7, 6)))
        by_hand(x, **change(x))

    assert reason(net) == told
