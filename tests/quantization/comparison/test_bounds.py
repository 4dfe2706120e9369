"""Intervals of shares and of paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.comparison.bounds import mean_upper, paired_drop, share_bounds


def test_wilson():
    assert share_bounds(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, method 3
    assert share_bounds(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert share_bounds(0, 0) == (0.0, 1.0)
    assert share_bounds(20, 20)[1] == pytest.approx(1.0)


def test_a_mean_of_few_values_is_judged_by_the_best():
    assert mean_upper([]) == 1.0
    assert mean_upper([3.0, 50.0]) == 50.0
    assert mean_upper([5.0] * 10) == pytest.approx(5.0)
    assert mean_upper(np.arange(10)) == pytest.approx(
        4.5 + 1.96 * np.std(np.arange(10), ddof=1) / np.sqrt(10), abs=1e-3
    )


def test_a_paired_drop():
    drop = paired_drop(10, 2, 400)
    assert drop.points == pytest.approx(2.0)
    assert drop.low < 2.0 < drop.high
    assert drop.low > 0
    none = paired_drop(0, 0, 400)
    assert (none.points, -none.low) == (0.0, pytest.approx(none.high))
    assert none.high < 1
    one = paired_drop(1, 0, 10)
    assert one.low < 0 < one.high


@pytest.mark.parametrize(("only_first", "only_second"), [(0.05, 0.05), (0.08, 0.02), (0.01, 0.0)])
@pytest.mark.parametrize("count", [50, 400])
def test_the_interval_holds_the_truth_in_about_95_of_100_draws(only_first, only_second, count):
    draws = np.random.RandomState(0).multinomial(count, [only_first, only_second, 1 - only_first - only_second], 500)
    truth = 100 * (only_first - only_second)
    held = [
        drop.low <= truth <= drop.high for drop in (paired_drop(first, second, count) for first, second, _ in draws)
    ]
    assert np.mean(held) > 0.93
