"""Percentile: leave out the largest of all values."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from intel_quantization.calibration.ranges.magnitudes import magnitudes, within
from intel_quantization.calibration.statistics import TensorStatistics

PERCENT = 99.99


def percentile(tensor: str, statistics: TensorStatistics, percent: float = PERCENT) -> Tuple[float, float]:
    """The range that ``percent`` of the values other than zero lie in.

    Zeros do not count, since a tensor behind a ReLU may have hardly anything else.

    Raises:
        QuantizationError: nothing was seen, it was not finite, or there is no histogram.
    """
    found = magnitudes(tensor, statistics)
    if not len(found.count):
        return within(statistics, max(-statistics.minimum, statistics.maximum))
    below = np.cumsum(found.count)
    wanted = below[-1] * percent / 100.0
    index = min(int(np.searchsorted(below, wanted)), len(below) - 1)
    share = 1.0 - (below[index] - wanted) / found.count[index]
    return within(statistics, float(found.low[index] + share * (found.high[index] - found.low[index])))
