"""Whatever reads an INT8 tensor has to know its range."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.verify.ranges import range_faults
from tests.quantization.builders import bias, build, conv, conv_block, convert, dense, depthwise, image

pytestmark = pytest.mark.tensorflow


def net():
    """Every kind of reader: convolutions, a residual sum, pools, a pad, a concatenation, a matrix product."""
    x = conv_block(image((2, 8, 8, 4)), "first")
    y = bias(conv(conv_block(x, "second"), name="third"), "third/bias")
    x = tf.nn.relu(y + x, name="sum")
    pooled = tf.nn.max_pool2d(x, 3, 1, "SAME", name="pool")
    x = tf.concat([pooled, conv_block(x, "branch"), tf.nn.avg_pool2d(x, 3, 1, "SAME")], 3, name="concat")
    x = tf.nn.relu(bias(depthwise(x, name="depthwise"), "depthwise/bias"))
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad")
    x = tf.nn.relu(bias(conv(padded, padding="VALID", strides=2, name="fourth"), "fourth/bias")) + tf.reduce_sum(padded)
    x = tf.nn.relu(x)
    tf.nn.relu(bias(dense(tf.reshape(conv_block(x, "last"), (2, 4 * 4 * 8)), name="dense"), "dense/bias"), name="out")


@pytest.fixture(scope="module")
def int8():
    return convert(build(net)).graph


def test_an_int8_graph_is_sound(int8):
    graph = Graph(int8, ["out"])
    assert {"QuantizedConcatV2", "QuantizedMaxPool", "QuantizedAvgPool", "Dequantize"} <= {
        node.op for node in graph.nodes.values()
    }
    assert list(range_faults(graph)) == []


def positions(graph):
    """The inputs of all nodes that are one end of a range."""
    for node in graph.nodes.values():
        if not node.op.startswith("Quantize") and node.op != "Dequantize":
            continue
        for index, name in enumerate(node.input):
            value = graph.constant(name)
            if value is not None and value.dtype == np.float32 and "bias" not in name:
                yield node.name, index


def test_another_value_anywhere_is_found(int8):
    """What an op gives its result as a range shows at the readers; a Dequantize of one's own has none."""
    everywhere = list(positions(Graph(int8)))
    assert len(everywhere) > 60
    for name, index in everywhere:
        graph = Graph(int8, ["out"])
        node = graph.nodes[name]
        wrong = np.float32(graph.constant(node.input[index]) * 1.5 + 0.25)
        alone = "weights_m" in node.input[index]  # weights that one op reads have the range that it says
        graph.set_input(node, index, graph.add_constant("wrong", wrong))
        assert bool(list(range_faults(graph))) != alone, (name, node.op, index)


def test_the_fault_is_named(int8):
    graph = Graph(int8, ["out"])
    node = next(item for item in graph.nodes.values() if item.op == "QuantizedMaxPool")
    graph.set_input(node, 2, graph.add_constant("wrong", np.float32(99)))
    assert "'%s' (QuantizedMaxPool) reads 'sum/int8' with another range than that tensor has" % node.name in list(
        range_faults(graph)
    )


def test_an_equal_constant_is_the_same_range(int8):
    graph = Graph(int8, ["out"])
    for name, index in list(positions(graph)):
        node = graph.nodes[name]
        graph.set_input(node, index, graph.add_constant("copy", graph.constant(node.input[index])))
    assert list(range_faults(graph)) == []


def test_the_range_that_an_op_gives_itself():
    graph = Graph(convert(build(lambda: conv_block(image(), "out"))).graph)
    node = next(item for item in graph.nodes.values() if item.op == "Dequantize")
    graph.set_inputs(node, [node.input[0], node.input[0] + ":1", node.input[0] + ":2"])
    assert list(range_faults(graph)) == []
    graph.set_inputs(node, [node.input[0], node.input[0] + ":2", node.input[0] + ":1"])
    assert len(list(range_faults(graph))) == 1


def test_two_readers_of_weights_agree():
    graph = Graph(convert(build(lambda: [conv_block(image(), name) for name in ("one", "two")])).graph)
    one, two = (node for node in graph.nodes.values() if node.op.startswith("QuantizedConv2D"))
    graph.set_input(two, 1, one.input[1])
    assert len(list(range_faults(graph))) == 1
    for index in (5, 6):
        graph.set_input(two, index, one.input[index])
    assert list(range_faults(graph)) == []


def test_other_graphs_have_no_faults():
    assert list(range_faults(Graph(build(net)))) == []
    graph = Graph(build(lambda: conv_block(image(), "out")))
    graph.nodes["out"].op = "QuantizedButUnknown"
    assert list(range_faults(graph)) == []
