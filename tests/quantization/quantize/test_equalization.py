"""Tests of cross-layer equalization."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize import equalization as module
from intel_quantization.quantize.equalization import equalization
from intel_quantization.quantize.local_error import find_by_channel
from intel_quantization.quantize.weights import scale_inputs
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

# channels whose weights differ by a factor of a thousand: one range for all of them does none of them justice
SIZES = np.geomspace(0.03, 30.0, 8).astype(np.float32)
SHIFT = np.linspace(-0.5, 0.5, 8).astype(np.float32)
FEED = {"input:0": b.random("values", (4, 8, 8, 4))}


def activate(x, activation):
    """One of ``b.activate``, or a ReLU that ends at 3."""
    if activation == "relu3":
        return tf.minimum(tf.nn.relu(x), 3.0, name="between")
    return b.activate(x, activation, "between")


def uneven(activation="relu", reader="conv", pad=False, second=None, dead=False):
    """Two linear ops; the channels between have very different sizes, which the second one takes back."""
    x = b.image()
    sizes = SIZES.copy()
    first = b.weights_for("first", (3, 3, 4, 8)) * sizes
    values = SHIFT * sizes
    if activation in ("relu6", "relu3"):
        first, values = first * 0.05, values * 0.05
    if dead:
        values[7] = -1e4
    y = b.bias(b.conv(x, weights=first, name="first"), "first/bias", values)
    y = activate(y, activation)
    read = tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad") if pad else y
    if reader == "conv":
        weights = b.weights_for("last", (3, 3, 8, 6)) / SIZES[:, None]
        z = b.conv(read, weights=weights, name="last", padding="VALID" if pad else "SAME")
    else:
        z = b.depthwise(read, weights=b.random("last", (3, 3, 8, 1)) / SIZES[:, None], name="last")
    z = tf.nn.relu(b.bias(z, "last/bias"), "out")
    if second:
        tf.identity(read if second == "pad" else y, name="second")
    return z


def equalized(prepared, per_channel=False):
    """The factors by the tensors' names."""
    arguments = (prepared.graph, prepared.items, prepared.statistics)
    by_channel = find_by_channel(*arguments, prepared.trials, per_channel)
    return equalization(*arguments, by_channel, prepared.trials)


def factors_of(graph_def, outputs=("out",), per_channel=False):
    prepared = prepare(graph_def, [FEED], outputs)
    return equalized(prepared, per_channel), prepared.statistics


def sqnr(graph_def, equalize, per_channel=False):
    conversion = GraphConverter(
        graph_def, outputs=["out"], per_channel=per_channel, calibration_data=[FEED], equalize=equalize
    ).convert()
    want, got = (b.run(graph, FEED, "out:0")[0] for graph in (graph_def, conversion.graph))
    assert got.dtype == want.dtype
    return 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum())


@pytest.mark.parametrize(
    ("activation", "reader"),
    [
        ("relu", "conv"),
        ("relu6", "conv"),
        ("relu3", "conv"),
        (None, "conv"),
        ("relu", "depthwise"),
        ("relu6", "depthwise"),
    ],
)
def test_channels_of_different_size_gain_much(activation, reader):
    graph_def = b.build(uneven, activation, reader)
    gain = sqnr(graph_def, True) - sqnr(graph_def, False)
    assert gain > 6, "one bit at least"


def test_one_range_for_each_channel_of_the_weights_gains_too():
    graph_def = b.build(uneven)
    assert sqnr(graph_def, True, per_channel=True) > sqnr(graph_def, False, per_channel=True) + 3


def test_a_pad_between_does_not_matter():
    graph_def = b.build(uneven, pad=True)
    assert "between" in factors_of(graph_def)[0]
    assert sqnr(graph_def, True) > sqnr(graph_def, False) + 6


@pytest.mark.parametrize("second", ["between", "pad"])
def test_what_is_read_elsewhere_stays(second):
    graph_def = b.build(uneven, pad=True, second=second)
    assert factors_of(graph_def, ("out", "second"))[0] == {}


def test_a_tensor_with_two_readers_behind_one_pad_stays():
    def two():
        uneven(pad=True)
        read = tf.compat.v1.get_default_graph().get_tensor_by_name("pad:0")
        b.conv_block(read, "other", padding="VALID")

    assert factors_of(b.build(two), ("out", "other/out"))[0] == {}


def test_an_addition_is_not_equalized():
    def residual():
        x = b.image((None, 8, 8, 8))
        y = b.conv_block(x, "before")
        z = b.bias(b.conv(y, name="first"), "first/bias")
        z = tf.nn.relu(z + y, "sum")
        return tf.nn.relu(b.bias(b.conv(z, name="last"), "last/bias"), "out")

    prepared = prepare(b.build(residual), [{"input:0": b.random("values", (2, 8, 8, 8))}])
    assert equalized(prepared) == {}


# -- it has to prove itself ------------------------------------------------------------------------


def even(kernel=3, activation="relu"):
    """Channels of one size, more or less: random weights and no more."""
    x = b.conv_block(b.image(), "first", activation)
    return tf.identity(b.conv_block(x, "last", kernel=kernel), "out")


@pytest.mark.parametrize("per_channel", [False, True])
def test_channels_of_like_sizes_stay(per_channel):
    graph_def = b.build(even)
    assert factors_of(graph_def, per_channel=per_channel)[0] == {}
    options = {"outputs": ["out"], "calibration_data": [FEED], "per_channel": per_channel}
    graphs = [GraphConverter(graph_def, equalize=equalize, **options).convert().graph for equalize in (True, False)]
    assert graphs[0] == graphs[1]


def test_factors_that_do_harm_are_vetoed(monkeypatch):
    """Whatever the estimate from the largest values says."""
    monkeypatch.setattr(module, "_factors", lambda pair, *rest: np.geomspace(1, 64, pair.seen.size))
    assert factors_of(b.build(even))[0] == {}
    # the other way round than it would help
    assert factors_of(b.build(uneven))[0] != {}
    monkeypatch.setattr(module, "_factors", lambda pair, *rest: np.geomspace(64, 1, pair.seen.size))
    assert factors_of(b.build(uneven))[0] == {}


@pytest.mark.parametrize(("gain", "value"), [("_CLEAR_GAIN", 1e-4), ("_LEAST_GAIN", 1.0)])
def test_the_error_has_to_fall_clearly(monkeypatch, gain, value):
    """To a small part of itself, and by a share of the output's power that matters."""
    assert factors_of(b.build(uneven))[0] != {}
    monkeypatch.setattr(module, gain, value)
    assert factors_of(b.build(uneven))[0] == {}


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_lifted_tensor_stays(kernel):
    """What lifts it is one amount for all channels; a signed one that is not lifted is equalized."""

    def net():
        x = b.conv(b.image(), weights=b.weights_for("first", (3, 3, 4, 8)) * SIZES, name="first")
        x = b.bias(x, "first/bias", SHIFT * SIZES)
        weights = b.weights_for("last", (kernel, kernel, 8, 6)) / SIZES[:, None]
        tf.nn.relu(b.bias(b.conv(x, weights=weights, name="last"), "last/bias"), name="out")

    prepared = prepare(b.build(net), [FEED])
    assert prepared.groups["first"].shifted == (kernel == 1)
    assert set(equalized(prepared)) == (set() if kernel == 1 else {"first/bias"})


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_a_chain_of_uneven_layers_on_data_that_calibration_did_not_see(activation):
    """Each pair proves itself with the factors of its neighbours in place."""

    def net():
        x, scale = b.image(), np.ones(4, np.float32)
        for number in range(4):
            behind = SIZES if number % 2 == 0 else SIZES[::-1]
            weights = b.weights_for("c%d" % number, (3, 3, scale.size, 8)) / scale[:, None] * behind
            small = 0.03 if activation == "relu6" else 1.0
            x = b.bias(b.conv(x, weights=weights * small, name="c%d" % number), "c%d/bias" % number, SHIFT * behind)
            x, scale = b.activate(x, activation, "c%d/out" % number), behind * small
        tf.identity(b.conv_block(x, "last", weights=b.weights_for("last", (3, 3, 8, 6)) / scale[:, None]), "out")

    graph_def = b.build(net)
    fresh = {"input:0": b.random("fresh", (4, 8, 8, 4))}
    noise = {}
    for equalize in (True, False):
        options = {"outputs": ["out"], "calibration_data": [FEED], "equalize": equalize}
        graph = GraphConverter(graph_def, **options).convert().graph
        want, got = (b.run(each, fresh, "out")[0] for each in (graph_def, graph))
        noise[equalize] = np.square(want - got).sum() / np.square(want).sum()
    assert noise[True] < 0.5 * noise[False]


# -- what the factors are --------------------------------------------------------------------------


@pytest.mark.parametrize(("activation", "end"), [("relu6", 6.0), ("relu3", 3.0)])
def test_a_clip_still_ends_where_it_did(activation, end):
    graph_def = b.build(uneven, activation)
    factors, statistics = factors_of(graph_def)
    seen = statistics.tensors["between"].channel_magnitude
    limit = (seen / factors["between"]).max()
    # no channel is cut off below what it reached, and none goes on beyond the end
    assert np.all(limit * factors["between"] >= seen * (1 - 1e-9))
    assert np.all(limit * factors["between"] <= end * (1 + 1e-9))


def test_a_channel_that_is_never_above_zero_does_no_harm():
    graph_def = b.build(uneven, dead=True)
    factors, statistics = factors_of(graph_def)
    assert statistics.tensors["between"].channel_magnitude[7] == 0
    assert np.all(np.isfinite(factors["between"]))
    assert np.all(factors["between"] > 0)
    assert sqnr(graph_def, True) > sqnr(graph_def, False) + 3


@pytest.mark.parametrize("lacking", ["channels", "patches"])
def test_what_lacks_statistics_or_patches_stays(lacking):
    assert equalized(prepare(b.build(uneven), [FEED], **{lacking: False})) == {}


@pytest.mark.parametrize(
    ("function", "shape"), [(b.conv, (3, 3, 4, 6)), (b.depthwise, (3, 3, 4, 1)), (b.dense, (4, 6))]
)
def test_scaled_weights_are_scaled_inputs(function, shape):
    scale = np.array([0.5, 1.0, 2.0, 4.0])
    x = b.random("x", (2, 4) if function is b.dense else (1, 5, 5, 4))
    weights = b.random("w", shape)

    def value(data, w):
        graph_def = b.build(lambda: function(b.image(data.shape), name="op", weights=w))
        return b.run(graph_def, {"input:0": data.astype(np.float32)}, "op:0")[0], b.node(graph_def, "op")

    want, node = value(x * scale, weights)
    got, _ = value(x, scale_inputs(node, weights, scale))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
