"""From statistics to ranges."""

from __future__ import annotations

import pytest

from intel_quantization.calibration.collectors import min_max
from intel_quantization.calibration.statistics import TensorStatistics
from intel_quantization.errors import QuantizationError

pytestmark = pytest.mark.tensorflow


def test_min_max():
    assert min_max("x", TensorStatistics(2, -1.5, 3.0)) == (-1.5, 3.0)


def test_a_tensor_that_was_never_seen():
    with pytest.raises(QuantizationError, match="never saw tensor 'x'"):
        min_max("x", TensorStatistics())


@pytest.mark.parametrize(("low", "high"), [(float("-inf"), 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_values_that_are_not_finite(low, high):
    with pytest.raises(QuantizationError, match="infinite or undefined") as caught:
        min_max("x", TensorStatistics(2, low, high))
    assert "--preprocess" in caught.value.remedy
