"""Magnitudes: the histogram without signs and zeros."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.ranges.magnitudes import magnitudes, within
from intel_quantization.calibration.statistics import TensorStatistics
from intel_quantization.calibration.summary import summary

pytestmark = pytest.mark.tensorflow


def test_signs_and_zeros_do_not_count():
    found = magnitudes("x", summary(np.array([0, -0.0, 1, -1, 1.05, -3], np.float32), histogram=True))
    np.testing.assert_array_equal(found.count, [3, 1])
    np.testing.assert_allclose(found.low, [1, 3])
    np.testing.assert_allclose(found.high, [1.125, 3], rtol=1e-6)
    assert found.levels == 127


def test_what_is_never_negative_has_all_levels():
    found = magnitudes("x", summary(np.array([0, 6, 6], np.float32), histogram=True))
    assert (found.levels, found.low.tolist(), found.high.tolist()) == (255, [6], [6])


def test_no_bins_where_all_is_zero():
    assert not len(magnitudes("x", summary(np.zeros(3, np.float32), histogram=True)).count)


def test_within():
    assert within(TensorStatistics(2, -3.0, 9.0), 4.0) == (-3, 4)
    assert within(TensorStatistics(2, -9.0, 3.0), 4.0) == (-4, 3)
    assert within(TensorStatistics(2, 2.0, 3.0), 4.0) == (2, 3)
