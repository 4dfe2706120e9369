"""From statistics to ranges: what all algorithms have in common, min-max and moving average."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.ranges.collectors import ALGORITHMS, COLLECTORS, collector, min_max, moving_average
from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.calibration.statistics_file import load_statistics, save_statistics
from intel_quantization.calibration.summary import summary
from intel_quantization.errors import BadInputError, QuantizationError

pytestmark = pytest.mark.tensorflow


def seen(*batches):
    """The statistics of some batches of values."""
    found = TensorStatistics()
    for batch in batches:
        found.merge(summary(np.asarray(batch, np.float32), histogram=True))
    return found


def test_min_max():
    assert min_max("x", TensorStatistics(2, -1.5, 3.0)) == (-1.5, 3.0)


def test_moving_average():
    assert moving_average("x", seen([1, 2], [-3, 4], [-4, 12])) == (-2, 6)
    assert moving_average("x", seen([1, 2], [], [-3, 4])) == (-1, 3)
    assert moving_average("x", seen([-1, 2])) == min_max("x", seen([-1, 2]))


def test_moving_average_needs_batches():
    merged = seen([1, 2])
    merged.merge(TensorStatistics(2, 0.0, 1.0, (None,)))
    for found in (TensorStatistics(2, 0.0, 1.0), merged):
        with pytest.raises(QuantizationError, match="'x' do not tell batches apart"):
            moving_average("x", found)


def test_moving_average_of_saved_shards(tmp_path):
    first, second = (Statistics("abc", 1, {"x": seen(*batches)}) for batches in ([[1, 2]], [[-3, 4], [-4, 12]]))
    save_statistics(second, str(tmp_path / "s.json"))
    first.merge(load_statistics(str(tmp_path / "s.json")))
    assert moving_average("x", first.tensors["x"]) == (-2, 6)


@pytest.mark.parametrize("algo", COLLECTORS)
def test_a_tensor_that_was_never_seen(algo):
    with pytest.raises(QuantizationError, match="never saw tensor 'x'"):
        COLLECTORS[algo]("x", TensorStatistics())


@pytest.mark.parametrize("algo", COLLECTORS)
@pytest.mark.parametrize(("low", "high"), [(float("-inf"), 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_values_that_are_not_finite(algo, low, high):
    with pytest.raises(QuantizationError, match="infinite or undefined") as caught:
        COLLECTORS[algo]("x", TensorStatistics(2, low, high))
    assert "--preprocess" in caught.value.remedy


@pytest.mark.parametrize("algo", ["KL", "PERCENTILE", "MSE"])
def test_statistics_without_a_histogram(algo):
    with pytest.raises(QuantizationError, match="'x' have no histogram"):
        COLLECTORS[algo]("x", TensorStatistics(2, 0.0, 1.0))


@pytest.mark.parametrize("algo", COLLECTORS)
@pytest.mark.parametrize(
    "values",
    [[0, 0], [7], [-7], [1e-38, 0], [0, 6, 6, 6], [-1, 2, 100], np.random.RandomState(0).normal(size=5000)],
    ids=["zeros", "one", "negative", "tiny", "relu6", "outlier", "normal"],
)
def test_no_range_is_wider_than_what_was_seen(algo, values):
    found = seen(values)
    low, high = COLLECTORS[algo]("x", found)
    assert found.minimum <= low <= high <= found.maximum or low == high == 0


@pytest.mark.parametrize("algo", COLLECTORS)
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_ranges_scale_with_the_values(algo, scale):
    values = np.random.RandomState(1).laplace(size=20000).astype(np.float32)
    small, large = (max(map(abs, COLLECTORS[algo]("x", seen(values * np.float32(by))))) for by in (1, scale))
    # bins are as wide as an eighth of an octave, and do not scale with the values
    assert large == pytest.approx(small * scale, rel=0.1)


def test_algorithms_are_found_by_name():
    assert collector("direct") is min_max
    assert collector("Ma") is moving_average
    assert ("AUTO", *COLLECTORS) == ALGORITHMS
    assert list(COLLECTORS) == ["DIRECT", "MA", "KL", "PERCENTILE", "MSE"]
    assert collector("Auto") is COLLECTORS["MSE"]  # what it does where it knows no layer


@pytest.mark.parametrize(
    ("name", "remedy"), [("DIRCT", "did you mean DIRECT"), ("x", "one of AUTO, DIRECT, MA, KL"), (None, "")]
)
def test_an_algorithm_that_is_none(name, remedy):
    with pytest.raises(BadInputError, match="no calibration algorithm '%s'" % name) as caught:
        collector(name)
    assert remedy in caught.value.remedy
