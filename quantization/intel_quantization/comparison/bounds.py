"""What a few samples can prove: bounds of shares and means, and the interval of a paired difference.

An alarm must not come from bad luck with the draw of samples, so verdicts judge the end of a 95 % interval that is
kindest to the INT8 graph, not the measured figure itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

import numpy as np

Z = 1.959964  # of a two-sided 95 % interval
_FEWEST = 4  # values of which a spread can be told


def share_bounds(hits: float, count: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, 0..1, of which ``hits`` of ``count`` independent samples have it.

    ``hits`` may be fractional: the share of the boxes of ``count`` images, of which one image has many.
    """
    if count <= 0:
        return 0.0, 1.0
    share = hits / count
    centre = share + Z * Z / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    scale = 1 + Z * Z / count
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def mean_upper(values: Sequence[float]) -> float:
    """The upper end of the 95 % interval of a mean; of very few values, the best of them."""
    array = np.asarray(values, np.float64)
    if len(array) < _FEWEST:
        return float(array.max()) if len(array) else 1.0
    return float(array.mean() + Z * array.std(ddof=1) / math.sqrt(len(array)))


@dataclass(frozen=True)
class Drop:
    """How many points of top-1 the second graph has lost, with the 95 % interval of that."""

    points: float
    low: float
    high: float


def paired_drop(only_first: int, only_second: int, count: int) -> Drop:
    """The drop from the samples that only one of two graphs gets right.

    Paired: what both get right or wrong says nothing of the difference, so the interval is much narrower than that of
    two accuracies. It is the adjusted Wald interval for paired proportions (Bonett and Price 2012): one sample is
    added to each of the two counts, which makes it hold for few samples and for no difference at all.
    """
    first, second = (only_first + 1) / (count + 2), (only_second + 1) / (count + 2)
    centre = first - second
    half = Z * math.sqrt(max(first + second - centre * centre, 0.0) / (count + 2))
    points = 100.0 * (only_first - only_second) / count
    return Drop(points, 100.0 * max(centre - half, -1.0), 100.0 * min(centre + half, 1.0))
