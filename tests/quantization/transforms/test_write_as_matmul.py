"""Einsum and BatchMatMul with constant weights become MatMuls, with the same numbers, shapes and names."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.write_as_matmul import OTHER_WEIGHTS, write_as_matmul
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def product(equation, shape, weights, first=False):
    def net():
        operands = [tf.nn.relu(b.image(shape)), tf.constant(b.random("w", weights))]
        tf.nn.relu(
            tf.raw_ops.Einsum(inputs=operands[::-1] if first else operands, equation=equation, name="dense"), "out"
        )

    return net


EQUATIONS = [
    ("ab,bc->ac", (None, 6), (6, 5)),
    ("ab,cb->ac", (None, 6), (5, 6)),
    ("abc,cd->abd", (None, 7, 6), (6, 5)),
    ("abc,cde->abde", (None, 7, 6), (6, 2, 5)),
    ("abc,dce->abed", (None, 7, 6), (2, 6, 5)),
    ("abcd,cde->abe", (None, 7, 2, 6), (2, 6, 5)),
    ("abcd,edc->abe", (None, 7, 2, 6), (5, 6, 2)),
    ("abc,bcd->ad", (None, 7, 6), (7, 6, 5)),
    ("...x,xy->...y", (None, 7, 6), (6, 5)),
    ("...xz,zxy->...y", (None, 7, 2, 6), (6, 2, 5)),
    ("abc,cd->abd", (None, None, 6), (6, 5)),
    ("abcd,cde->abe", (None, None, 2, 6), (2, 6, 5)),
]


@pytest.mark.parametrize(("equation", "shape", "weights"), EQUATIONS)
@pytest.mark.parametrize("first", [False, True], ids=["x, w", "w, x"])
def test_einsum(equation, shape, weights, first):
    if first:
        operands, result = equation.split("->")
        equation = ",".join(operands.split(",")[::-1]) + "->" + result
    graph = b.check_rewrite(write_as_matmul, product(equation, shape, weights, first), 1)
    ops = b.ops(graph)
    assert (ops["MatMul"], ops["Einsum"]) == (1, 0)
    assert graph.nodes["dense"].op == "MatMul"
    computed = shape.count(None) > 1
    assert (ops["Shape"], ops["ConcatV2"]) == (computed, computed)
    assert ops["Reshape"] == 2


BATCHED = [
    ("BatchMatMulV2", (None, 7, 6), (6, 5), False),
    ("BatchMatMulV2", (None, 7, 6), (5, 6), True),
    ("BatchMatMulV2", (None, 3, 7, 6), (1, 6, 5), False),
    ("BatchMatMulV2", (None, 3, 7, 6), (1, 1, 5, 6), True),
    ("BatchMatMulV2", (None, None, 6), (6, 5), False),
    ("BatchMatMulV2", (None, 6), (6, 5), False),
    ("BatchMatMulV2", None, (6, 5), False),
    ("BatchMatMul", (1, 7, 6), (1, 6, 5), False),
]


def batched(op, shape, weights, transposed=False):
    def net():
        x = tf.nn.relu(b.image((None, 7, 6) if shape is None else shape))
        x = tf.raw_ops.PlaceholderWithDefault(input=x, shape=None) if shape is None else x
        options = {"x": x, "y": tf.constant(b.random("w", weights)), "adj_y": transposed, "name": "dense"}
        tf.nn.relu(getattr(tf.raw_ops, op)(**options), "out")

    return net


@pytest.mark.parametrize(("op", "shape", "weights", "transposed"), BATCHED)
def test_batch_matmul(op, shape, weights, transposed):
    graph = b.check_rewrite(write_as_matmul, batched(op, shape, weights, transposed), 1)
    assert graph.nodes["dense"].op == "MatMul"
    assert not graph.nodes["dense"].attr["transpose_b"].b


def test_batch_matmul_v3():
    def net():
        x, w = tf.nn.relu(b.image((None, 7, 6))), tf.constant(b.random("w", (6, 5)))
        tf.raw_ops.BatchMatMulV3(x=x, y=w, Tout=tf.float32, name="out")

    assert b.ops(b.check_rewrite(write_as_matmul, net, 1))["MatMul"] == 1


def test_an_output_keeps_its_name_shape_and_type():
    graph = b.check_rewrite(write_as_matmul, product("abc,cde->abde", (None, 7, 6), (6, 2, 5)), 1, ["dense"])
    assert graph.nodes["dense"].op == "Reshape"
    assert graph.nodes["dense/product"].op == "MatMul"


def test_products_of_one_tensor_share_its_rows():
    """So that it is quantized once."""

    def net():
        x = tf.nn.relu(b.image((None, 7, 6)))
        parts = [tf.einsum("abc,cde->abde", x, tf.constant(b.random(name, (6, 2, 5))), name=name) for name in "qkv"]
        tf.add_n(parts, "out")

    graph = b.check_rewrite(write_as_matmul, net, 3)
    products = [node for node in graph.nodes.values() if node.op == "MatMul"]
    assert len({node.input[0] for node in products}) == 1
    assert b.ops(graph)["Reshape"] == 4


def test_what_a_node_waits_for():
    def net():
        x, weights = tf.nn.relu(b.image((None, 7, 6))), tf.constant(b.random("w", (6, 5)))
        with tf.control_dependencies([tf.tanh(x, name="before")]):
            tf.raw_ops.Einsum(inputs=[x, weights], equation="abc,cd->abd", name="out")

    graph = b.check_rewrite(write_as_matmul, net, 1)
    assert "^before" in graph.nodes["out/product"].input


def test_in_a_loop():
    def net():
        weights = tf.constant(b.random("w", (6, 6)) * 0.2)

        def body(i, state):
            return i + 1, tf.raw_ops.Einsum(inputs=[state, weights], equation="abc,cd->abd", name="dense")

        with b.old_control_flow():
            state = b.image((2, 7, 6))
            result = tf.while_loop(lambda i, s: i < 3, body, [0, state], name="loop")[1]
        tf.identity(result, "out")

    assert b.ops(b.check_rewrite(write_as_matmul, net, 1))["MatMul"] == 1


def test_in_a_branch():
    def net():
        x, weights = b.image((2, 7, 6)), b.random("w", (6, 5))

        def taken():
            return tf.raw_ops.Einsum(inputs=[x, tf.constant(weights)], equation="abc,cd->abd", name="dense")

        with b.old_control_flow():
            for number, condition in enumerate((tf.reduce_sum(x) > -1e9, tf.reduce_sum(x) > 1e9)):
                result = tf.cond(condition, taken, lambda: x[:, :, :5])
                tf.identity(result, "out%d" % number)

    graph = b.check_rewrite(write_as_matmul, net, 2, ["out0", "out1"])
    assert b.ops(graph)["MatMul"] == 2


REFUSED = [
    ("abc,acd->abd", (4, 7, 6), (4, 6, 5), OTHER_WEIGHTS),
    ("abc,bd->acd", (None, 7, 6), (7, 5), "it does not sum over the last dimensions of its input"),
    ("abc,cd->adb", (None, 7, 6), (6, 5), "its result has its dimensions in another order"),
    ("abc,c->ab", (None, 7, 6), (6,), "it is no matrix product"),
    ("ab,cd->abcd", (None, 7), (6, 5), "it is no matrix product"),
    ("abc,cde->abd", (None, 7, 6), (6, 5, 4), "it sums its weights over a dimension that its input does not have"),
    ("abb,bd->ad", (None, 6, 6), (6, 5), "it takes a diagonal"),
    ("abc,cd->ad", (None, 7, 6), (6, 5), "its result has its dimensions in another order"),
    (
        "...b,...bc->...c",
        (None, 6),
        (6, 5),
        "its weights may have any number of dimensions, or its input has them without its result",
    ),
]


def kept(net):
    graph = Graph(b.build(net), ["out"])
    before = graph.to_graph_def()
    assert write_as_matmul(graph) == 0
    assert graph.to_graph_def() == before
    return b.refusal(write_as_matmul, graph, "out")


@pytest.mark.parametrize(("equation", "shape", "weights", "reason"), REFUSED)
def test_einsum_refused(equation, shape, weights, reason):

    def net():
        x, w = b.image(shape), tf.constant(b.random("w", weights))
        tf.raw_ops.Einsum(inputs=[x, w], equation=equation, name="out")

    assert kept(net) == reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"weights": (3, 6, 5), "shape": (3, 7, 6)}, OTHER_WEIGHTS),
        ({"weights": (1, 1, 6, 5), "shape": (3, 7, 6)}, "its weights may have more dimensions than its input"),
        ({"weights": (7, 5), "adj_x": True}, "a transposed input has no INT8 kernel"),
        ({"weights": (0, 5), "shape": (3, 7, 0)}, "its weights are empty"),
        ({"weights": (6, 5), "dtype": tf.float64}, "it is not float32"),
        ({"weights": (4, 7), "swapped": True}, "its weights are the first operand"),
    ],
)
def test_batch_matmul_refused(options, reason):
    def net(weights, shape=(3, 7, 6), dtype=tf.float32, swapped=False, **attributes):
        x = b.image(shape, dtype=dtype)
        w = tf.constant(b.random("w", weights), dtype)
        x, w = (w, x) if swapped else (x, w)
        tf.raw_ops.BatchMatMulV2(x=x, y=w, name="out", **attributes)

    assert kept(lambda: net(**options)) == reason


def test_what_computes_both_operands_is_no_concern():
    assert kept(lambda: tf.einsum("ab,cb->ac", b.image((3, 6)), b.image((4, 6), "other"), name="out")) == ""


@pytest.mark.parametrize("excluded", [{"excluded_ops": ["Einsum"]}, {"excluded_nodes": ["dense"]}, {}])
@pytest.mark.parametrize("output", ["dense", "out"])
def test_who_excludes_it_by_what_it_was(excluded, output, monkeypatch):
    def net():
        x = tf.nn.relu(b.bias(b.dense(b.image((None, 8)), 84, name="first"), "first/bias"))
        x = tf.reshape(tf.nn.relu(x), (-1, 14, 6))
        x = tf.raw_ops.Einsum(inputs=[x, tf.constant(b.random("w", (6, 5)))], equation="abc,cd->abd", name="dense")
        tf.nn.relu(x, "out")

    monkeypatch.setattr("intel_quantization.quantize.payoff._CONVERSION_WORK", 0)
    monkeypatch.setattr("intel_quantization.kinds.matmul.pays_lifted", lambda case: True)
    conversion = b.convert(b.build(net), outputs=[output], **excluded)
    told = b.reasons(conversion)["dense/product" if output == "dense" else "dense"]
    assert told == {"excluded_ops": "op excluded by the user", "excluded_nodes": "node excluded by the user"}.get(
        next(iter(excluded), ""), ""
    )
