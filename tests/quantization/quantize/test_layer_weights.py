"""The weights and the bias of an INT8 layer, whose input and output may have scales, and offsets."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.quantize import layer_weights as module
from intel_quantization.quantize.layer_weights import LayerWeights
from intel_quantization.quantize.refinement import Refinement
from intel_quantization.quantize.weights import dequantized
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

pytestmark = pytest.mark.tensorflow
SOURCE, RESULT = np.geomspace(0.1, 5.0, 4), np.geomspace(0.3, 2.0, 6)


def layer(scaled=True, adaptive=False, correct=True, offset=0.0, lift=0.0):
    """The group, its statistics, the patches, and what is made of it: weights, their limit, the bias."""

    def net():
        x = b.bias(b.conv(b.image(name="x"), 6, 1, name="c"), "bias")
        b.conv(x, 1, 1, name="out")

    prepared = prepare(b.build(net), [{"x:0": np.abs(b.random("v", (16, 8, 8, 4))) - 0.2}])
    group = prepared.groups["c"]
    scales = {group.source: SOURCE, group.root: RESULT} if scaled else {}
    roots = frozenset([group.root])
    how = Refinement(roots, scales, {}, roots if adaptive else frozenset(), prepared.trials)
    maker = LayerWeights(prepared.graph, prepared.statistics, how, correct, True)
    made = maker.make(group, Int8Tensor("t", True, 4.0, "low", "high", offset), np.asarray(lift))
    return prepared, group, made


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("offset", [0.0, 1.5, np.linspace(0.0, 3.0, 4)], ids=["none", "one", "of channels"])
def test_the_mean_of_the_output_is_right(monkeypatch, scaled, adaptive, offset):
    """What the layer gives for the mean of its input, as INT8 has that, is what FP32 gives, as INT8 has that.

    Ahead of what rounding the input shifts, which patches tell.
    """
    monkeypatch.setattr(module, "find_activation_shift", lambda trial, *_: np.zeros(trial.wanted.shape[1]))
    lift = np.linspace(-2.0, 2.0, 6)
    prepared, group, (values, limit, bias) = layer(scaled, adaptive, True, offset, lift)
    node = prepared.graph.nodes["c"]
    mean = prepared.statistics.tensors[group.source].channel_mean
    weights, known = (prepared.graph.constant(name) for name in (node.input[1], group.bias))
    want = (mean @ weights[0, 0] + known) / (RESULT if scaled else 1.0) + lift
    read = mean / (SOURCE if scaled else 1.0) + offset
    np.testing.assert_allclose(read @ dequantized(node, values, limit)[0, 0] + bias, want, atol=1e-5)


def test_without_a_correction_the_bias_is_that_of_fp32():
    prepared, group, (_, _, bias) = layer(correct=False, lift=0.25)
    np.testing.assert_allclose(bias, prepared.graph.constant(group.bias) / RESULT + 0.25)


@pytest.mark.parametrize("scaled", [True, False])
def test_weights_are_rounded_for_what_the_layer_reads(monkeypatch, scaled):
    """By scaled inputs, if these have scales."""
    told = {}

    def round_adaptively(node, weights, patches, *rest):
        told.update(weights=weights, patches=patches)
        return original(node, weights, patches, *rest)

    original = module.round_adaptively
    monkeypatch.setattr(module, "round_adaptively", round_adaptively)
    prepared, group, _ = layer(scaled, adaptive=True)
    patches = prepared.statistics.patches[group.linear]
    weights = prepared.graph.constant(prepared.graph.nodes["c"].input[1])
    want = patches @ weights[0, 0] / (RESULT if scaled else 1.0)
    np.testing.assert_allclose(told["patches"] @ told["weights"][0, 0], want, atol=1e-4)


def test_what_rounding_the_input_shifts_is_taken_back_without_an_activation_too():
    """A coarse input, of which all values are rounded the same way."""
    prepared, group, (values, limit, bias) = layer(False, False, True, 0.0, np.zeros(6))
    trial = prepared.trials[group.root]
    read = Int8Tensor("t", True, 4.0, "low", "high").round(trial.patches)
    given = read[:, 0] @ dequantized(prepared.graph.nodes["c"], values, limit)[0, 0] + bias
    plain = trial.multiply(read, dequantized(prepared.graph.nodes["c"], values, limit).astype(np.float32))
    before = (plain + prepared.graph.constant(group.bias) - trial.wanted).mean(axis=0)
    assert np.abs((given - trial.wanted).mean(axis=0)).max() < 0.5 * np.abs(before).max()
