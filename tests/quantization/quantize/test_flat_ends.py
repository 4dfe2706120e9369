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
    ],
    ids=["convolution", "both", "leaky", "linear", "other tensor", "softmax", "nan"],
)
def test_what_tells_all_values_apart_or_cannot_be_followed(activation):
    assert ends(activation) is None


def test_an_output_keeps_all():
    assert ends(tf.nn.relu, outputs=("out", "x")) is None


def test_scores_do_not_tie_where_they_are_large():
    found = ends(tf.nn.sigmoid, behind=False)
    assert found is not None
    assert found[0] == pytest.approx(-8.3, abs=0.5)
    assert found[1] == 12.0


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
