"""What calibration saw: mergeable data that does not depend on how it was collected.

For each tensor: how many values, their minimum and maximum, the sums of each batch's minimum and
maximum, its shape, the sum and the range of each channel, and a histogram with fixed
log-spaced bins. A bin is the sign, the exponent and the three leading mantissa bits of a float32, so 8
bins for each octave, the same for every tensor and every run: histograms merge by addition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import numpy as np

from intel_quantization.errors import BadInputError

BINS = 4096
SHIFT = 20  # float32 has 23 mantissa bits; 3 of them stay


@dataclass
class TensorStatistics:
    """Statistics of one tensor.

    Attributes:
        count: number of values.
        minimum: smallest finite value; +inf before the first.
        maximum: largest finite value; -inf before the first.
        shape: of one batch, None where batches differ (the batch dimension always counts as differing).
        channel_sum: float64, shape [channels] (the last axis): the sum of each channel's values; None
            where it was not collected.
        channel_minimum: float64, shape [channels]: the smallest value of each channel; None where it was not
            collected.
        channel_maximum: the same of the largest values.
        histogram: int64, shape [BINS]; None where it was not collected.
        batches: how many batches had values; 0 where batches were not told apart.
        minimum_sum: the sum of the smallest value of each batch.
        maximum_sum: the sum of the largest value of each batch.
        empties: how many times the tensor had no values, as where nothing was detected.
    """

    count: int = 0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    shape: Optional[Tuple[Optional[int], ...]] = None
    channel_sum: Optional[np.ndarray] = None
    channel_minimum: Optional[np.ndarray] = None
    channel_maximum: Optional[np.ndarray] = None
    histogram: Optional[np.ndarray] = None
    batches: int = 0
    minimum_sum: float = 0.0
    maximum_sum: float = 0.0
    empties: int = 0

    @property
    def channel_mean(self) -> Optional[np.ndarray]:
        """The mean of each channel: float64, shape [channels]; None where it was not collected."""
        if self.channel_sum is None or not self.count:
            return None
        return self.channel_sum * (self.channel_sum.size / float(self.count))

    @property
    def channel_magnitude(self) -> Optional[np.ndarray]:
        """The largest magnitude of each channel: float64, shape [channels]; None where it was not collected."""
        if self.channel_minimum is None or self.channel_maximum is None:
            return None
        return np.maximum(self.channel_maximum, -self.channel_minimum)

    def merge(self, other: TensorStatistics) -> None:
        """Add what another batch, shard or process saw of the same tensor."""
        self.empties += other.empties
        if not other.count:
            return
        first = not self.count
        self.shape = other.shape if first else _common_shape(self.shape, other.shape)
        self.channel_sum = _join(np.add, self.channel_sum, other.channel_sum, first)
        self.channel_minimum = _join(np.minimum, self.channel_minimum, other.channel_minimum, first)
        self.channel_maximum = _join(np.maximum, self.channel_maximum, other.channel_maximum, first)
        self.count += other.count
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.histogram = _join(np.add, self.histogram, other.histogram, first)
        told_apart = bool(other.batches and (first or self.batches))
        self.batches = self.batches + other.batches if told_apart else 0
        self.minimum_sum = self.minimum_sum + other.minimum_sum if told_apart else 0.0
        self.maximum_sum = self.maximum_sum + other.maximum_sum if told_apart else 0.0


@dataclass
class Statistics:
    """Statistics of all observed tensors of one graph.

    Attributes:
        graph: SHA-256 of the FP32 graph, hexadecimal.
        samples: how many inputs were fed.
        tensors: by tensor name.
        patches: what some linear ops read, by the op's name: float32 [patches, taps, channels]; see
            :mod:`intel_quantization.calibration.patches`.
        sensitivities: of some tensors, how much noise in each channel comes through to the outputs: float64
            [channels]; see :mod:`intel_quantization.calibration.sensitivity`.
        unmeasured: why a run that calibrated on data has none of these; not kept in files.
        origin: what they came from: ``data``, the SHA-256 of what was fed, None where a command fed it, and
            ``options``. JSON-ready; empty where nothing is known.
    """

    graph: str = ""
    samples: int = 0
    tensors: Dict[str, TensorStatistics] = field(default_factory=dict)
    patches: Dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    sensitivities: Dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    unmeasured: str = field(default="", compare=False)
    origin: Dict[str, Any] = field(default_factory=dict, compare=False)

    def merge(self, other: Statistics) -> None:
        """Add what another run on the same graph saw.

        Raises:
            BadInputError: the statistics are of another graph.
        """
        if self.graph and other.graph and self.graph != other.graph:
            raise BadInputError("the statistics belong to another graph", "calibrate this graph anew")
        if self.origin != other.origin:  # of two data sets there is no one name
            self.origin = other.origin if not self.tensors else {}
        self.graph = self.graph or other.graph
        self.samples += other.samples
        for name, item in other.tensors.items():
            self.tensors.setdefault(name, TensorStatistics()).merge(item)
        self.sensitivities = {**other.sensitivities, **self.sensitivities}  # each is an estimate by itself


def histogram_of(values: np.ndarray) -> np.ndarray:
    """The log-spaced histogram of float32 values: int64 of shape [BINS].

    The index of a value is its float32 bit pattern without the 20 lowest bits; minus zero is zero.
    """
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32) >> SHIFT
    return one_zero(np.bincount(bits, minlength=BINS))


def one_zero(histogram: np.ndarray) -> np.ndarray:
    """The same histogram, in place, with minus zero counted as zero: oneDNN's ReLU gives either."""
    histogram[0] += histogram[BINS // 2]
    histogram[BINS // 2] = 0
    return histogram


def bin_edges(indices: Any) -> np.ndarray:
    """The values of smallest and largest magnitude that fall into some bins: float64 [..., 2]."""
    first = np.asarray(indices, np.uint32) << np.uint32(SHIFT)
    both = np.stack([first, first | np.uint32((1 << SHIFT) - 1)], axis=-1)
    with np.errstate(invalid="ignore"):  # bins of what is no number
        return both.view(np.float32).astype(np.float64)


def _join(
    function: np.ufunc, mine: Optional[np.ndarray], other: Optional[np.ndarray], first: bool
) -> Optional[np.ndarray]:
    if first:
        return other
    # what one side did not collect, or counted otherwise, nothing can tell of both
    if mine is None or other is None or mine.shape != other.shape:
        return None
    return np.asarray(function(mine, other))


def _common_shape(
    first: Optional[Tuple[Optional[int], ...]], second: Optional[Tuple[Optional[int], ...]]
) -> Optional[Tuple[Optional[int], ...]]:
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(a if a == b else None for a, b in zip(first, second))
