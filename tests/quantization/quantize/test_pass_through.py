"""Tests of pools, concatenations, reshapes and pads that pass INT8 values on from one INT8 op to the next."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize.pass_through import find_pass_through
from tests.quantization import builders as b
from tests.quantization.kept_weights import kept_weights

v1 = tf.compat.v1


def feed(channels=4, size=12):
    return {"input:0": b.random("values", (2, size, size, channels))}


def convert(function, *args, **options):
    """The conversion of the graph that ``function`` builds on an image; its output is ``out``."""
    graph_def = b.build(lambda: tf.identity(function(b.image((None, 12, 12, 4)), *args), "out"))
    return GraphConverter(graph_def, outputs=["out"], per_channel=True, calibration_data=[feed()], **options).convert()


def ops(conversion):
    return Counter(node.op for node in conversion.graph.node)


def decisions(conversion, op):
    return [(item.int8, item.reason) for item in conversion.decisions if item.op == op]


def error(conversion):
    """The largest difference to FP32, as a part of the largest FP32 value."""
    want, got = (b.run_graph(graph, feed(), ["out:0"])[0] for graph in (conversion.input_graph, conversion.graph))
    assert want.shape == got.shape
    return np.abs(want - got).max() / np.abs(want).max()


def conv(x, name, filters=8, kernel=3):
    weights = kept_weights(name, (kernel, kernel, int(x.shape[-1]), filters))
    x = b.conv(x, filters, kernel, name=name, weights=weights)
    return tf.nn.bias_add(x, tf.constant(b.random(name + "/bias", (filters,), 0.1)))


def block(x, name, activation=tf.nn.relu, filters=8, kernel=3):
    x = conv(x, name, filters, kernel)
    return activation(x) if activation else x


def pooled(x, pool, size=3, strides=2, padding="SAME", activation=tf.nn.relu):
    x = block(x, "first", activation)
    return block(pool(x, size, strides, padding), "second")


@pytest.mark.parametrize("activation", [tf.nn.relu, None], ids=["unsigned", "signed"])
@pytest.mark.parametrize("op", ["MaxPool", "AvgPool"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_pool(op, padding, activation):
    pool = tf.nn.max_pool2d if op == "MaxPool" else tf.nn.avg_pool2d
    conversion = convert(pooled, pool, 3, 2, padding, activation)
    assert ops(conversion)["Quantized" + op] == 1
    assert ops(conversion)[op] == 0
    assert ops(conversion)["Dequantize"] == 1
    assert ops(conversion)["QuantizeV2"] == 1
    assert decisions(conversion, op) == [(True, "")]
    assert error(conversion) < 0.03


def test_pool_that_nothing_in_int8_reads_stays_fp32():
    conversion = convert(lambda x: tf.nn.max_pool2d(block(x, "first"), 2, 2, "SAME"))
    assert ops(conversion)["MaxPool"] == 1
    assert decisions(conversion, "MaxPool") == [(False, "nothing that is INT8 reads it")]


def test_pool_of_an_fp32_tensor_stays_fp32():
    conversion = convert(lambda x: block(tf.nn.max_pool2d(x, 2, 2, "SAME"), "first"))
    assert ops(conversion)["MaxPool"] == 1
    assert decisions(conversion, "MaxPool") == [(False, "an input is not INT8")]


def test_mean_over_the_whole_image_stays_fp32():
    conversion = convert(pooled, tf.nn.avg_pool2d, 12, 1, "VALID")
    assert ops(conversion)["AvgPool"] == 1
    assert decisions(conversion, "AvgPool")[0][1].startswith("a mean over the whole image")


@pytest.mark.parametrize("options", [{"excluded_ops": ["MaxPool"]}, {"excluded_nodes": ["pool"]}])
def test_excluded(options):
    def net(x):
        return block(v1.nn.max_pool(block(x, "first"), 2, 2, "SAME", name="pool"), "second")

    conversion = convert(net, **options)
    assert ops(conversion)["MaxPool"] == 1
    assert error(conversion) < 0.03


def test_result_that_fp32_reads_too_is_dequantized():
    def net(x):
        x = tf.nn.max_pool2d(block(x, "first"), 2, 2, "SAME")
        return block(x, "second") + tf.sigmoid(x)

    conversion = convert(net)
    assert ops(conversion)["QuantizedMaxPool"] == 1
    assert ops(conversion)["Dequantize"] == 2
    assert error(conversion) < 0.03


MOVING = {
    "Transpose": lambda x: tf.transpose(x, [0, 2, 1, 3]),
    "Slice": lambda x: tf.slice(x, [0, 1, 2, 0], [-1, 8, 8, -1]),
    "StridedSlice": lambda x: x[:, ::2, 1::2, :],
    "SpaceToBatchND": lambda x: tf.space_to_batch(x, [2, 3], [[1, 1], [0, 0]]),
    "BatchToSpaceND": lambda x: tf.batch_to_space(x, [2, 1], [[1, 0], [0, 0]]),
    "DepthToSpace": lambda x: tf.nn.depth_to_space(x, 2),
    "SpaceToDepth": lambda x: tf.nn.space_to_depth(x, 2),
    "MirrorPad": lambda x: tf.pad(x, [[0, 0], [2, 1], [1, 3], [0, 0]], "SYMMETRIC"),
    "Tile": lambda x: tf.tile(x, [1, 2, 1, 3]),
    "ResizeNearestNeighbor": lambda x: v1.image.resize_nearest_neighbor(x, [18, 30]),
}


@pytest.mark.parametrize("activation", [tf.nn.relu, None], ids=["unsigned", "signed"])
@pytest.mark.parametrize("op", MOVING)
def test_what_moves_values_moves_bytes(op, activation):
    conversion = convert(lambda x: block(MOVING[op](block(x, "first", activation)), "second"))
    found = ops(conversion)
    assert found[op] == 1
    assert found["Bitcast"] == 2
    assert (found["QuantizeV2"], found["Dequantize"]) == (1, 1)
    (moving,) = (node for node in conversion.graph.node if node.op == op)
    assert moving.attr["T"].type == (tf.uint8 if activation else tf.int8).as_datatype_enum
    assert error(conversion) < 0.03


def test_what_fp32_reads_is_moved_in_fp32():
    conversion = convert(lambda x: tf.transpose(block(x, "first"), [0, 2, 1, 3]))
    assert ops(conversion)["Bitcast"] == 0
    assert ops(conversion)["Transpose"] == 1


def test_a_sum_is_not_added_into_what_was_moved():
    def net(x):
        y = tf.slice(block(x, "first"), [0, 0, 0, 0], [1, -1, -1, -1])
        return block(tf.nn.relu(conv(y, "second") + y), "third")

    conversion = convert(net)
    assert not any("Sum" in op for op in ops(conversion))
    assert error(conversion) < 0.03


def ranges(conversion, op):
    """The upper ends of the ranges that the nodes of an op give."""
    graph = {node.name: node for node in conversion.graph.node}
    found = [node for node in conversion.graph.node if node.op.startswith(op)]
    return sorted(float(tf.make_ndarray(graph[node.input[8]].attr["value"].tensor)) for node in found)


def test_branches_of_a_concatenation_share_one_range():
    def net(x):
        x = block(x, "stem")
        branches = [block(x, "small", lambda y: tf.nn.relu(0.1 * y)), block(x, "large"), block(x, "other")]
        return block(tf.concat(branches, -1), "last")

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 1
    assert ops(conversion)["Dequantize"] == 1
    assert len(set(ranges(conversion, "QuantizedConv2D"))) == 3  # stem, the branches, last
    assert error(conversion) < 0.03


def test_a_branch_that_is_clipped_keeps_its_end_beside_others():
    """With the range of the others it would go beyond 6."""

    def net(x):
        x = block(x, "stem")
        clipped = block(x, "clipped", lambda y: tf.nn.relu6(30.0 * y))
        large = block(x, "large", lambda y: tf.nn.relu(10.0 * y))
        return block(tf.concat([clipped, large], -1), "last")

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 1
    assert error(conversion) < 0.03


def test_branch_that_others_read_keeps_its_range():
    def net(x):
        stem = block(x, "stem", lambda y: tf.nn.relu(0.1 * y))
        return block(tf.concat([stem, block(stem, "large", lambda y: tf.nn.relu(7.0 * y))], 3), "last")

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 1
    assert len(set(ranges(conversion, "QuantizedConv2D"))) == 3
    assert error(conversion) < 0.03


def test_concatenation_of_pools_and_concatenations():
    def net(x):
        x = block(x, "stem")
        inner = tf.concat([block(x, "one"), block(x, "two")], 3)
        outer = tf.concat([tf.nn.max_pool2d(inner, 2, 2, "SAME"), tf.nn.max_pool2d(block(x, "three"), 2, 2, "SAME")], 3)
        return block(outer, "last")

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 2
    assert ops(conversion)["QuantizedMaxPool"] == 2
    assert ops(conversion)["Dequantize"] == 1
    assert len(set(ranges(conversion, "QuantizedConv2D"))) == 3
    assert error(conversion) < 0.03


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_concatenation_along_any_axis(axis):
    def net(x):
        x = block(x, "stem")
        return block(tf.concat([block(x, "one"), block(x, "two")], axis), "last")

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 1
    assert error(conversion) < 0.03


def test_concatenation_with_an_axis_of_int64():
    """QuantizedConcatV2 gives nothing at all then, and the graph fails."""

    def net(x):
        x = block(x, "stem")
        return block(tf.concat([block(x, "one"), block(x, "two")], tf.constant(-1, tf.int64)), "last")

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 1
    assert error(conversion) < 0.03


def test_concatenation_of_matrices():
    def net(x):
        x = tf.reshape(block(tf.nn.max_pool2d(block(x, "stem"), 6, 6, "VALID"), "first"), [-1, 32])
        branches = [tf.nn.relu(tf.matmul(x, tf.constant(b.random(name, (32, 6), 0.3)))) for name in ("one", "two")]
        return tf.nn.relu(tf.matmul(tf.concat(branches, 1), tf.constant(b.random("last", (12, 5)))))

    conversion = convert(net)
    assert ops(conversion)["QuantizedConcatV2"] == 1
    assert ops(conversion)["Dequantize"] == 1
    assert error(conversion) < 0.05


def test_concatenation_of_signed_and_unsigned_stays_fp32():
    conversion = convert(lambda x: block(tf.concat([block(x, "one"), block(x, "two", None)], 3), "last"))
    assert ops(conversion)["ConcatV2"] == 1
    assert decisions(conversion, "ConcatV2") == [(False, "signed and unsigned inputs have no INT8 kernel together")]
    assert error(conversion) < 0.03


def test_concatenation_with_an_fp32_input_stays_fp32():
    conversion = convert(lambda x: block(tf.concat([block(x, "one"), x], 3), "last"))
    assert decisions(conversion, "ConcatV2") == [(False, "an input is not INT8")]


def test_squeeze_reshape_and_expand_dims():
    def net(x):
        x = tf.nn.max_pool2d(block(x, "first"), 12, 12, "VALID")
        x = tf.squeeze(tf.expand_dims(tf.reshape(x, [-1, 1, 8]), 1), [1, 2])
        return tf.nn.relu(tf.matmul(x, tf.constant(b.random("dense", (8, 5)))))

    conversion = convert(net)
    found = ops(conversion)
    assert found["QuantizeV2"] == found["Dequantize"] == found["Squeeze"] == found["ExpandDims"] == 1
    assert error(conversion) < 0.05


@pytest.mark.parametrize(("filters", "int8"), [(8, True), (6, False)])
def test_pad_works_on_four_channels_at_once(filters, int8):
    def net(x):
        x = tf.pad(block(x, "first", filters=filters), [[0, 0], [1, 2], [0, 1], [0, 0]])
        return block(tf.nn.max_pool2d(x, 3, 2, "VALID"), "second")

    conversion = convert(net)
    assert ops(conversion)["QuantizedMaxPool"] == int8
    assert ops(conversion)["Bitcast"] == 2 * int8
    assert all(node.attr["T"].type == tf.float32.as_datatype_enum for node in conversion.graph.node if node.op == "Pad")
    assert error(conversion) < 0.03


def test_pad_keeps_the_shape_known():
    def net(x):
        x = tf.pad(block(x, "first"), [[0, 0], [1, 2], [0, 1], [0, 0]])
        return block(tf.nn.max_pool2d(x, 3, 2, "VALID"), "second")

    conversion = convert(net)
    assert ops(conversion)["Bitcast"] == 2
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(conversion.graph, name="")
        assert graph.get_tensor_by_name("out:0").shape.as_list() == [None, 7, 6, 8]


def test_int8_pool_between_convolutions_is_exact():
    """The max-pool commutes with quantization: INT8 inside gives what FP32 inside gives."""
    inside = convert(pooled, tf.nn.max_pool2d)
    outside = convert(pooled, tf.nn.max_pool2d, excluded_ops=["MaxPool"])
    values = [b.run_graph(conversion.graph, feed(), ["out:0"])[0] for conversion in (inside, outside)]
    step = np.abs(values[0]).max() / 255
    assert np.abs(values[0] - values[1]).max() <= 1.01 * step  # ranges ahead of the pool and behind it differ


def test_summand_that_lives_on_in_another_shape_is_not_added_in_place():
    def net(x):
        x = block(x, "stem")
        again = tf.squeeze(tf.expand_dims(x, 1), [1])
        left = tf.nn.relu(block(x, "one", None) + x)
        return block(left, "two") + block(again, "three")

    conversion = convert(net)
    assert not any("Sum" in node.op for node in conversion.graph.node)
    assert error(conversion) < 0.03


def test_candidates_are_float_ops_with_an_int8_form():
    def net():
        x = b.image((None, 12, 12, 4))
        tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad")
        tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 4]], name="pad_channels")
        v1.nn.max_pool(x, 2, 2, [[0, 0], [1, 1], [1, 1], [0, 0]], name="explicit")
        v1.nn.max_pool(x, [1, 1, 1, 2], [1, 1, 1, 2], "VALID", name="over_channels")
        tf.concat([tf.shape(x), tf.constant([1])], 0, name="numbers")
        tf.concat([x, x], v1.placeholder(tf.int32, (), "axis"), name="unknown_axis")
        tf.concat([x, x], 3, name="concat")
        tf.concat([x, x], 2, name="excluded")
        v1.nn.avg_pool(x, 2, 2, "SAME", name="average")
        v1.nn.max_pool(x, 2, 2, "SAME", "NCHW", name="nchw")

    graph = b.Graph(b.build(net), [])
    found, refused = find_pass_through(graph, ["AvgPool"], ["excluded"])
    assert {item.root: item.sources for item in found} == {"pad": ("input",), "concat": ("input", "input")}
    assert {decision.node: decision.reason for decision in refused} == {
        "explicit": "explicit padding has no INT8 kernel for MaxPool",
        "over_channels": "pooling over images or channels has no INT8 kernel",
        "nchw": "data format NCHW has no INT8 kernel",
        "unknown_axis": "the axis is not constant",
        "excluded": "node excluded by the user",
        "average": "op excluded by the user",
    }
    assert not any(decision.int8 for decision in refused)
