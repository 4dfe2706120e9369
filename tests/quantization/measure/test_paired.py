"""Paired figures: what more samples would tell, and the coverage of the intervals."""

from __future__ import annotations

import functools
from functools import partial

import numpy as np
import pytest

from intel_quantization.comparison.bounds import paired_drop, score_interval, share_bounds
from intel_quantization.measure import bootstrap
from intel_quantization.measure.bootstrap import interval, mean_interval, student_t
from intel_quantization.measure.paired import BOOTSTRAP, Paired, paired_shares
from intel_quantization.measure.verdict import BROKEN, HELD, UNDECIDED, judge, judge_answers, told

DRAWS = 10_000
MET = functools.lru_cache(maxsize=None)(paired_drop)


def holds(first, second, count, truth):
    drop = MET(first, second, count)
    return drop.low <= truth <= drop.high


def test_the_interval_of_a_drop_covers_it_95_times_of_100_whatever_the_graphs_and_the_number_of_samples():
    rng = np.random.RandomState(0)
    held = []
    for _ in range(DRAWS):
        count = rng.choice([50, 100, 200, 500])
        lost, won = rng.uniform(0.01, 0.15), rng.uniform(0.01, 0.1)
        first, second, _both = rng.multinomial(count, [lost, won, 1 - lost - won])
        held.append(holds(first, second, count, 100 * (lost - won)))
    assert 0.94 <= np.mean(held) <= 0.96


@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.08, 0.02), (0.03, 0.01), (0.02, 0.015), (0.15, 0.05)])
@pytest.mark.parametrize("count", [200, 500])
def test_it_covers_the_drop_of_each_pair_of_graphs(shares, count):
    lost, won = shares
    draws = np.random.RandomState(1).multinomial(count, [lost, won, 1 - lost - won], DRAWS)
    held = np.mean([holds(first, second, count, 100 * (lost - won)) for first, second, _both in draws])
    assert 0.94 <= held <= 0.96


@pytest.mark.parametrize("shares", [(0.01, 0.0), (0.004, 0.002), (0.0, 0.0), (0.3, 0.1)])
@pytest.mark.parametrize("count", [10, 20, 50])
def test_few_samples_and_few_discordant_pairs_make_it_no_narrower(shares, count):
    lost, won = shares
    draws = np.random.RandomState(2).multinomial(count, [lost, won, 1 - lost - won], DRAWS)
    held = np.mean([holds(first, second, count, 100 * (lost - won)) for first, second, _both in draws])
    assert held >= 0.93


@pytest.mark.parametrize("count", [200, 400])
@pytest.mark.parametrize("lost", [0.01, 0.02])
def test_it_does_so_where_only_one_graph_is_ever_wrong_alone(lost, count):
    draws = np.random.RandomState(3).multinomial(count, [lost, 0, 1 - lost], DRAWS)
    assert np.mean([holds(first, second, count, 100 * lost) for first, second, _both in draws]) >= 0.95


def test_known_values_of_tangos_interval():
    # without discordant pairs z^2 / (n + z^2); with nothing but such pairs, Wilson's interval of a share
    assert score_interval(0, 0, 100)[1] == pytest.approx(3.841459 / 103.841459, abs=1e-6)
    low, high = share_bounds(7, 10)
    assert score_interval(7, 3, 10) == (pytest.approx(2 * low - 1, abs=1e-6), pytest.approx(2 * high - 1, abs=1e-6))
    turned = score_interval(3, 9, 77)
    assert score_interval(9, 3, 77)[0] == pytest.approx(-turned[1])


@pytest.mark.parametrize(("count", "worst"), [(8, 0.925), (30, 0.935), (100, 0.94)])
def test_the_bootstrap_covers_a_mean_of_differences(count, worst, monkeypatch):
    rng = np.random.RandomState(3)
    monkeypatch.setattr(bootstrap, "RESAMPLES", 400)
    weights = rng.multinomial(count, np.full(count, 1 / count), 400)
    monkeypatch.setattr(bootstrap.np.random, "RandomState", lambda seed: Known(weights))
    held = []
    for _ in range(2_000):
        differences = rng.normal(1.0, 3.0, count)
        low, high = interval(partial(mean_of, differences), count, 100.0, count, 400)
        held.append(low <= 1.0 <= high)
    assert worst <= np.mean(held) <= 0.97


def mean_of(values, weights):
    return weights @ values / len(values)


class Known:
    """The same draws each time, for the test's speed."""

    def __init__(self, weights):
        self._weights, self._at = weights, 0

    def multinomial(self, _count, _shares, rows):
        self._at += rows
        return self._weights[self._at - rows : self._at]


def test_where_no_sample_differs_the_bootstrap_does_not_claim_to_be_sure():
    low, high = mean_interval(np.zeros(50), 100.0)
    assert (low, high) == (pytest.approx(-high), pytest.approx(paired_drop(0, 0, 50).high))
    assert interval(lambda weights: weights.sum(axis=1), 1, 7.0, 1) == (-7.0, 7.0)


def test_students_t():
    known = {1: 12.7062, 2: 4.3027, 3: 3.1824, 5: 2.5706, 10: 2.2281, 30: 2.0423, 1000: 1.9623}
    assert {freedom: student_t(freedom) for freedom in known} == {
        freedom: pytest.approx(value, rel=2e-3) for freedom, value in known.items()
    }


@pytest.mark.parametrize(
    ("only_fp32", "only_int8", "count", "limit", "word"),
    [(5, 5, 1000, 1.0, HELD), (60, 5, 1000, 1.0, BROKEN), (8, 2, 500, 1.0, UNDECIDED), (0, 0, 100, 1.0, UNDECIDED)],
)
def test_verdicts(only_fp32, only_int8, count, limit, word):
    paired = paired_shares("top-1", only_fp32, only_int8, count - only_fp32 - only_int8, count)
    verdict = judge(paired, limit, "images")
    assert (verdict.word, verdict.metric, verdict.max_drop) == (word, "top-1", limit)
    assert f"{count} images" in verdict.text
    assert f"{paired.low:+.2f} to {paired.high:+.2f}" in verdict.text
    assert (verdict.needed is None) == (word != UNDECIDED or paired.points == limit)


@pytest.mark.parametrize(("only_fp32", "only_int8", "count"), [(8, 5, 400), (0, 0, 100), (16, 4, 500)])
def test_so_many_samples_as_are_named_do_decide_and_far_fewer_do_not(only_fp32, only_int8, count):
    needed = paired_shares("top-1", only_fp32, only_int8, count // 2, count).needed(1.0)
    assert needed > count

    def decided(samples):
        drop = paired_drop(only_fp32 / count * samples, only_int8 / count * samples, samples)
        return drop.high <= 1.0 or drop.low > 1.0

    assert decided(needed)
    assert not decided(int(0.85 * needed))


def test_a_bootstrapped_interval_shrinks_with_the_root():
    paired = Paired("mean IoU", 70.0, 69.5, 0.5, -0.5, 1.5, 100, BOOTSTRAP)
    assert paired.needed(1.0) == 400
    assert paired.needed(2.0) is None
    assert Paired("mean IoU", 70.0, 69.0, 1.0, -0.5, 1.5, 100, BOOTSTRAP).needed(1.0) is None
    assert "too near the limit" in judge(Paired("x", 70.0, 69.0, 1.0, 0.5, 1.5, 100, BOOTSTRAP), 1.0, "rows").text


def test_without_labels_no_more_can_be_lost_than_is_answered_otherwise():
    assert judge_answers(100.0, 1000, 1.0, "images").word == HELD
    assert judge_answers(97.0, 1000, 1.0, "images").word == UNDECIDED
    assert judge_answers(50.0, 1000, 1.0, "images").word == UNDECIDED  # the other answers may be as good


def test_a_gain_is_told_as_one():
    assert told(paired_shares("top-1", 2, 6, 80, 100)).startswith("INT8 gains 4.00 points of top-1 (82.00 -> 86.00")
