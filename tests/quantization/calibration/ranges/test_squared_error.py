"""MSE, beside the errors of the values themselves."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.ranges.magnitudes import Magnitudes, magnitudes
from intel_quantization.calibration.ranges.squared_error import mean_squared_error, squared_error
from intel_quantization.calibration.summary import summary

pytestmark = pytest.mark.tensorflow


def error_of(values, limit):
    levels = 255 if values.min() >= 0 else 127
    step = limit / levels
    stored = np.clip(np.rint(values / step), 0 if levels == 255 else -127, levels)
    return float(np.square(values - stored * step).sum())


def draws():
    random = np.random.RandomState(0)
    normal = random.normal(size=60000)
    return {
        "normal": normal,
        "relu": np.maximum(normal, 0),
        "relu6": np.clip(4 * normal, 0, 6),
        "laplace": random.laplace(size=60000),
        "heavy tail": random.standard_t(3, 60000),
        "outlier": np.append(normal[:10000], 300.0),
        "uniform": random.uniform(size=60000),
        "coarse": np.rint(normal * 3),
    }


DRAWS = {name: values.astype(np.float32) for name, values in draws().items()}


@pytest.mark.parametrize("name", [name for name in DRAWS if name != "coarse"])
def test_the_expected_error_is_that_of_the_values(name):
    values = DRAWS[name]
    found = magnitudes("x", summary(values, histogram=True))
    for share in (1.0, 0.7, 0.3, 0.1):
        limit = share * float(np.abs(values).max())
        assert squared_error(found, limit) == pytest.approx(error_of(values, limit), rel=0.25)


@pytest.mark.parametrize("name", DRAWS)
def test_no_other_limit_is_much_better(name):
    values = DRAWS[name]
    low, high = mean_squared_error("x", summary(values, histogram=True))
    largest = np.abs(values).max()
    best = min(error_of(values, share * largest) for share in np.exp2(-np.arange(0, 5, 0.05)))
    assert error_of(values, max(-low, high)) <= 1.12 * best + (1e-3 * len(values) if name == "coarse" else 0)


def test_uniform_values_are_not_clipped():
    values = DRAWS["uniform"]
    assert mean_squared_error("x", summary(values, histogram=True))[1] == values.max()


def test_the_integral_in_a_narrow_and_a_wide_bin():
    for low, high in ((0.2, 0.3), (0.4, 0.6), (0.1, 7.3), (90.0, 140.0), (126.9, 127.2), (130.0, 150.0), (5.0, 5.0)):
        found = Magnitudes(np.array([low]), np.array([high]), np.array([1.0]), 127)
        points = np.linspace(low, high, 20001)
        stored = np.minimum(np.rint(points), 127)
        assert squared_error(found, 127.0) == pytest.approx(np.square(points - stored).mean(), rel=1e-3)
