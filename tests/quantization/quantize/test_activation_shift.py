"""The mean that rounding shifts behind a ReLU."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.quantize.activation_shift import find_activation_shift
from intel_quantization.quantize.trial import Trial
from tests.quantization import builders as b
from tests.quantization.builders import random

NODE = b.node(b.build(lambda: b.conv(b.image(), kernel=1, name="op")), "op")
WEIGHTS = random("w", (1, 1, 4, 6), 0.5)
BIAS = np.linspace(-1.0, 1.0, 6).astype(np.float32)


def trial(activation, count=512, bias=BIAS):
    return Trial(NODE, WEIGHTS, bias, activation, random("x", (count, 1, 4)))


def noisy(found, size=0.4):
    """Rounding, much coarser than INT8."""
    return (np.rint(found.patches / size) * size).astype(np.float32)


def shifts(found, patches, change):
    given = found.activate(found.multiply(patches, WEIGHTS) + (BIAS + change).astype(np.float32))
    return np.abs((given - found.wanted).mean(axis=0))


@pytest.mark.parametrize("activation", ["Relu", "Relu6"])
def test_the_mean_comes_nearer(activation):
    found = trial(activation)
    patches = noisy(found) + np.float32(0.05)
    change = find_activation_shift(found, patches, WEIGHTS, BIAS)
    assert change.shape == (6,)
    before, after = shifts(found, patches, 0.0), shifts(found, patches, change)
    assert after.sum() < before.sum() / 3
    # no channel was changed that does not gain by it
    assert np.all(after[change != 0] <= before[change != 0] + 1e-3)
    assert np.count_nonzero(change) >= 3


def test_without_noise_nothing_changes():
    found = trial("Relu")
    assert not find_activation_shift(found, found.patches, WEIGHTS, BIAS).any()


def test_a_channel_that_is_always_off_stays():
    bias = BIAS.copy()
    bias[2] = -100.0
    found = trial("Relu", bias=bias)
    assert find_activation_shift(found, noisy(found) + np.float32(0.05), WEIGHTS, bias)[2] == 0.0


def test_too_few_patches_tell_nothing():
    found = trial("Relu", count=63)
    assert not find_activation_shift(found, noisy(found) + np.float32(0.05), WEIGHTS, BIAS).any()


def test_what_helps_only_those_that_taught_it_is_dropped():
    """The last patch of eight proves: there the noise goes the other way."""
    found = trial("Relu")
    patches = found.patches + np.float32(0.2)
    patches[7::8] -= np.float32(0.4)
    assert not find_activation_shift(found, patches, WEIGHTS, BIAS).any()


@pytest.mark.parametrize("activation", ["Relu", "Relu6"])
@pytest.mark.parametrize("seed", range(5))
def test_no_channel_gets_worse_on_patches_that_prove(activation, seed):
    draw = np.random.RandomState(seed)
    bias = draw.uniform(-4.0, 8.0, 6).astype(np.float32)
    found = Trial(NODE, WEIGHTS, bias, activation, draw.normal(size=(128, 1, 4)).astype(np.float32))
    patches = noisy(found, 1.0)
    change = find_activation_shift(found, patches, WEIGHTS, bias)
    assert change.any()

    def noise(added):
        given = found.activate(found.multiply(patches, WEIGHTS) + (bias + added).astype(np.float32))
        return np.square(given - found.wanted)[7::8].mean(axis=0)

    assert np.all(noise(change) <= noise(0.0))
    assert np.all((noise(change) < noise(0.0)) == (change != 0))


def test_a_channel_that_is_off_most_of_the_time():
    """Of five values one is above zero, so that the bias has to move by five times what the mean is off by."""
    bias = np.full(6, -0.9, np.float32)
    found = Trial(NODE, WEIGHTS, bias, "Relu", random("x", (1024, 1, 4)))
    assert 0.05 < (found.wanted > 0).mean() < 0.3
    change = find_activation_shift(found, found.patches, WEIGHTS, bias + 0.2)
    np.testing.assert_allclose(change, -0.2, atol=0.04)


def test_where_few_values_move_the_steps_are_short():
    """A channel is above zero once in a while: its mean is corrected by those values alone, which are too few."""
    patches = random("x", (512, 1, 4))
    bias = np.full(6, -100.0, np.float32)
    patches[3::37] *= 200.0
    found = Trial(NODE, WEIGHTS, bias, "Relu", patches)
    assert 0 < (found.wanted > 0).mean() < 0.05
    assert not find_activation_shift(found, noisy(found, 8.0), WEIGHTS, bias).any()


def test_depthwise_and_matrix_products():
    for kind, weights, shape in (("depthwise", (3, 3, 4, 2), (512, 9, 4)), ("dense", (12, 6), (512, 1, 12))):
        node = b.node(
            b.build(lambda: getattr(b, kind)(b.image((None, 12) if kind == "dense" else (None, 8, 8, 4)), name="op")),  # noqa: B023
            "op",
        )
        values = random("w", weights, 0.5)
        outputs = 8 if kind == "depthwise" else 6
        found = Trial(node, values, np.zeros(outputs, np.float32), "Relu", random("x", shape))
        patches = noisy(found) + np.float32(0.05)
        change = find_activation_shift(found, patches, values, np.zeros(outputs))
        assert change.shape == (outputs,)

        def off(added, found=found, patches=patches, values=values):
            given = found.activate(found.multiply(patches, values) + np.float32(added))
            return np.abs((given - found.wanted).mean(axis=0)).sum()

        assert off(change) < 0.5 * off(0.0)


def test_conversion_uses_it():
    def net():
        x = b.image((None, 8, 8, 8))
        for number in range(4):
            x = b.conv_block(x, f"c{number}", kernel=1)

    graph_def = b.build(net)
    feed, other = b.batch(graph_def, 16), b.batch(graph_def, 16, seed=1)
    want = b.run(graph_def, other, "c3/out:0")[0]
    means = []
    for correct in (True, False):
        got = b.convert(graph_def, [feed], outputs=["c3/out"], bias_correction=correct).graph
        means.append(np.abs((b.run(got, other, "c3/out:0")[0] - want).mean(axis=(0, 1, 2))).sum())
    assert means[0] < means[1]
