"""What a layer loses by itself is predicted as the INT8 op shows it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.ranges.collectors import min_max
from intel_quantization.quantize.local_error import find_by_channel, local_error, rounded_weights
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

pytestmark = pytest.mark.tensorflow

SIZES = np.geomspace(0.01, 1.0, 8).astype(np.float32)


def layer(kind, activation="relu", sizes=1.0, low=True):
    """One linear op on positive (low: signed) values; its output channels have some sizes."""

    def net():
        x = b.image((None, 8, 8, 8)) if kind != "dense" else b.image((None, 32))
        x = x if low else tf.nn.relu(x)
        if kind == "dense":
            x = b.dense(x, 8, name="op", weights=b.weights_for("op", (32, 8)) * sizes)
        elif kind == "conv":
            x = b.conv(x, name="op", kernel=1, weights=b.weights_for("op", (1, 1, 8, 8)) * sizes)
        else:
            weights = b.random("op", (3, 3, 8, 1), 0.3) * np.reshape(sizes * np.ones(8, np.float32), (8, 1))
            x = b.depthwise(x, name="op", weights=weights)
        x = b.bias(x, "bias", np.zeros(8, np.float32))
        tf.identity(tf.nn.relu(x, name="result") if activation else x, name="out")

    return net


FEED = {"input:0": b.random("values", (16, 8, 8, 8))}
ROWS = {"input:0": b.random("values", (512, 32))}


KINDS = [
    ("conv", "relu", True),
    ("conv", "relu", False),
    ("conv", "", True),
    ("conv", "", False),
    ("depthwise", "relu", False),
    ("dense", "relu", True),
    ("dense", "relu", False),
]


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(("kind", "activation", "low"), KINDS)
def test_the_prediction_is_what_the_op_shows(kind, activation, low, per_channel, monkeypatch):
    monkeypatch.setattr("intel_quantization.kinds.matmul.pays_lifted", lambda case: True)
    monkeypatch.setattr("intel_quantization.quantize.local_error._LARGEST_WEIGHT_ERROR", 1.0)
    graph_def = b.build(layer(kind, activation, SIZES**0.5, low))
    feed = ROWS if kind == "dense" else FEED
    prepared = prepare(graph_def, [feed])
    (group,) = prepared.items
    predicted = local_error(
        prepared.graph,
        group,
        prepared.statistics,
        prepared.trials[group.root],
        min_max,
        per_channel and kind != "dense",
    )
    conversion = b.convert(graph_def, [feed], per_channel=per_channel)
    assert not any(b.reasons(conversion).values())
    wanted, given = (b.run(graph, feed, "out")[0] for graph in (graph_def, conversion.graph))
    signal = wanted - wanted.reshape(-1, 8).mean(axis=0)
    shown = np.square(given - wanted).sum() / np.square(signal).sum()
    assert predicted == pytest.approx(shown, rel=0.25)


def found(kind, sizes, per_channel):
    prepared = prepare(b.build(layer(kind, sizes=sizes, low=False)), [ROWS if kind == "dense" else FEED])
    return find_by_channel(prepared.graph, prepared.items, prepared.statistics, prepared.trials, per_channel)


def test_one_range_for_each_channel_where_one_for_all_would_lose_too_much():
    for kind in ("conv", "depthwise"):
        assert found(kind, SIZES, False) == {"result"}, kind
        assert found(kind, 1.0, True) == {"result"}, kind
    assert found("dense", SIZES, True) == found("dense", SIZES, False) == frozenset()


def test_small_channels_that_matter_little_may_share_one_range():
    """All channels are of one size, and the weights coarse: no channel needs a range of its own."""
    steps = np.rint(b.random("coarse", (1, 1, 8, 8)) * 20).clip(-63, 63)
    steps[0, 0, 0] = 63

    def net():
        x = b.conv(tf.nn.relu(b.image((None, 8, 8, 8))), name="op", weights=(steps / 63).astype(np.float32))
        tf.nn.relu(b.bias(x, "bias", np.zeros(8, np.float32)), name="out")

    prepared = prepare(b.build(net), [FEED])
    assert find_by_channel(prepared.graph, prepared.items, prepared.statistics, prepared.trials, False) == frozenset()


@pytest.mark.parametrize("per_channel", [False, True])
def test_without_patches_nothing_proves_that_one_range_will_do(per_channel):
    prepared = prepare(b.build(layer("conv", sizes=1.0, low=False)), [FEED], patches=False)
    arguments = (prepared.graph, prepared.items, prepared.statistics, prepared.trials)
    assert find_by_channel(*arguments, per_channel) == {"result"}


def test_the_converter_keeps_to_it():
    """A single range for weights whose channels differ by a factor of a hundred would leave little of some."""
    graph_def = b.build(layer("depthwise", sizes=SIZES, low=False))
    conversion = b.convert(graph_def, [FEED], per_channel=False)
    wanted, given = (b.run(graph, FEED, "out")[0] for graph in (graph_def, conversion.graph))
    (limits,) = (item for item in conversion.graph.node if item.name.endswith("int8_weights_max"))
    assert tf.make_ndarray(limits.attr["value"].tensor).shape == (8,)
    noise = np.square(given - wanted).sum() / np.square(wanted).sum()
    assert noise < 1e-3


@pytest.mark.parametrize("kind", ["conv", "depthwise", "dense"])
def test_equalized_weights_stand_for_the_same(kind):
    """Factors of the source and of the result are taken back when the weights are rounded."""
    prepared = prepare(b.build(layer(kind, low=False)), [ROWS if kind == "dense" else FEED])
    node = prepared.graph.nodes["op"]
    weights = prepared.graph.constant(prepared.graph.data_inputs(node)[1])
    source = np.geomspace(0.5, 2.0, 32 if kind == "dense" else 8)
    result = np.geomspace(0.25, 4.0, 8)
    rounded = rounded_weights(node, weights, True, True, source, None if kind == "depthwise" else result)
    assert rounded.shape == weights.shape
    # a step is 1/127 of the largest weight; factors widen it by their spread at most
    assert np.abs(rounded - weights).max() < np.abs(weights).max() * 16 * 2 / 127
    plain = rounded_weights(node, weights, True, True)
    assert np.square(plain - weights).sum() <= np.square(rounded - weights).sum()
