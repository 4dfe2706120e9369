"""From statistics to the range that a tensor is quantized with: the algorithms by their names.

All of them read the same statistics, so that one pass over the data serves each. Zero is always exact:
an INT8 tensor is [0, limit] where nothing negative was seen, else [-limit, limit].
"""

from __future__ import annotations

from typing import Callable, Dict, Mapping, Tuple

from intel_quantization.calibration.ranges.entropy import kl_divergence
from intel_quantization.calibration.ranges.magnitudes import check_seen
from intel_quantization.calibration.ranges.percentile import percentile
from intel_quantization.calibration.ranges.squared_error import mean_squared_error
from intel_quantization.calibration.statistics import TensorStatistics
from intel_quantization.contract.nearest import did_you_mean
from intel_quantization.contract.words import ALGORITHMS
from intel_quantization.errors import BadInputError, QuantizationError

Ranges = Callable[[str, TensorStatistics], Tuple[float, float]]
"""(name of a tensor, its statistics) -> the smallest and the largest value to represent; neither is wider than
what was seen. Raises QuantizationError where the tensor was never seen, or not finite."""


def min_max(tensor: str, statistics: TensorStatistics) -> Tuple[float, float]:
    """The smallest and the largest value that was seen.

    Raises:
        QuantizationError: nothing was seen, or it was not finite.
    """
    check_seen(tensor, statistics)
    return statistics.minimum, statistics.maximum


def moving_average(tensor: str, statistics: TensorStatistics) -> Tuple[float, float]:
    """The mean of the batches' smallest values, and of their largest ones; all batches count the same.

    It depends on the batch size: one batch gives what :func:`min_max` gives.

    Raises:
        QuantizationError: nothing was seen, it was not finite, or batches were not told apart.
    """
    check_seen(tensor, statistics)
    if not statistics.batches:
        raise QuantizationError(
            "the statistics of tensor '%s' do not tell batches apart" % tensor,
            "calibrate anew, or with another algorithm",
        )
    return statistics.minimum_sum / statistics.batches, statistics.maximum_sum / statistics.batches


COLLECTORS: Dict[str, Ranges] = {
    "DIRECT": min_max,
    "MA": moving_average,
    "KL": kl_divergence,
    "PERCENTILE": percentile,
    "MSE": mean_squared_error,
}
"""The algorithms that look at one tensor alone, by name; the first three names are those of intel-quantization 1.1."""

AUTO = ALGORITHMS[0]
"""The algorithm that looks at the layers, too: :mod:`intel_quantization.quantize.auto_ranges`."""


def collector(name: str) -> Ranges:
    """The algorithm of that name, upper or lower case; of AUTO what it does where it knows no layer: MSE.

    Raises:
        BadInputError: there is none.
    """
    found = COLLECTORS.get("MSE" if str(name).upper() == AUTO else str(name).upper())
    if found is None:
        remedy = did_you_mean(str(name).upper(), ALGORITHMS, "choose one of %s" % ", ".join(ALGORITHMS))
        raise BadInputError("there is no calibration algorithm '%s'" % name, remedy)
    return found


def with_given(ranges: Ranges, given: Mapping[str, Tuple[float, float]]) -> Ranges:
    """The same, but for tensors whose range is given."""

    def found(tensor: str, statistics: TensorStatistics) -> Tuple[float, float]:
        return given[tensor] if tensor in given else ranges(tensor, statistics)

    return found if given else ranges
