"""What may become INT8, what is fused into it, and why not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import end_of
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.transforms.write_as_matmul import OTHER_WEIGHTS
from tests.quantization import builders as b
from tests.quantization.builders import (
    bias,
    build,
    conv,
    conv_block,
    dense,
    depthwise,
    image,
    node,
    old_control_flow,
    random,
    v1,
)

pytestmark = pytest.mark.tensorflow

WIDE = (None, 8, 8, 8)


def candidates(function, outputs=("out",), **options):
    """The groups by their linear node, and the reasons of the others."""
    groups, refused = find_candidates(Graph(build(function), outputs), **options)
    return {group.linear: group for group in groups}, {decision.node: decision.reason for decision in refused}


@pytest.mark.parametrize("linear", [conv, depthwise])
@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_bias_and_activation_are_fused(linear, activation):
    def net():
        x = bias(linear(image(), name="linear"), "bias")
        getattr(tf.nn, activation)(x, name="out")

    group = candidates(net)[0]["linear"]
    assert group.members == ("linear", "bias", "out")
    assert (group.source, group.bias, group.root) == ("input", "bias/values", "out")
    assert group.activation == {"relu": "Relu", "relu6": "Relu6"}[activation]


def clipped(end=4.5, between=tf.identity):
    def net():
        x = tf.nn.relu(bias(conv(image(), name="linear"), "bias"), name="relu")
        tf.minimum(between(x), end, name="out")

    return candidates(net)[0]["linear"]


def test_a_clip_behind_a_relu_is_its_end():
    group = clipped(between=lambda x: x)
    assert group.members == ("linear", "bias", "relu", "out")
    assert (group.root, group.activation, end_of(group.activation)) == ("out", "Relu4.5", 4.5)


@pytest.mark.parametrize(
    "options", [{"end": b.random("ends", (8,))}, {"end": -1.0, "between": lambda x: x}, {"between": tf.identity}]
)
def test_other_minima_are_no_ends(options):
    group = clipped(**options)
    assert (group.root, group.activation, end_of(group.activation)) == ("relu", "Relu", None)


def test_activation_without_bias():
    group = candidates(lambda: tf.nn.relu(conv(image(), name="conv"), name="out"))[0]["conv"]
    assert (group.members, group.bias) == (("conv", "out"), None)


def test_a_bare_product_is_its_own_root():
    group = candidates(lambda: dense(image((None, 4)), name="out"))[0]["out"]
    assert (group.members, group.root, group.activation) == (("out",), "out", "")


def middle_output():
    tf.nn.relu(bias(conv(image(), name="conv"), "bias"), name="out")


@pytest.mark.parametrize(
    ("outputs", "members"),
    [
        (("out", "bias"), ("conv", "bias")),
        (("out", "conv"), ("conv",)),
        (("out", "conv:0"), ("conv",)),
        (("out",), ("conv", "bias", "out")),
    ],
)
def test_outputs_end_a_group(outputs, members):
    assert candidates(middle_output, outputs)[0]["conv"].members == members


def test_a_second_reader_ends_a_group():
    def net():
        x = bias(conv(image(), name="conv"), "bias")
        tf.add(tf.nn.relu(x), tf.nn.sigmoid(x), name="out")

    assert candidates(net)[0]["conv"].members == ("conv", "bias")


@pytest.mark.parametrize("name", ["bias", "out"])
def test_excluded_nodes_are_not_fused(name):
    groups, _ = candidates(middle_output, excluded_nodes=[name])
    assert name not in groups["conv"].members


def test_exclusions():
    assert candidates(middle_output, excluded_ops=["Conv2D"]) == ({}, {"conv": "op excluded by the user"})
    assert candidates(middle_output, excluded_nodes=["conv"]) == ({}, {"conv": "node excluded by the user"})
    assert candidates(middle_output, excluded_ops=["Relu"])[0]["conv"].members == ("conv", "bias")
    assert candidates(middle_output, excluded_ops=["MatMul"])[0]["conv"].members == ("conv", "bias", "out")


def test_members_that_wait_are_not_fused():
    def net():
        x = image()
        y = bias(conv(x, name="conv"), "bias")
        with tf.control_dependencies([tf.nn.relu(x, name="first")]):
            tf.nn.relu(y, name="out")

    assert candidates(net)[0]["conv"].members == ("conv", "bias")


# -- refusals ------------------------------------------------------------------------------------


def half():
    weights = tf.constant(random("w", (3, 3, 4, 8)).astype(np.float16))
    v1.nn.conv2d(image(dtype=tf.float16), weights, strides=[1, 1, 1, 1], padding="SAME", name="out")


def computed():
    v1.nn.conv2d(image(), tf.exp(image((3, 3, 4, 8), "w")), strides=[1, 1, 1, 1], padding="SAME", name="out")


def infinite():
    weights = random("w", (3, 3, 4, 8))
    weights[0, 0, 0, 0] = np.inf
    conv(image(), weights=weights, name="out")


def channels_first():
    weights = tf.constant(random("w", (3, 3, 4, 8)))
    x = image((None, 4, 8, 8))
    v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME", data_format="NCHW", name="out")


def transposed_input():
    tf.linalg.matmul(image((4, 6)), tf.constant(random("w", (4, 5))), transpose_a=True, name="out")


def batched():
    tf.raw_ops.BatchMatMulV2(x=image((2, 4, 6)), y=tf.constant(random("w", (2, 6, 5))), name="out")


def in_space():
    weights = tf.constant(random("w", (3, 3, 3, 4, 8)))
    tf.raw_ops.Conv3D(input=image((None, 4, 8, 8, 4)), filter=weights, strides=[1] * 5, padding="SAME", name="out")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (
            batched,
            "BatchMatMulV2 has no INT8 kernel, and it is not written as a MatMul: " + OTHER_WEIGHTS,
        ),
        (in_space, "Conv3D has no INT8 kernel"),
        (half, "not float32"),
        (computed, "weights are not constant"),
        (infinite, "weights are not finite"),
        (channels_first, "data format NCHW has no INT8 kernel"),
        (transposed_input, "a transposed input has no INT8 kernel"),
    ],
)
def test_refused(function, reason):
    assert candidates(function) == ({}, {"out": reason})


def test_groups_in_loops_and_branches():
    def net():
        x = image((1, 4, 4, 4))
        with old_control_flow():
            x = tf.while_loop(
                lambda i, t: i < 2, lambda i, t: (i + 1, conv_block(t, "body", filters=4)), [0, x], name="while"
            )[1]
            x = tf.cond(tf.reduce_sum(x) > 0, lambda: conv_block(x, "yes", filters=4), lambda: x)
        conv_block(x, "out")

    groups, refused = candidates(net, ("out/out",))
    assert {name: group.root for name, group in groups.items()} == {
        "while/body": "while/body/out",
        "cond/yes": "cond/yes/out",
        "out": "out/out",
    }
    assert not refused


def test_a_group_ends_where_a_branch_begins():
    """A bias, a Pad or an activation that runs in a branch only is no part of a convolution outside."""

    def net():
        x = image((1, 8, 8, 4))
        flag = v1.placeholder(tf.bool, (), "flag")
        outside = conv(x, 8, name="outside")
        values = tf.constant(random("values", (8,)), name="values")
        padded = tf.pad(x, tf.constant([[0, 0], [1, 1], [1, 1], [0, 0]], name="paddings"), name="pad")
        inside = conv(padded, 8, padding="VALID", name="inside")
        with old_control_flow():
            tf.cond(flag, lambda: tf.identity(x, name="pivot"), lambda: x, name="cond")
        tf.identity(tf.nn.bias_add(outside, values, name="bias") + inside, name="out")

    graph_def = build(net)
    plain = find_candidates(Graph(graph_def, ["out"]))[0]
    assert {group.linear: (group.root, group.source) for group in plain} == {
        "outside": ("add", "input"),
        "inside": ("inside", "input"),
    }
    for name in ("values", "paddings"):
        node(graph_def, name).input.append("^cond/pivot")
    groups = find_candidates(Graph(graph_def, ["out"]))[0]
    assert {group.linear: (group.root, group.source) for group in groups} == {
        "outside": ("outside", "input"),
        "inside": ("inside", "pad"),
    }


# -- Pad -----------------------------------------------------------------------------------------


def padded(paddings, padding="VALID", keep=False, linear=conv):
    def net():
        pad = tf.pad(image(), paddings, name="pad")
        x = tf.nn.relu(linear(pad, padding=padding, name="linear"), name="out")
        if keep:
            tf.add(tf.reduce_sum(x), tf.reduce_sum(pad), name="second")

    return net


SPATIAL = [[0, 0], [1, 2], [0, 3], [0, 0]]


@pytest.mark.parametrize("linear", [conv, depthwise])
@pytest.mark.parametrize("keep", [False, True])
def test_pad_is_fused(linear, keep):
    group = candidates(padded(SPATIAL, keep=keep, linear=linear))[0]["linear"]
    assert (group.source, group.pads) == ("input", (1, 2, 0, 3))


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (padded(SPATIAL, "SAME"), {}),
        (padded([[0, 0], [1, 1], [1, 1], [0, 1]]), {}),
        (padded([[1, 0], [1, 1], [1, 1], [0, 0]]), {}),
        (padded(SPATIAL), {"excluded_nodes": ["pad"]}),
        (padded(SPATIAL), {"excluded_ops": ["Pad"]}),
    ],
)
def test_pad_is_not_fused(function, options):
    group = candidates(function, **options)[0]["linear"]
    assert (group.source, group.pads) == ("pad", None)


def test_explicit_padding():
    def net():
        padding = [[0, 0], [1, 2], [0, 3], [0, 0]]
        weights = tf.constant(random("w", (3, 3, 4, 8)))
        v1.nn.conv2d(image(), weights, strides=[1, 1, 1, 1], padding=padding, name="out")

    assert candidates(net)[0]["out"].pads == (1, 2, 0, 3)


# -- residual additions --------------------------------------------------------------------------


def residual(summand, activation="relu", add=tf.add, after=None):
    """``out`` = relu(conv ``last`` + summand(x)); x is read by the first convolution of the block, too."""

    def net():
        x = tf.nn.relu(image(WIDE), name="x")
        y = conv_block(x, "first")
        y = bias(conv(y, name="last"), "last/bias")
        other = summand(x)
        total = add(y, other, name="sum") if add is tf.add else add(x=y, y=other, name="sum")
        result = getattr(tf.nn, activation)(total, name="out")
        if after:
            tf.add(tf.reduce_sum(after(x, other, result)), 0.0, name="later")

    return net


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@pytest.mark.parametrize("add", [tf.add, tf.raw_ops.Add, tf.raw_ops.AddV2])
def test_an_identity_shortcut_is_fused(activation, add):
    group = candidates(residual(lambda x: x, activation, add))[0]["last"]
    assert (group.summand, group.root) == ("x", "out")
    assert group.members == ("last", "last/bias", "sum", "out")
    assert group.observed() == ("first/out", "out", "x", "last/bias")


def test_two_convolutions_the_later_takes_the_addition():
    groups, _ = candidates(residual(lambda x: bias(conv(x, name="shortcut"), "shortcut/bias")))
    fused = [group for group in groups.values() if group.summand]
    assert len(fused) == 1
    assert list(groups)[-1] == fused[0].linear
    assert fused[0].summand == ("last/bias" if fused[0].linear == "shortcut" else "shortcut/bias")


def test_a_summand_that_is_read_later_is_not_fused():
    net = residual(lambda x: x, after=lambda x, other, result: tf.reduce_sum(x) + tf.reduce_sum(result))
    assert candidates(net, ("out", "later"))[0]["last"].summand is None


def test_a_summand_that_is_read_beside_is_not_fused():
    net = residual(lambda x: x, after=lambda x, other, result: conv_block(x, "beside"))
    assert candidates(net, ("out", "later"))[0]["last"].summand is None


def test_a_summand_that_is_waited_for_is_not_fused():
    def wait(x, other, result):
        with tf.control_dependencies([x]):
            return tf.identity(tf.constant(1.0))

    assert candidates(residual(lambda x: x, after=wait), ("out", "later"))[0]["last"].summand is None


def test_a_summand_that_is_an_output_is_not_fused():
    assert candidates(residual(lambda x: x), ("out", "x"))[0]["last"].summand is None


def test_a_constant_summand_is_not_fused():
    groups, _ = candidates(residual(lambda x: tf.constant(random("c", (1, 8, 8, 8)))))
    assert groups["last"].summand is None


def test_twice_the_same_is_not_fused():
    def net():
        y = bias(conv(image(), name="conv"), "bias")
        tf.nn.relu(y + y, name="out")

    assert candidates(net)[0]["conv"].members == ("conv", "bias")


def test_a_summand_with_a_twin_is_not_fused():
    """Grappler makes one of the pools, whose result both sums would write into."""

    def net(size):
        x = tf.nn.relu(image(WIDE), name="x")
        for name, window in (("a", 3), ("b", size)):
            y = bias(conv(conv_block(x, name + "/first"), name=name), name + "/bias")
            tf.nn.relu(y + tf.nn.max_pool2d(x, window, 1, "SAME"), name=name + "/out")

    for size, summands in ((3, [None, None]), (2, ["MaxPool2d", "MaxPool2d_1"])):
        groups, _ = candidates(lambda size=size: net(size), ("a/out", "b/out"))
        assert [groups[name].summand for name in "ab"] == summands


def test_a_convolution_that_reads_its_own_summand_is_not_fused():
    def net(pad):
        x = tf.nn.relu(image(WIDE), name="x")
        y = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad") if pad else x
        y = bias(conv(y, padding="VALID" if pad else "SAME", name="conv"), "bias")
        tf.nn.relu(y + x, name="out")

    for pad in (False, True):
        assert candidates(lambda pad=pad: net(pad))[0]["conv"].summand is None


def test_a_reader_behind_a_pad_counts():
    """The Pad runs before, but what it is fused into reads the summand itself, whenever it likes."""

    def net():
        x = tf.nn.relu(image(WIDE), name="x")
        pad = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad")
        y = bias(conv(tf.nn.max_pool2d(pad, 3, 1, "VALID"), name="last"), "last/bias")
        tf.nn.relu(y + x, name="out")
        conv_block(pad, "side", padding="VALID")

    assert candidates(net, ("out", "side/out"))[0]["last"].summand is None


def test_a_summand_that_the_next_round_of_a_loop_reads_is_not_fused():
    """What the convolution reads of it is from the round before, and says nothing of this one's reader."""

    def net():
        late = x = tf.nn.relu(image(WIDE), name="x")
        for _ in range(20):  # what enters the loop late stands late in the order, too
            late = tf.sqrt(late + 0.1)

        def body(i, t, state):
            summand = conv_block(t, "first")
            y = bias(conv(conv_block(state, "second"), name="last"), "last/bias")
            return i + 1, tf.nn.relu(y + summand) * 0.1, summand

        with old_control_flow():
            _, y, state = tf.while_loop(lambda i, t, state: i < 3, body, [0, x, late], name="while")
        tf.add(y, state, name="out")

    groups = candidates(net)[0]
    assert {name: group.summand for name, group in groups.items()} == {
        "while/first": None,
        "while/second": None,
        "while/last": None,
    }


def test_an_addition_that_is_excluded_is_not_fused():
    assert candidates(residual(lambda x: x), excluded_nodes=["sum"])[0]["last"].summand is None
    assert candidates(residual(lambda x: x), excluded_ops=["AddV2", "Add"])[0]["last"].summand is None


@pytest.mark.parametrize("add", [tf.add, tf.raw_ops.Add, tf.raw_ops.AddV2])
def test_an_addition_without_a_relu_ends_its_group(add):
    group = candidates(residual(lambda x: x, "sigmoid", add))[0]["last"]
    assert (group.summand, group.root, group.activation) == ("x", "sum", "")
    assert group.members == ("last", "last/bias", "sum")
    assert group.observed() == ("first/out", "sum", "x", "last/bias")


def test_a_relu_that_is_not_alone_in_reading_the_sum_is_not_fused():
    def net():
        x = tf.nn.relu(image(WIDE), name="x")
        total = bias(conv(conv_block(x, "first"), name="last"), "last/bias") + x
        tf.add(tf.nn.relu(total), tf.nn.sigmoid(total), name="out")

    group = candidates(net)[0]["last"]
    assert (group.summand, group.activation) == ("x", "")
    assert candidates(residual(lambda x: x), excluded_nodes=["out"])[0]["last"].root == "sum"


# -- order and cost ------------------------------------------------------------------------------


def block(x, name):
    y = conv_block(x, name + "/first", kernel=1, filters=2)
    y = bias(conv(y, 2, kernel=1, name=name + "/last"), name + "/last/bias")
    return tf.nn.relu(y + x, name=name + "/out")


def test_groups_come_behind_those_they_read():
    def net():
        x = tf.nn.relu(image((None, 4, 4, 2)))
        for number in range(5):
            x = block(x, "block%d" % number)
        tf.identity(x, name="out")

    groups, _ = find_candidates(Graph(build(net), ["out"]))
    place = {group.root: number for number, group in enumerate(groups)}
    for group in groups:
        for name in (group.source, group.summand):
            assert name not in place or place[name] < place[group.root]
    assert sum(1 for group in groups if group.summand) == 5


class Counting(Graph):
    """Counts how often anything is looked up by its consumers."""

    asked = 0

    def consumers(self, node):
        self.asked += 1
        return super().consumers(node)


def test_the_work_grows_with_the_graph_and_no_faster():
    def net(blocks):
        x = tf.nn.relu(image((None, 4, 4, 2)))
        for number in range(blocks):
            x = block(x, "block%d" % number)
        tf.identity(x, name="out")

    counts = []
    for blocks in (20, 80):
        graph = Counting(build(lambda blocks=blocks: net(blocks)), ["out"])
        groups, _ = find_candidates(graph)
        assert len(groups) == 2 * blocks
        counts.append(graph.asked)
    assert counts[1] < 5 * counts[0]
