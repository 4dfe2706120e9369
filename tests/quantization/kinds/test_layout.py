"""What follows from where the channels are in weights, against TensorFlow's own ops."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.kinds.layout import HWCM, HWIO, KN, NK, Layout
from tests.quantization import builders as b

LAYOUTS = {"HWIO": (HWIO, (3, 2, 4, 6)), "HWCM": (HWCM, (3, 2, 4, 2)), "KN": (KN, (4, 6)), "NK": (NK, (6, 4))}
OUTPUTS = {"HWIO": 6, "HWCM": 8, "KN": 6, "NK": 6}
PRODUCTS = {"HWIO": 24, "HWCM": 6, "KN": 4, "NK": 4}


def weights_of(name):
    layout, shape = LAYOUTS[name]
    return layout, b.random("weights", shape)


@pytest.mark.parametrize("name", LAYOUTS)
def test_counts(name):
    layout, weights = weights_of(name)
    assert layout.count_outputs(weights.shape) == OUTPUTS[name]
    assert layout.count_products(weights.shape) == PRODUCTS[name]
    assert layout.mixes_channels == (name != "HWCM")
    assert weights.shape[layout.inputs] == 4


@pytest.mark.parametrize("name", LAYOUTS)
def test_factors_of_outputs_scale_the_outputs(name):
    layout, weights = weights_of(name)
    patches = b.random("patches", (50, 6 if weights.ndim == 4 else 1, 4))
    factors = np.arange(1, OUTPUTS[name] + 1).astype(np.float32)
    scaled = layout.multiply(patches, weights * layout.along_outputs(factors, weights.shape))
    np.testing.assert_allclose(scaled, layout.multiply(patches, weights) * factors, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYOUTS)
def test_factors_of_inputs_scale_the_inputs(name):
    layout, weights = weights_of(name)
    patches = b.random("patches", (50, 6 if weights.ndim == 4 else 1, 4))
    factors = np.array([1, 2, 3, 4], np.float32)
    scaled = layout.multiply(patches, weights * layout.along_inputs(factors))
    np.testing.assert_allclose(scaled, layout.multiply(patches * factors, weights), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYOUTS)
def test_columns_there_and_back(name):
    layout, weights = weights_of(name)
    columns = layout.as_columns(weights)
    assert columns.shape == ((4, 6, 2) if name == "HWCM" else (1, PRODUCTS[name], 6))
    np.testing.assert_array_equal(layout.from_columns(columns, weights.shape), weights)


@pytest.mark.parametrize("name", LAYOUTS)
def test_columns_on_the_inputs_of_layers_are_the_op(name):
    layout, weights = weights_of(name)
    patches = b.random("patches", (50, 6 if weights.ndim == 4 else 1, 4))
    inputs = layout.inputs_of_layers(patches)
    got = (inputs @ layout.as_columns(weights)).transpose(1, 0, 2).reshape(len(patches), -1)
    np.testing.assert_allclose(got, layout.multiply(patches, weights), rtol=1e-4, atol=1e-5)
    inputs[:] = 0
    assert patches.any(), "the caller's"


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_response_to_a_constant_input(name):
    layout, weights = weights_of(name)
    values = b.random("values", (4,))
    patches = np.tile(values, (1, 6 if weights.ndim == 4 else 1, 1))
    got = layout.respond(values, layout.reduce_taps(weights, np.sum))
    np.testing.assert_allclose(got, layout.multiply(patches, weights)[0], rtol=1e-4, atol=1e-5)


def test_another_order_of_axes():
    """Outputs first, as other frameworks have it: nothing but the layout says so."""
    weights = b.random("weights", (3, 2, 4, 6))
    turned = Layout(4, 1, (0,))
    other = np.ascontiguousarray(weights.transpose(3, 2, 0, 1))
    patches = b.random("patches", (50, 6, 4))
    np.testing.assert_allclose(turned.multiply(patches, other), HWIO.multiply(patches, weights), rtol=1e-5)
    np.testing.assert_array_equal(turned.as_columns(other), HWIO.as_columns(weights))
    np.testing.assert_array_equal(turned.from_columns(turned.as_columns(other), other.shape), other)
