"""KL: what it clips, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.ranges.entropy import kl_divergence
from intel_quantization.calibration.summary import summary

pytestmark = pytest.mark.tensorflow


def limit_of(values):
    return max(map(abs, kl_divergence("x", summary(np.asarray(values, np.float32), histogram=True))))


def test_a_long_tail_is_clipped():
    values = np.random.RandomState(0).standard_t(3, 60000)
    assert np.percentile(np.abs(values), 99.9) < limit_of(values) < 0.7 * np.abs(values).max()


def test_an_outlier_is_clipped_but_not_the_rest():
    values = np.append(np.random.RandomState(0).normal(size=60000), 100.0)
    assert 3 < limit_of(values) < 15


def test_values_without_a_tail_are_not_clipped():
    uniform = np.random.RandomState(0).uniform(0, 5, 60000)
    assert limit_of(uniform) == pytest.approx(5, rel=1e-3)
    assert limit_of(np.clip(4 * np.random.RandomState(0).normal(size=60000), 0, 6)) == 6


def test_signs_do_not_matter_but_levels_do():
    values = np.random.RandomState(0).laplace(size=60000)
    assert limit_of(values) == limit_of(-values)
    heavy = np.random.RandomState(0).standard_t(3, 60000)
    # twice the levels: less is lost by coarse steps, so less is gained by clipping
    assert limit_of(np.abs(heavy)) > limit_of(heavy)


def test_zeros_do_not_count():
    values = np.random.RandomState(0).laplace(size=30000)
    assert limit_of(np.append(values, np.zeros(30000))) == limit_of(values)


def test_a_single_value():
    assert limit_of([0.0, 3.0]) == 3
