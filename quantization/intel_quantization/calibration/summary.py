"""The statistics of one array."""

from __future__ import annotations

import math
from typing import Tuple

import numpy as np

from intel_quantization.calibration.statistics import TensorStatistics, histogram_of

# Histograms need the values themselves; a regular sample of them shows the same distribution. So many of
# each image (the first dimension), and of so many images of a batch at most.
IMAGE_VALUES = 1 << 13
IMAGES = 8
# Values that stay in the cache while they are looked at several times. It also keeps float32 sums short.
_BLOCK = 1 << 15


def summary(values: np.ndarray, channels: bool = False, histogram: bool = False) -> TensorStatistics:
    """Count, minimum, maximum and shape of an array; minimum or maximum are not finite where a value is not.

    Args:
        values: float32, any shape.
        channels: also the sum and the range of each channel (the last axis).
        histogram: also count a regular sample of the values, at most three times 65536 of them.
    """
    shape = tuple(int(size) for size in values.shape)
    result = TensorStatistics(int(values.size), shape=(None, *shape[1:]) if shape else ())
    if not values.size:
        result.empties = 1
        return result
    width = shape[-1] if shape else 1
    rows = values.reshape(-1, width)
    step = max(_BLOCK // width, 1)
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    with np.errstate(invalid="ignore", over="ignore"):
        axis = 0 if channels else None
        low, high, sums = zip(
            *[(block.min(axis), block.max(axis), block.sum(axis=0) if channels else 0.0) for block in blocks]
        )
        # unlike Python's own, numpy's min and max pass NaN on
        result.minimum, result.maximum = float(np.min(low)), float(np.max(high))
        result.batches, result.minimum_sum, result.maximum_sum = 1, result.minimum, result.maximum
        if channels:
            result.channel_minimum = np.min(low, axis=0).astype(np.float64)
            result.channel_maximum = np.max(high, axis=0).astype(np.float64)
            result.channel_sum = np.stack(sums).sum(axis=0, dtype=np.float64)
    if histogram:
        result.histogram = histogram_of(values.reshape(-1)[:: _sample_step(shape)])
    return result


def _sample_step(shape: Tuple[int, ...]) -> int:
    """Which share of the values is looked at: one in so many, with no factor in common with any dimension.

    Otherwise some channels, or columns, would never be seen. Recorders compute the same with graph ops.
    """
    size = int(np.prod(shape, dtype=np.int64))
    wanted = size // (IMAGE_VALUES * min(shape[0] if shape else 1, IMAGES))
    fitting = STEPS[(wanted >= STEPS) & (size % STEPS != 0)]
    return int(fitting.max()) if fitting.size else 1


def _make_steps() -> np.ndarray:
    """Prime numbers, all of the small ones, then one in every 5 %: a prime divides a product or shares no factor."""
    found = []
    number = 2
    while number < 1 << 18:
        if all(number % divisor for divisor in range(2, int(math.sqrt(number)) + 1)):
            found.append(number)
            number = max(number, int(number * 1.05))
        number += 1
    return np.array(found, np.int32)


STEPS = _make_steps()
"""The steps, int32, in which a tensor may be sampled, besides 1."""
