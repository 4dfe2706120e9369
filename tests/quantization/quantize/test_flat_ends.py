"""Where what reads a tensor no longer tells its values apart."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.statistics import Statistics, TensorStatistics, histogram_of
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.flat_ends import find_ends, narrow_ranges
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

pytestmark = pytest.mark.tensorflow
SEEN = TensorStatistics(count=100, minimum=-20.0, maximum=12.0)


def ends(activation, outputs=("out",), seen=SEEN, behind=True):
    """What is found for a tensor that an activation reads."""

    def net():
        x = tf.identity(b.conv_block(b.image(), "c", activation=None), name="x")
        y = activation(x)
        tf.identity(b.conv(y, name="next") if behind else y, name="out")

    return find_ends(Graph(b.build(net), list(outputs)), "x", seen)


def near(found, low, high):
    assert found is not None
    assert found == pytest.approx((low, high), abs=0.5)


@pytest.mark.parametrize(
    "activation",
    [
        lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
        lambda x: x * (tf.nn.relu6(x + 3.0) * (1.0 / 6.0)),
        lambda x: tf.nn.relu6(x + 3.0) * 0.16667 * x,
        lambda x: x * tf.minimum(tf.maximum(x + 3.0, 0.0), 6.0) / 6.0,
    ],
    ids=["divided", "gate first", "turned", "clips"],
)
def test_hard_swish(activation):
    near(ends(activation), -3.0, 12.0)


@pytest.mark.parametrize(
    ("activation", "low", "high"),
    [
        (lambda x: tf.nn.relu6(x + 3.0) / 6.0, -3.0, 3.0),
        (tf.nn.relu, 0.0, 12.0),
        (tf.nn.sigmoid, -8.3, 8.3),
        (lambda x: x * tf.nn.sigmoid(x), -8.2, 12.0),
        (tf.tanh, -4.2, 4.2),
        (lambda x: tf.minimum(tf.maximum(x, -2.0), 5.0), -2.0, 5.0),
        (lambda x: tf.nn.relu6((2.0 * x + 1.0) + 3.0), -2.0, 1.0),
        (tf.nn.softplus, -5.8, 12.0),
        (lambda x: tf.negative(tf.nn.relu(x)), 0.0, 12.0),
    ],
    ids=["hard sigmoid", "relu", "sigmoid", "swish", "tanh", "clip", "scaled", "softplus", "negative"],
)
def test_others(activation, low, high):
    near(ends(activation), low, high)


def test_the_channel_that_tells_most_counts():
    near(ends(lambda x: tf.nn.relu(x + tf.constant(np.linspace(0.0, 7.0, 8).astype(np.float32)))), -7.0, 12.0)


def test_two_readers_tell_more_than_one():
    near(ends(lambda x: tf.nn.relu(x) + tf.nn.relu6(x + 10.0)), -10.0, 12.0)
    for order in (1, -1):
        near(ends(lambda x: tf.concat([tf.nn.relu6(x), tf.nn.relu6(x + 10.0)][::order], 3)), -10.0, 6.0)  # noqa: B023


@pytest.mark.parametrize(
    "activation",
    [
        lambda x: b.conv(x, name="reader"),
        lambda x: tf.nn.relu(x) + b.conv(x, name="reader"),
        tf.nn.leaky_relu,
        lambda x: 2.0 * x,
        lambda x: x * b.conv(b.image(name="other"), name="gate"),
        tf.nn.softmax,
        lambda x: tf.nn.relu(x + tf.constant(np.full(8, np.nan, np.float32))),
        lambda x: x * (tf.nn.relu(x) + tf.nn.elu(b.image((None, 8, 8, 8), name="other"))),
        lambda x: tf.nn.relu(x) + x[:, ::-1],
        lambda x: tf.nn.relu(x * b.random("map", (8, 8, 8))),
        lambda x: tf.nn.relu(tf.nn.bias_add(x, b.random("rows", (8,)), data_format="NCHW")),
        lambda x: 1.0 / x,
        lambda x: tf.concat([tf.nn.relu(x), 1.0 / x], 3),
    ],
    ids=["convolution", "both", "leaky", "linear", "other tensor", "softmax", "nan"]
    + ["a product with other tensors", "moved", "a factor of each value", "NCHW", "a pole", "also a pole"],
)
def test_what_tells_all_values_apart_or_cannot_be_followed(activation):
    assert ends(activation) is None


@pytest.mark.parametrize("length", [30, 40])
def test_long_chains_are_not_followed(length):
    def activation(x):
        for _ in range(length):
            x = tf.nn.relu6(x)
        return x

    found = ends(activation)
    assert (found is None) is (length == 40)


def test_nodes_in_any_order():
    """A product may come first whose other operand is what the tensor goes through."""

    def net():
        x = tf.identity(b.conv_block(b.image(), "c", activation=None), name="x")
        tf.identity(b.conv(x * tf.nn.relu6(x + 3.0) / 6.0, name="next"), name="out")

    graph_def = b.build(net)
    nodes = list(graph_def.node)
    for number in range(len(nodes)):
        del graph_def.node[:]
        graph_def.node.extend([*nodes[number:], *nodes[:number]][::-1])
        near(find_ends(Graph(graph_def, ["out"]), "x", SEEN), -3.0, 12.0)


def test_an_output_keeps_all():
    assert ends(tf.nn.relu, outputs=("out", "x")) is None


def test_scores_do_not_tie_where_they_are_large():
    found = ends(tf.nn.sigmoid, behind=False)
    assert found is not None
    assert found[0] == pytest.approx(-8.3, abs=0.5)
    assert found[1] == 12.0


@pytest.mark.parametrize(
    ("activation", "low", "high"),
    [
        (lambda x: 1.0 - tf.nn.sigmoid(x), -20.0, 8.3),
        (lambda x: tf.nn.relu6(tf.abs(x)), None, None),
        (lambda x: tf.nn.relu6(x * tf.constant(np.float32([1, -1] * 4))), None, None),
        (lambda x: x * tf.nn.relu6(x + 3.0) / 6.0, -3.0, 12.0),
    ],
    ids=["falling", "both ends", "some channels fall", "rising"],
)
def test_which_end_is_large(activation, low, high):
    found = ends(activation, behind=False)
    assert (found is None) is (low is None)
    if found is not None:
        near(found, low, high)
    else:
        near(ends(activation), -6.0, 6.0)


@pytest.mark.parametrize(
    "last",
    [lambda x: tf.argmax(x, -1), lambda x: tf.nn.top_k(x, 2)[1], tf.nn.softmax, lambda x: tf.cast(x, tf.float16)],
    ids=["argmax", "top k", "softmax", "none"],
)
def test_what_looks_for_the_largest(last):
    def net():
        x = tf.identity(b.conv_block(b.image(), "c", activation=None), name="x")
        tf.identity(last(tf.nn.sigmoid(x)), name="out")

    found = find_ends(Graph(b.build(net), ["out"]), "x", SEEN)
    scores = last(tf.zeros((1, 3))).dtype != tf.float16
    near(found, -8.3, 12.0 if scores else 8.3)


@pytest.mark.parametrize(
    "seen",
    [
        TensorStatistics(count=9, minimum=1.0, maximum=5.0),
        TensorStatistics(count=9, minimum=-50.0, maximum=-10.0),
        TensorStatistics(count=9, minimum=2.0, maximum=2.0),
        TensorStatistics(),
    ],
    ids=["not reached", "flat everywhere", "one value", "nothing"],
)
def test_ranges_without_a_flat_end(seen):
    assert ends(tf.nn.relu, seen=seen) is None


def hard_swish_net(scale=12.0):
    weights = b.weights_for("first", (1, 1, 4, 8)) * scale
    x = b.bias(
        b.conv(b.image(), weights=weights, name="first"), "first/bias", np.repeat(np.float32([-10.0 * scale, 0.0]), 4)
    )
    y = x * tf.nn.relu6(x + 3.0) / 6.0
    tf.identity(b.bias(b.conv(y, kernel=1, name="last"), "last/bias"), "out")


def test_statistics_are_narrowed_in_a_copy():
    prepared = prepare(b.build(hard_swish_net), [b.batch(b.build(hard_swish_net), 8)])
    before = copy.deepcopy(prepared.statistics)
    name = "first/bias"
    found = narrow_ranges(prepared.graph, list(prepared.groups.values()), prepared.statistics)
    assert found.tensors[name].minimum == pytest.approx(-3.0, abs=0.1)
    assert found.tensors[name].maximum == before.tensors[name].maximum
    assert prepared.statistics.tensors[name].minimum == before.tensors[name].minimum < -10
    np.testing.assert_array_equal(prepared.statistics.tensors[name].histogram, before.tensors[name].histogram)
    assert found.tensors[name].histogram.sum() < before.tensors[name].histogram.sum()
    assert found.tensors["first/bias"].count == before.tensors[name].count
    assert found.tensors["input"] is prepared.statistics.tensors["input"]


def test_values_beyond_leave_the_histogram():
    values = np.array([-20.0, -5.0, -2.0, 1.0, 4.0], np.float32)
    seen = TensorStatistics(count=5, minimum=-20.0, maximum=4.0, histogram=histogram_of(values))

    def net():
        x = tf.identity(b.image(), name="x")
        tf.identity(b.conv(tf.nn.relu6(x + 3.0), name="next"), name="out")

    graph = Graph(b.build(net), ["out"])
    group = prepare(b.build(hard_swish_net), [b.batch(b.build(hard_swish_net), 2)]).groups["first"]
    statistics = Statistics(tensors={"x": seen})
    found = narrow_ranges(graph, [replace(group, root="x", activation="")], statistics).tensors["x"]
    assert found.histogram.sum() == 2
    assert (found.minimum, found.maximum) == pytest.approx((-3.0, 3.0), abs=0.05)


def test_only_what_has_no_activation_of_its_own():
    prepared = prepare(b.build(hard_swish_net), [b.batch(b.build(hard_swish_net), 8)])
    group = prepared.groups["first"]
    for kept in (replace(group, activation="Relu6"), replace(group, root="unknown")):
        assert narrow_ranges(prepared.graph, [kept], prepared.statistics).tensors == prepared.statistics.tensors
    never = replace(prepared.statistics, tensors={group.root: TensorStatistics()})
    assert narrow_ranges(prepared.graph, [group], never).tensors == never.tensors


@pytest.mark.parametrize("algo", ["DIRECT", "MA", "KL", "PERCENTILE", "MSE", "AUTO"])
def test_with_every_algorithm(algo):
    """What is cut off makes no difference; a sigmoid's values lie beyond both ends here."""

    def net():
        x = b.bias(b.conv(b.image(), weights=b.weights_for("first", (1, 1, 4, 8)) * 30.0, name="first"), "first/bias")
        tf.identity(b.bias(b.conv(tf.nn.sigmoid(x), kernel=1, name="last"), "last/bias"), "out")

    graph_def = b.build(net)
    feed = {"input:0": np.sign(b.random("signs", (8, 8, 8, 4)))}
    assert b.error(b.convert(graph_def, [feed], outputs=["out"], algo=algo), feed) < 0.05


def test_finer_steps_for_what_counts(monkeypatch):
    graph_def = b.build(hard_swish_net)
    feed, other = b.batch(graph_def, 8), b.batch(graph_def, 8, seed=1)
    want = b.run(graph_def, other, "out:0")[0]

    def noise():
        got = b.convert(graph_def, [feed], outputs=["out"], excluded_nodes=["last"]).graph
        return float(np.square(b.run(got, other, "out:0")[0] - want).sum())

    narrow = noise()
    monkeypatch.setattr(
        "intel_quantization.quantize.quantize_graph.narrow_ranges", lambda graph, groups, statistics: statistics
    )
    assert narrow < 0.6 * noise()
