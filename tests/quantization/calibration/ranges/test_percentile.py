"""Percentile, beside numpy's on the values themselves."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.ranges.percentile import percentile
from intel_quantization.calibration.summary import summary

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("percent", [99.99, 99.0, 50.0, 100.0])
@pytest.mark.parametrize("kind", ["normal", "laplace", "exponential"])
def test_as_numpy_within_a_bin(kind, percent):
    values = getattr(np.random.RandomState(0), kind)(size=60000).astype(np.float32)
    low, high = percentile("x", summary(values, histogram=True), percent)
    expected = np.percentile(np.abs(values), percent)
    assert max(-low, high) == pytest.approx(expected, rel=0.07)


def test_zeros_do_not_count():
    values = np.zeros(60000, np.float32)
    values[:3] = 1, 2, 4
    assert percentile("x", summary(values, histogram=True)) == pytest.approx((0, 4), rel=1e-3)


def test_an_outlier_is_left_out():
    values = np.append(np.random.RandomState(0).uniform(-1, 1, 50000), 1000).astype(np.float32)
    low, high = percentile("x", summary(values, histogram=True))
    assert low == pytest.approx(-1, rel=1e-3)
    assert high == pytest.approx(1, rel=0.01)
