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
