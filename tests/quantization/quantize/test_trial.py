"""A trial tells what rounding makes of a linear op's output, as running the op would."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.trial import Grid, Trial, bounds
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow

SHAPES = {"conv": (3, 3, 4, 6), "depthwise": (3, 3, 4, 2), "dense": (4, 6), "transposed": (6, 4)}


def node_of(kind):
    weights = b.random("weights", SHAPES[kind])

    def net():
        if kind in ("dense", "transposed"):
            b.dense(b.image((None, 4)), transpose=kind == "transposed", weights=weights, name="op")
        else:
            (b.conv if kind == "conv" else b.depthwise)(b.image(), weights=weights, name="op")

    return Graph(b.build(net), ["op"]).nodes["op"]


def make(kind, activation="", biased=True, count=200):
    """A trial of an op."""
    weights = b.random("weights", SHAPES[kind])
    outputs = 8 if kind == "depthwise" else 6
    patches = b.random("patches", (count, 1 if weights.ndim == 2 else 9, 4))
    values = b.random("bias", (outputs,), 0.3) if biased else None
    return Trial(node_of(kind), weights, values, activation, patches)


def variance(trial):
    """Of the trial's output, summed up over patches and channels."""
    return ((trial.wanted - trial.wanted.mean(axis=0)) ** 2).sum()


# -- grids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "lifted", "wanted"),
    [
        (0.0, 5.1, False, (0.0, 5.1, 0.02)),
        (1.0, 5.1, False, (0.0, 5.1, 0.02)),  # zero is always exact
        (-1.27, 0.5, False, (-1.27, 1.27, 0.01)),
        (-0.5, 2.54, False, (-2.54, 2.54, 0.02)),
        (-0.55, 2.0, True, (-0.55, 2.0, 0.01)),
    ],
)
def test_grids_are_the_values_of_the_int8_types(low, high, lifted, wanted):
    grid = Grid.of(low, high, lifted)
    assert (grid.low, grid.high, grid.step) == pytest.approx(wanted)


@pytest.mark.parametrize("lifted", [False, True])
@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_rounding_gives_the_nearest_value(low, lifted):
    grid = Grid.of(low, 2.0, lifted)
    steps = round((grid.high - grid.low) / grid.step)
    assert steps == (254 if low < 0 and not lifted else 255)
    values = np.linspace(low - 2, 4.0, 2001).astype(np.float32)
    all_values = grid.low + grid.step * np.arange(steps + 1)
    nearest = all_values[np.abs(values[:, None] - all_values).argmin(axis=1)]
    kept = values.copy()
    got = grid.round(values)
    assert np.abs(got[:, None] - all_values).min(axis=1).max() < 1e-5
    np.testing.assert_allclose(np.abs(got - values), np.abs(nearest - values), atol=1e-5)
    np.testing.assert_array_equal(values, kept)  # what is rounded stays as it is
    assert got.dtype == np.float32


def test_zero_is_exact():
    for low, high in ((0.0, 3.3), (-1.3, 2.7), (-2.7, 1.3)):
        assert Grid.of(low, high).round(np.zeros(1, np.float32)) == pytest.approx(0.0, abs=1e-7)


def test_a_tensor_of_one_value_has_a_grid():
    assert np.isfinite(Grid.of(0.0, 0.0).round(np.ones(3, np.float32))).all()
    assert np.isfinite(Grid.of(-1.0, -1.0, True).round(np.ones(3, np.float32))).all()


def test_bounds():
    assert bounds((0.0, 1.0), (-2.0, 0.5)) == (-2.0, 1.0)


# -- trials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["", "Relu", "Relu6"])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_trial_gives_what_the_op_gives(kind, activation):
    """On one patch an op with VALID padding gives one position."""
    trial = make(kind, activation)

    def net():
        x = tf.constant(trial.patches[:, 0] if trial.weights.ndim == 2 else trial.patches.reshape(-1, 3, 3, 4))
        if trial.weights.ndim == 2:
            x = b.dense(x, transpose=kind == "transposed", weights=trial.weights, name="op")
        else:
            x = (b.conv if kind == "conv" else b.depthwise)(x, weights=trial.weights, padding="VALID", name="op")
        x = b.bias(x, "bias", b.random("bias", (int(x.shape[-1]),), 0.3))
        tf.identity(getattr(tf.nn, activation.lower())(x) if activation else x, "out")

    want = b.run(b.build(net), {}, "out")[0].reshape(len(trial.patches), -1)
    np.testing.assert_allclose(trial.wanted, want, atol=1e-5)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_error_is_the_share_of_noise(kind):
    trial = make(kind)
    assert trial.error(trial.patches) == 0
    other = trial.patches + 0.01 * b.random("noise", trial.patches.shape)
    noise = trial.multiply(other - trial.patches, trial.weights)
    assert trial.error(other) == pytest.approx((noise**2).sum() / variance(trial), rel=1e-3)


@pytest.mark.parametrize("kind", SHAPES)
def test_what_weights_change_on_average_is_the_bias_s_to_take_back(kind):
    trial = make(kind)
    trial.patches[:] += 5  # a mean that any change of the weights shifts
    trial = Trial(node_of(kind), trial.weights, None, "", trial.patches)
    other = trial.weights + 0.01 * b.random("noise", trial.weights.shape)
    noise = trial.multiply(trial.patches, other) - trial.wanted
    noise -= noise.mean(axis=0)
    wanted = (noise**2).sum() / variance(trial)
    assert trial.error(trial.patches, other) == pytest.approx(wanted, rel=1e-2)
    by_channel = trial.noise_by_channel(other)
    assert by_channel.shape == (trial.wanted.shape[1],)
    np.testing.assert_allclose(by_channel, (noise**2).mean(axis=0), rtol=1e-2)


def test_a_relu_hides_what_is_below_zero():
    trial = make("conv", "Relu")
    below = Trial(node_of("conv"), trial.weights, np.full(6, -1e3, np.float32), "Relu", trial.patches)
    assert below.error(trial.patches * 1.1) == 0


def test_rounding_of_the_result():
    trial = make("dense", "Relu")
    grid = Grid.of(0.0, float(trial.wanted.max()))
    noise = grid.round(trial.wanted) - trial.wanted
    assert trial.rounding(grid) == pytest.approx((noise**2).sum() / variance(trial), rel=1e-3)
    assert trial.rounding(Grid.of(0.0, 0.5 * float(trial.wanted.max()))) > 10 * trial.rounding(grid)


def test_what_is_the_same_everywhere_is_no_signal():
    """Twice the mean of the output makes no error smaller."""
    trial = make("dense")
    shifted = Trial(node_of("dense"), trial.weights, np.full(6, 100.0, np.float32), "", trial.patches)
    other = trial.patches + 0.01 * b.random("noise", trial.patches.shape)
    assert shifted.error(other) == pytest.approx(trial.error(other), rel=1e-3)


def test_beyond_the_ends_nothing_is_told_apart():
    """Neither by the error nor by what it is a share of."""
    trial = make("dense")
    low, high = np.percentile(trial.wanted, [20, 80])
    ended = Trial(node_of("dense"), trial.weights, b.random("bias", (6,), 0.3), "", trial.patches, (low, high))
    np.testing.assert_array_equal(ended.wanted, trial.wanted.clip(np.float32(low), np.float32(high)))
    other = trial.patches + 0.01 * b.random("noise", trial.patches.shape)
    given = (trial.multiply(other, trial.weights) + b.random("bias", (6,), 0.3)).clip(low, high)
    assert ended.error(other) == pytest.approx(((given - ended.wanted) ** 2).sum() / variance(ended), rel=1e-3)
    wide = Trial(node_of("dense"), trial.weights, b.random("bias", (6,), 0.3), "", trial.patches, (-99.0, 99.0))
    np.testing.assert_array_equal(wide.wanted, trial.wanted)
    assert wide.error(other) == trial.error(other)


def test_rounding_of_a_scaled_result():
    trial, scale = make("dense"), np.geomspace(0.1, 10.0, 6)
    grid = Grid.of(-3.0, 3.0)
    noise = grid.round(trial.wanted / scale.astype(np.float32)) * scale - trial.wanted
    assert trial.rounding(grid, scale) == pytest.approx((noise**2).sum() / variance(trial), rel=1e-3)


@pytest.mark.parametrize("kind", SHAPES)
def test_independent_noise_of_the_input_channels(kind):
    """The estimate is what noise drawn at random causes."""
    trial = make(kind, count=4000)
    sizes = np.array([0.01, 0.02, 0.04, 0.08])
    other = trial.patches + b.random("noise", trial.patches.shape) * sizes.astype(np.float32)
    assert trial.share_of_noise(sizes**2) == pytest.approx(trial.error(other), rel=0.1)
