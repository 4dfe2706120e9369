"""KL: the limit that loses the least information.

The method of S. Migacz, "8-bit Inference with TensorRT" (GTC 2017): of the histogram up to a limit, with
all that is beyond counted into its last bin, and the same histogram with only as many different heights as
INT8 has levels, take the limit for which the Kullback-Leibler divergence of the two is smallest.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

from intel_quantization.calibration.ranges.magnitudes import Magnitudes, find_limit
from intel_quantization.calibration.statistics import TensorStatistics

_BINS_PER_LEVEL = 16
# Limits that are tried, in bins per level: from one, where nothing is lost but by clipping, to all.
_TRIALS = 96


def kl_divergence(tensor: str, statistics: TensorStatistics) -> Tuple[float, float]:
    """The range whose INT8 values tell most about the distribution that was seen.

    Zeros do not count: they are exact whatever the range is.

    Raises:
        QuantizationError: nothing was seen, it was not finite, or there is no histogram.
    """
    return find_limit(tensor, statistics, _least_divergent)


def _least_divergent(found: Magnitudes, largest: float) -> float:
    bins = found.levels * _BINS_PER_LEVEL
    histogram = _evenly_spaced(found, bins, largest)
    sizes = np.unique(np.rint(np.geomspace(found.levels, bins, _TRIALS)).astype(int))
    divergences = [_compute_divergence(histogram, int(size), found.levels) for size in sizes]
    best = sizes[len(sizes) - 1 - int(np.argmin(divergences[::-1]))]  # of equals, the widest
    return float(largest * best / bins)


def _evenly_spaced(found: Magnitudes, bins: int, largest: float) -> np.ndarray:
    """The counts in ``bins`` bins of equal width up to the largest magnitude."""
    edges = np.linspace(0.0, largest, bins + 1)
    single = found.high <= found.low
    knots = np.stack([found.low, found.high], axis=1)[~single].reshape(-1)
    heights = np.cumsum(found.count[~single])
    cumulative = np.stack([heights - found.count[~single], heights], axis=1).reshape(-1)
    result = np.diff(np.interp(edges, knots, cumulative)) if len(knots) else np.zeros(bins)
    places = np.minimum((found.high[single] / largest * bins).astype(int), bins - 1)
    np.add.at(result, places, found.count[single])
    return result


def _compute_divergence(histogram: np.ndarray, size: int, levels: int) -> float:
    """Divergence from the histogram clipped to its first ``size`` bins, of the same with ``levels`` heights."""
    kept = histogram[:size]
    reference = kept.copy()
    reference[-1] += histogram[size:].sum()
    # which level a bin belongs to; its height is the mean over the bins of the level that are not empty
    level = np.arange(size) * levels // size
    used = kept > 0
    mass = np.bincount(level, kept, levels)
    members = np.bincount(level, used, levels)
    coarse = np.where(used, (mass / np.maximum(members, 1.0))[level], 0.0)
    if not coarse.any():
        return float("inf")
    p, q = reference / reference.sum(), coarse / coarse.sum()
    # a last bin that only clipped values fill has no counterpart: as unlikely as one value in all
    q = np.maximum(q, 1.0 / max(histogram.sum(), 1.0) * 1e-3)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())
