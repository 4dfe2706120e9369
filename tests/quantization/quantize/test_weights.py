"""Weights in INT8: ranges, rounding, and sums that no kernel saturates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intel_quantization.graph.graph import NodeDef
from intel_quantization.quantize.weights import bias_correction, dequantized, quantize_weights
from tests.quantization.builders import random

pytestmark = pytest.mark.tensorflow

SHAPES = {
    "Conv2D": (3, 3, 5, 4),
    "DepthwiseConv2dNative": (3, 3, 5, 2),
    "MatMul": (7, 4),
    "transposed": (4, 7),
}


def node_of(kind):
    node = NodeDef(name="x", op="MatMul" if kind == "transposed" else kind)
    if kind == "transposed":
        node.attr["transpose_b"].b = True
    return node


@pytest.mark.parametrize("kind", sorted(SHAPES))
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("unsigned", [False, True])
def test_weights_come_back_within_half_a_step(kind, per_channel, unsigned):
    weights = random("w", SHAPES[kind])
    node = node_of(kind)
    values, limit = quantize_weights(node, weights, per_channel, unsigned)
    assert (values.dtype, values.shape, limit.dtype) == (np.int8, weights.shape, np.float32)
    assert np.abs(values.astype(int)).max() <= 127
    channels = {"Conv2D": 4, "DepthwiseConv2dNative": 10}
    assert limit.shape == ((channels[kind],) if per_channel and "Conv" in kind else ())
    error = np.abs(dequantized(node, values, limit) - weights)
    assert error.max() <= limit.max() / 127 * 0.5001


@pytest.mark.parametrize("kind", ["Conv2D", "MatMul"])
def test_signed_input_needs_no_wider_range(kind):
    weights = random("w", SHAPES[kind])
    _, limit = quantize_weights(node_of(kind), weights, False, saturates=False)
    assert limit == np.abs(weights).max()


def test_a_zero_channel():
    weights = random("w", SHAPES["Conv2D"])
    weights[..., 2] = 0
    values, limit = quantize_weights(node_of("Conv2D"), weights, True)
    assert not values[..., 2].any()
    assert (limit > 0).all()
    assert np.isfinite(limit).all()
    values, limit = quantize_weights(node_of("Conv2D"), np.zeros_like(weights), False)
    assert limit.shape == ()
    assert not values.any()


def test_one_output_channel():
    _, limit = quantize_weights(node_of("Conv2D"), random("w", (3, 3, 5, 1)), True)
    assert limit.shape == (1,)
    _, limit = quantize_weights(node_of("Conv2D"), random("w", (3, 3, 5, 1)), False)
    assert limit.shape == ()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(["Conv2D", "MatMul", "transposed"]), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_no_two_neighbouring_products_exceed_an_int16(kind, seed, per_channel, extreme):
    generator = np.random.RandomState(seed)
    shape = tuple(generator.randint(1, 6, 4)) if kind == "Conv2D" else tuple(generator.randint(1, 9, 2))
    weights = generator.choice([-1.0, 1.0, 0.996], shape) if extreme else generator.standard_t(2, shape)
    values, _ = quantize_weights(node_of(kind), weights.astype(np.float32), per_channel)
    axis = {"Conv2D": 2, "MatMul": 0, "transposed": 1}[kind]
    rows = np.moveaxis(values.astype(int), axis, 0)
    rows = np.concatenate([rows, np.zeros_like(rows[:1])]) if len(rows) % 2 else rows
    for sign in (1, -1):
        pairs = np.maximum(sign * rows[0::2], 0) + np.maximum(sign * rows[1::2], 0)
        assert 255 * pairs.max() <= 32767


def test_bias_correction_is_the_mean_error():
    generator = np.random.RandomState(0)
    mean = generator.normal(size=5)
    error = generator.normal(size=(3, 3, 5, 4))
    expected = np.einsum("hwio,i->o", error, mean)
    np.testing.assert_allclose(bias_correction(node_of("Conv2D"), error, mean), expected)
    error = generator.normal(size=(3, 3, 5, 2))
    expected = np.einsum("hwcm,c->cm", error, mean).reshape(-1)
    np.testing.assert_allclose(bias_correction(node_of("DepthwiseConv2dNative"), error, mean), expected)
    error = generator.normal(size=(5, 4))
    np.testing.assert_allclose(bias_correction(node_of("MatMul"), error, mean), error.T.dot(mean))
    np.testing.assert_allclose(bias_correction(node_of("transposed"), error.T, mean), error.T.dot(mean))
