"""Weights rounded so that their errors cancel in the layer's output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intel_quantization.graph.graph import Graph
from intel_quantization.quantize import adaptive_rounding as module
from intel_quantization.quantize.adaptive_rounding import choose_layers, round_adaptively
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.weights import dequantized, quantize_weights
from tests.quantization import builders as b
from tests.quantization.builders import random

KINDS = ("conv", "depthwise", "dense", "transposed")


def node_of(kind):
    def net():
        if kind in ("dense", "transposed"):
            return b.dense(b.image((None, 12)), transpose=kind == "transposed", name="op")
        return (b.depthwise if kind == "depthwise" else b.conv)(b.image(), name="op")

    return b.node(b.build(net), "op")


def weights_of(kind):
    shapes = {"conv": (3, 3, 4, 6), "depthwise": (3, 3, 4, 2), "dense": (12, 6), "transposed": (6, 12)}
    return random("w", shapes[kind], 0.3)


def patches_of(kind, count=600, seed="p"):
    """Inputs that go together, as neighbouring pixels do."""
    taps, channels = (1, 12) if kind in ("dense", "transposed") else (9, 4)
    common = random(seed, (count, 1, channels))
    return np.maximum(common + 0.3 * random(seed + "2", (count, taps, channels)) + 0.5, 0).astype(np.float32)


def outputs_of(kind, weights, patches):
    if kind == "depthwise":
        return np.einsum("ptc,tcm->pcm", patches, weights.reshape(9, 4, 2)).reshape(len(patches), -1)
    flat = patches.reshape(len(patches), -1)
    return flat @ (weights.T if kind == "transposed" else weights.reshape(flat.shape[1], -1))


def noise(kind, node, rounded, patches):
    """The power of what rounding changes on average-free outputs, by patches that taught nobody."""
    error = outputs_of(kind, dequantized(node, *rounded) - weights_of(kind), patches)
    return float(np.square(error - error.mean(axis=0)).sum())


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_err_less_than_with_nearest_weights(kind, per_channel):
    node, weights, unseen = node_of(kind), weights_of(kind), patches_of(kind, seed="unseen")
    nearest = quantize_weights(node, weights, per_channel, True)
    found = round_adaptively(node, weights, patches_of(kind), per_channel, True)
    np.testing.assert_array_equal(found[1], nearest[1])
    assert found[0].dtype == np.int8
    assert found[0].shape == weights.shape
    # inputs of a dense layer do not go together here: nothing to cancel but little to lose
    limit = 1.05 if kind in ("dense", "transposed") else 0.6
    assert noise(kind, node, found, unseen) < limit * noise(kind, node, nearest, unseen)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("kind", ["dense", "transposed"])
def test_products_of_channels_that_go_together(kind, per_channel):
    def drawn(seed):
        return np.float32(
            random(seed, (600, 1, 3)).dot(random("mix", (3, 12))) + 0.2 * random(seed + "2", (600, 1, 12))
        )

    node, weights = node_of(kind), weights_of(kind)
    nearest = quantize_weights(node, weights, per_channel, True)
    found = round_adaptively(node, weights, drawn("p"), per_channel, True)
    assert noise(kind, node, found, drawn("unseen")) < 0.5 * noise(kind, node, nearest, drawn("unseen"))


@pytest.mark.parametrize("size", [1e25, 1e3, 1e-25])
@pytest.mark.parametrize("kind", KINDS)
def test_the_size_of_inputs_does_not_matter(kind, size, recwarn):
    node, weights = node_of(kind), weights_of(kind)
    want = round_adaptively(node, weights, patches_of(kind), True, True)[0]
    size = np.float32(2.0 ** np.rint(np.log2(size)))
    np.testing.assert_array_equal(round_adaptively(node, weights, patches_of(kind) * size, True, True)[0], want)
    assert np.any(want != quantize_weights(node, weights, True, True)[0])
    assert not recwarn.list


def test_mean_values_do_not_matter():
    """The bias takes them back."""
    node, weights, patches = node_of("conv"), weights_of("conv"), patches_of("conv")
    found, shifted = (round_adaptively(node, weights, patches + np.float32(add), True, True)[0] for add in (0, 64))
    assert np.count_nonzero(found != shifted) < 5


def test_an_output_that_does_not_gain_keeps_its_nearest_weights():
    """The patches that prove are unlike those that teach: there the inputs are independent of one another."""
    node, weights, patches = node_of("conv"), weights_of("conv"), patches_of("conv", 800)
    patches[7::8] = random("independent", (100, 9, 4)) * np.where(np.arange(4) % 2, 10, 1)
    nearest, step = quantize_weights(node, weights, True, True)
    found = round_adaptively(node, weights, patches, True, True)
    columns = range(weights.shape[-1])
    changed = [np.any(found[0][..., column] != nearest[..., column]) for column in columns]
    proving = patches[7::8]
    errors = [outputs_of("conv", dequantized(node, values, step) - weights, proving) for values in (found[0], nearest)]
    powers = [np.square(error - error.mean(axis=0)).sum(axis=0) for error in errors]
    assert np.all(powers[0] <= powers[1] * 1.01)
    assert not all(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_on_the_grid_stay(kind):
    node, weights = node_of(kind), weights_of(kind)
    values, limit = quantize_weights(node, weights, True, False)
    on_grid = dequantized(node, values, limit).astype(np.float32)
    found, _ = round_adaptively(node, on_grid, patches_of(kind), True, False)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 31])
def test_too_few_patches_round_to_nearest(kind, count):
    node, weights = node_of(kind), weights_of(kind)
    found = round_adaptively(node, weights, patches_of(kind)[:count], True, True)
    np.testing.assert_array_equal(found[0], quantize_weights(node, weights, True, True)[0])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_inputs_that_never_change_round_to_nearest(value):
    node, weights = node_of("conv"), weights_of("conv")
    found = round_adaptively(node, weights, np.full((64, 9, 4), value, np.float32), True, True)
    np.testing.assert_array_equal(found[0], quantize_weights(node, weights, True, True)[0])


@settings(max_examples=25, deadline=None)
@given(channels=st.integers(1, 7), taps=st.sampled_from([1, 3]), seed=st.integers(0, 999), same=st.booleans())
def test_no_two_neighbours_exceed_an_int16(channels, taps, seed, same):
    draw = np.random.RandomState(seed)
    weights = draw.normal(size=(taps, taps, channels, 5)).astype(np.float32)
    if same:
        weights = np.abs(weights)
    common = draw.normal(size=(100, 1, 1))
    patches = (common + 0.1 * draw.normal(size=(100, taps * taps, channels))).astype(np.float32)
    values, _ = round_adaptively(node_of("conv"), weights, patches, True, True)
    values = values.astype(int)
    if channels % 2:
        values = np.concatenate([values, np.zeros_like(values[:, :, :1])], axis=2)
    for sign in (1, -1):
        pairs = np.maximum(sign * values[:, :, 0::2], 0) + np.maximum(sign * values[:, :, 1::2], 0)
        assert pairs.max() <= 128
    assert np.abs(values).max() <= 127


@pytest.mark.parametrize("channels", [6, 7])
@pytest.mark.parametrize("sign", [1, -1])
def test_pairs_at_the_limit(channels, sign):
    """What a large input's weight was rounded by a small neighbour's takes back fourfold."""
    draw = np.random.RandomState(channels)
    weights = draw.uniform(1.0, 126.0, (3, 3, channels, 256)).astype(np.float32)
    weights[:, :, 1::2] = 127.0 - weights[:, :, 0 : channels - 1 : 2]
    inputs = draw.normal(size=(1, 600, 9, 1)) * ([4.0, -1.0] + [0.01] * (channels - 2))
    inputs = inputs.reshape(1, 600, -1).astype(np.float32)
    columns = sign * weights.reshape(1, 9 * channels, 256)

    def largest_pair(neighbours):
        found = module._round(columns, np.ones_like(columns), inputs, neighbours).reshape(weights.shape)
        return np.abs(found[:, :, 0 : channels - 1 : 2] + found[:, :, 1::2]).max()

    assert largest_pair(channels) == 128
    assert largest_pair(0) > 128, "what nothing keeps from it"


@pytest.mark.parametrize("kind", KINDS)
def test_who_adds_in_an_int16(monkeypatch, kind):
    """Depthwise kernels do not, nor those that read qint8."""
    told = []

    def round_columns(columns, steps, inputs, channels):
        told.append(channels)
        return original(columns, steps, inputs, channels)

    original = module._round
    monkeypatch.setattr(module, "_round", round_columns)
    for saturates in (True, False):
        round_adaptively(node_of(kind), weights_of(kind), patches_of(kind), True, saturates)
    assert told == [{"conv": 4, "depthwise": 0}.get(kind, 12), 0]


def test_many_inputs():
    """More than are rounded at a time: what is left over reaches the others, too."""

    def drawn(seed):
        common = random(seed, (900, 1, 20)).dot(random("mix", (20, 200)))
        return np.float32(common + 0.1 * random(seed + "2", (900, 1, 200)))

    node, weights = node_of("dense"), random("w", (200, 6), 0.3)

    def error(found):
        return np.square(drawn("unseen")[:, 0] @ (dequantized(node, *found) - weights)).sum()

    nearest = quantize_weights(node, weights, True, True)
    assert error(round_adaptively(node, weights, drawn("p"), True, True)) < 0.25 * error(nearest)


def layers():
    def net():
        x = b.conv_block(b.image(), "small", kernel=1)
        x = b.conv_block(x, "large", filters=64)
        b.conv_block(x, "last")

    graph = Graph(b.build(net), ["last/out"])
    return graph, find_candidates(graph)[0]


def test_what_gains_most_for_its_time_comes_first(monkeypatch):
    graph, groups = layers()
    alike = {group.root: 1.0 for group in groups}
    assert choose_layers(graph, groups, alike)[0] == "small/out"
    assert choose_layers(graph, groups, {**alike, "large/out": 1e9})[0] == "large/out"
    assert set(choose_layers(graph, groups, alike)) == {group.root for group in groups}
    monkeypatch.setattr(module, "_MOST_WORK", 1000.0)  # 4 x 4 x (4 x 4 + 8) = 384 is the small one's
    assert choose_layers(graph, groups, {**alike, "large/out": 1e9}) == ("small/out",)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_MOST_INPUTS", 72)
    assert set(choose_layers(graph, groups, alike)) == {"small/out", "large/out"}


def test_the_same_twice():
    arguments = (node_of("conv"), weights_of("conv"), patches_of("conv"), True, True)
    np.testing.assert_array_equal(round_adaptively(*arguments)[0], round_adaptively(*arguments)[0])


def test_conversion_uses_it():
    def net():
        x = b.conv_block(b.image((None, 12, 12, 8)), "first", filters=24)
        b.conv_block(x, "last", filters=8)

    graph_def = b.build(net)
    smooth = np.repeat(np.repeat(random("v", (12, 4, 4, 8)), 3, 1), 3, 2)
    feed, other = {"input:0": smooth[:8]}, {"input:0": smooth[8:]}
    want = b.run(graph_def, other, "last/out:0")[0]
    errors = []
    for adaptive in (True, False):
        got = b.convert(graph_def, [feed], outputs=["last/out"], adaptive_rounding=adaptive).graph
        errors.append(float(np.square(b.run(got, other, "last/out:0")[0] - want).sum()))
    assert errors[0] < errors[1]
