"""Transposed convolutions become convolutions and DepthToSpace, with the same numbers, and INT8."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import QuantizationError
from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.write_transposed_convs import write_transposed_convs
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def transposed(x, kernel, stride, padding="SAME", filters=3, name="up", result=None, dilation=1):
    height, width = int(x.shape[1]), int(x.shape[2])
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    if result is None:
        more = [max(size - stride, 0) if padding == "VALID" else 0 for size in (rows, columns)]
        result = height * stride + more[0], width * stride + more[1]
    weights = tf.constant(b.random(name + "/weights", (rows, columns, filters, int(x.shape[3])), 0.3))
    sizes = tf.stack([tf.shape(x)[0], *result, filters])
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=sizes,
        filter=weights,
        out_backprop=x,
        strides=[1, stride, stride, 1],
        padding=padding,
        dilations=[1, dilation, dilation, 1],
        name=name,
    )


def net(kernel, stride, padding="SAME", shape=(None, 5, 7, 4), **options):
    def made():
        tf.identity(transposed(b.image(shape), kernel, stride, padding, **options), "out")

    return made


CASES = [
    (kernel, stride, padding)
    for stride in (1, 2, 3, 4)
    for kernel in range(stride, 8)
    for padding in ("SAME", "VALID")
    if (-(-kernel // stride) * stride) ** 2 <= 2 * kernel**2
]


@pytest.mark.parametrize(("kernel", "stride", "padding"), CASES)
def test_kernels_strides_and_padding(kernel, stride, padding):
    graph = b.check_rewrite(write_transposed_convs, net(kernel, stride, padding), 1)
    found = b.ops(graph)
    assert (found["Conv2DBackpropInput"], found["Conv2D"], found["DepthToSpace"]) == (0, 1, stride > 1)
    assert graph.nodes["up"].op == "Conv2D"
    assert graph.constant(graph.nodes["up"].input[1]).shape[:2] == (-(-kernel // stride),) * 2


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "result"),
    [
        (3, 2, "SAME", (9, 13)),
        (3, 2, "SAME", (9, 14)),
        (5, 3, "SAME", (13, 20)),
        (3, 2, "VALID", (12, 15)),
        (5, 3, "VALID", (18, 24)),
        ((2, 3), 2, "SAME", None),
        ((4, 3), 2, "VALID", None),
    ],
)
def test_other_sizes_of_the_result(kernel, stride, padding, result):
    b.check_rewrite(write_transposed_convs, net(kernel, stride, padding, result=result), 1)


def test_a_result_that_needs_no_cut_has_none():
    assert b.ops(b.check_rewrite(write_transposed_convs, net(3, 2), 1))["Slice"] == 0
    assert b.ops(b.check_rewrite(write_transposed_convs, net(4, 2), 1))["Slice"] == 1
    graph = b.check_rewrite(write_transposed_convs, net(2, 2), 1)
    assert (b.ops(graph)["Slice"], graph.nodes["up"].attr["padding"].s) == (0, b"VALID")


def test_one_behind_the_other():
    def made():
        tf.identity(transposed(transposed(b.image((None, 5, 7, 4)), 4, 2, name="up"), 2, 2, name="more"), "out")

    assert b.ops(b.check_rewrite(write_transposed_convs, made, 2))["Conv2D"] == 2


def test_an_output_keeps_its_name():
    graph_def = b.build(net(4, 2))
    graph = Graph(graph_def, ["up"])
    assert write_transposed_convs(graph) == 1
    b.assert_same_numbers(graph_def, graph.to_graph_def(), ["up"])


def test_control_dependencies_stay():
    graph_def = b.build(net(4, 2))
    graph_def.node.add(name="before", op="NoOp")
    b.node(graph_def, "up").input.append("^before")
    graph = Graph(graph_def, ["out"])
    assert write_transposed_convs(graph) == 1
    assert graph.control_inputs(graph.nodes["up"]) == ["^before"]


def doubles():
    x = b.image((2, 5, 7, 4), dtype=tf.float64)
    weights = tf.constant(np.ones((2, 2, 3, 4)))
    options = {"input_sizes": [2, 10, 14, 3], "strides": [1, 2, 2, 1], "padding": "SAME", "name": "up"}
    tf.identity(tf.raw_ops.Conv2DBackpropInput(filter=weights, out_backprop=x, **options), "out")


def unlike():
    weights = tf.constant(b.random("w", (2, 2, 3, 4)))
    options = {"input_sizes": [2, 10, 7, 3], "strides": [1, 2, 1, 1], "padding": "SAME", "name": "up"}
    tf.identity(tf.raw_ops.Conv2DBackpropInput(filter=weights, out_backprop=b.image((2, 5, 7, 4)), **options), "out")


def unknown():
    x = b.image((None, None, None, 4))
    weights = tf.constant(b.random("w", (2, 2, 3, 4)))
    sizes = tf.stack([tf.shape(x)[0], 2 * tf.shape(x)[1], 2 * tf.shape(x)[2], 3])
    options = {"input_sizes": sizes, "strides": [1, 2, 2, 1], "padding": "SAME", "name": "up"}
    tf.identity(tf.raw_ops.Conv2DBackpropInput(filter=weights, out_backprop=x, **options), "out")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (doubles, "not float32"),
        (unlike, "strides"),
        (unknown, "sizes are not known"),
        (net(5, 5), "larger than 4"),
        (net(3, 1, dilation=2), "dilated"),
        (net(1, 2), "zeros"),
        (net(2, 2, result=(12, 14)), "has another size"),
    ],
)
def test_others_stay(function, told):
    graph = Graph(b.build(function), ["out"])
    assert write_transposed_convs(graph) == 0
    assert told in b.refusal(write_transposed_convs, graph, "up")


def decoder(kernel, stride, activation=tf.nn.relu):
    """As in a U-Net: a transposed convolution with bias and activation, and what it was made from beside it."""

    def made():
        x = b.conv_block(b.image((None, 8, 8, 4)), "first")
        up = activation(b.bias(transposed(x, kernel, stride, filters=6), "up/bias"))
        tf.identity(b.conv_block(up, "last"), "out")

    return made


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (4, 4), (6, 3)])
def test_it_becomes_int8_with_bias_and_activation(kernel, stride):
    graph_def = b.build(decoder(kernel, stride))
    conversion = b.convert(graph_def)
    assert b.reasons(conversion) == {"first": "", "up": "", "last": ""}
    ops = b.ops(conversion.graph)
    assert ops["QuantizedConv2DWithBiasAndReluAndRequantize"] == 3
    assert (ops["QuantizeV2"], ops["Dequantize"], ops["BiasAdd"]) == (1, 1, 0)
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.05


def test_it_is_excluded_by_its_own_name_and_op():
    graph_def = b.build(decoder(2, 2))
    for options in ({"excluded_nodes": ["up"]}, {"excluded_ops": ["Conv2DBackpropInput"]}):
        assert "excluded by the user" in b.reasons(b.convert(graph_def, **options))["up"]


def test_the_report_says_why_one_stays():
    with pytest.raises(QuantizationError, match="not written as a Conv2D: its sizes are not known"):
        b.convert(b.build(unknown), [{"input:0": b.random("x", (2, 4, 4, 4))}])
