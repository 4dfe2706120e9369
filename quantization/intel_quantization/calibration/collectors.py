"""From statistics to the range that a tensor is quantized with."""

from __future__ import annotations

import math
from typing import Tuple

from intel_quantization.calibration.statistics import TensorStatistics
from intel_quantization.errors import QuantizationError


def min_max(tensor: str, statistics: TensorStatistics) -> Tuple[float, float]:
    """The smallest and the largest value that was seen.

    Raises:
        QuantizationError: nothing was seen, or it was not finite.
    """
    low, high = statistics.minimum, statistics.maximum
    if not statistics.count:
        raise QuantizationError("calibration never saw tensor '%s'" % tensor)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise QuantizationError(
            "tensor '%s' had infinite or undefined values during calibration" % tensor,
            "check --preprocess, and that the FP32 graph gives finite results",
        )
    return low, high
