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


def paired_drop(only_first: float, only_second: float, count: float) -> Drop:
    """The drop from the samples that only one of two graphs gets right.

    Paired: what both get right or wrong says nothing of the difference, so the interval is much narrower than that of
    two accuracies. It is the score interval for paired proportions, of counts with a twentieth of a sample added to
    each: where only one of the graphs is ever wrong alone, the plain one holds the truth but 93 times of 100 (1 % of
    400 samples), this one 96, and elsewhere 94.5 to 96 as well, see the tests.

    Args:
        only_first, only_second: samples that only the one gets right; may be fractional, to try what more would tell.
        count: of all samples.
    """
    points = 100.0 * (only_first - only_second) / count
    low, high = score_interval(only_first + _ADDED, only_second + _ADDED, count + 2 * _ADDED)
    return Drop(points, min(100.0 * low, points), max(100.0 * high, points))


_ADDED = 0.05
_HALVINGS = 50


def score_interval(only_first: float, only_second: float, count: float) -> tuple[float, float]:
    """Tango's interval of a difference of paired shares, -1..1 (Statistics in Medicine 17:891, 1998).

    Its coverage stays near 95 % for few samples and few discordant pairs, where that of Wald's interval collapses. With
    no discordant pair at all it is plus and minus z^2 / (n + z^2).
    """
    return -_score_limit(only_second, only_first, count), _score_limit(only_first, only_second, count)


def _score_limit(first: float, second: float, count: float) -> float:
    """The largest difference that the score test does not reject: between the measured one and 1."""
    low, high = (first - second) / count, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _score(first, second, count, middle) >= -Z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _score(first: float, second: float, count: float, difference: float) -> float:
    """Tango's statistic of a true difference: the share of ``second`` at its maximum likelihood under it."""
    a = 2.0 * count
    b = -first - second + (2.0 * count - first + second) * difference
    c = -second * difference * (1.0 - difference)
    share = (math.sqrt(max(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
    variance = count * (2.0 * share + difference * (1.0 - difference))
    distance = first - second - count * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)
