"""A tensor's histogram as it matters for a range: how much of which magnitude."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Tuple

import numpy as np

from intel_quantization.calibration.statistics import BINS, TensorStatistics, bin_edges
from intel_quantization.errors import QuantizationError

_HALF = BINS // 2  # from here on, the sign bit is set


@dataclass(frozen=True)
class Magnitudes:
    """The distribution of the absolute values, without exact zeros, in ascending bins.

    Values are taken to be spread evenly over a bin. Bins end at the largest magnitude that was seen,
    so that one with a single value, as 6.0 behind a ReLU6, has no width.

    Attributes:
        low: float64, shape [bins]: the lower edges.
        high: float64, shape [bins]: the upper edges.
        count: float64, shape [bins]: how many (sampled) values; none is 0.
        levels: positive levels of the INT8 type: 255 for quint8, 127 for qint8.
    """

    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    levels: int


def check_seen(tensor: str, statistics: TensorStatistics) -> None:
    """Raise QuantizationError unless the tensor was seen, and was finite."""
    if not statistics.count:
        raise QuantizationError("calibration never saw tensor '%s'" % tensor)
    if not (math.isfinite(statistics.minimum) and math.isfinite(statistics.maximum)):
        raise QuantizationError(
            "tensor '%s' had infinite or undefined values during calibration" % tensor,
            "check --preprocess, and that the FP32 graph gives finite results",
        )


def magnitudes(tensor: str, statistics: TensorStatistics) -> Magnitudes:
    """The magnitudes of a tensor.

    Raises:
        QuantizationError: it was never seen, was not finite, or has no histogram.
    """
    check_seen(tensor, statistics)
    if statistics.histogram is None:
        raise QuantizationError(
            "the statistics of tensor '%s' have no histogram" % tensor, "calibrate anew, or with the algorithm DIRECT"
        )
    folded = (statistics.histogram[:_HALF] + statistics.histogram[_HALF:]).astype(np.float64)
    folded[0] = 0.0  # zeros, and what is too small to be anything else in INT8
    used = np.flatnonzero(folded)
    edges = bin_edges(used)
    largest = max(-statistics.minimum, statistics.maximum)
    high = np.minimum(edges[:, 1], largest)
    return Magnitudes(np.minimum(edges[:, 0], high), high, folded[used], 255 if statistics.minimum >= 0 else 127)


def within(statistics: TensorStatistics, limit: float) -> Tuple[float, float]:
    """What was seen of [-limit, limit]: (low, high)."""
    return max(statistics.minimum, -limit), min(statistics.maximum, limit)


def find_limit(
    tensor: str, statistics: TensorStatistics, choose: Callable[[Magnitudes, float], float]
) -> Tuple[float, float]:
    """What was seen of [-limit, limit]: (low, high). The whole of it where only zeros were seen.

    Args:
        tensor: its name, for messages.
        statistics: what was seen of it.
        choose: gives the limit for magnitudes and the largest of them.

    Raises:
        QuantizationError: it was never seen, was not finite, or has no histogram.
    """
    largest = max(-statistics.minimum, statistics.maximum)
    found = magnitudes(tensor, statistics)
    return within(statistics, choose(found, largest) if len(found.count) else largest)
