"""MSE: the limit with the least squared error, of rounding and of clipping together."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

from intel_quantization.calibration.ranges.magnitudes import Magnitudes, find_limit
from intel_quantization.calibration.statistics import TensorStatistics

# Limits that are tried, as shares of the largest magnitude: 2 % apart, down to 1/32.
_SHARES = np.exp2(-np.arange(0, 161) / 32.0)


def mean_squared_error(tensor: str, statistics: TensorStatistics) -> Tuple[float, float]:
    """The range whose INT8 values differ least from what was seen, in the mean of squares.

    Raises:
        QuantizationError: nothing was seen, it was not finite, or there is no histogram.
    """
    return find_limit(tensor, statistics, _least_wrong)


def _least_wrong(found: Magnitudes, largest: float) -> float:
    limits = largest * _SHARES
    return float(limits[int(np.argmin(squared_error(found, limits)))])


def squared_error(found: Magnitudes, limits: Any) -> np.ndarray:
    """The sums of squared errors of INT8 values up to some limits, in-bin distributions taken as even: like ``limits``.

    The integral from 0 to x of the squared rounding error at step s is, with x / s = k + r and k the
    nearest whole number, s^3 (k / 12 + r^3 / 3); beyond the limit the error is x - limit.
    """
    limit = np.asarray(limits, np.float64)[..., None]
    step = limit / found.levels
    width = found.high - found.low
    single = width <= 0
    spread = _integrate(found.high, step, limit) - _integrate(found.low, step, limit)
    mean = np.where(single, _point(found.high, step, limit), spread / np.where(single, 1.0, width))
    return np.asarray((found.count * mean).sum(axis=-1))


def _integrate(edges: np.ndarray, step: np.ndarray, limit: np.ndarray) -> np.ndarray:
    inside = np.minimum(edges, limit) / step
    whole = np.rint(inside)
    rounding = _cube(step) * (whole / 12.0 + _cube(inside - whole) / 3.0)
    return np.asarray(rounding + _cube(np.maximum(edges - limit, 0.0)) / 3.0)


def _cube(values: np.ndarray) -> np.ndarray:
    return values * values * values


def _point(values: np.ndarray, step: np.ndarray, limit: np.ndarray) -> np.ndarray:
    return np.square(values - np.minimum(np.rint(values / step) * step, limit))
