"""Layers are judged by what their noise does to the outputs of the network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.ranges.collectors import min_max
from intel_quantization.quantize.damage import judge_by_damage
from intel_quantization.quantize.local_error import local_error
from intel_quantization.quantize.payoff import OUT_OF_PROPORTION, find_unpaying
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

pytestmark = pytest.mark.tensorflow


def net():
    x = b.conv_block(b.image((None, 16, 16, 3)), "first", filters=8)
    for name in ("second", "third", "fourth"):
        x = b.conv_block(x, name, filters=64)
    b.conv_block(x, "out", filters=64)


def judged(sensitivities):
    graph_def = b.build(net)
    prepared = prepare(graph_def, [b.batch(graph_def, 8, seed=1)], ["out"])
    groups = list(prepared.groups.values())
    by_root = {group.root: sensitivities[group.linear] for group in groups if group.linear in sensitivities}
    prepared.statistics.sensitivities = by_root

    def own_error(group, trial):
        return local_error(prepared.graph, group, prepared.statistics, trial, min_max)

    return prepared, groups, judge_by_damage(groups, prepared.statistics, prepared.trials, own_error), own_error


def widths(factor):
    return {"first": np.full(8, factor), "second": np.full(64, 1e-3), "third": np.full(64, 1e-3)}


def test_errors_scale_with_sensitivities_and_the_unknown_is_like_the_others():
    _prepared, groups, trials, own_error = judged(widths(1e-3))
    _prepared, more, other, _own_error = judged(widths(2e-3))
    first, again = groups[0], more[0]
    assert own_error(again, other[again.root]) == pytest.approx(2 * own_error(first, trials[first.root]))
    unknown = next(group for group in groups if group.linear == "fourth")
    assert own_error(unknown, trials[unknown.root]) > 0


def test_without_any_the_errors_are_those_of_the_layers():
    prepared, groups, trials, own_error = judged({})
    for group in groups:
        assert own_error(group, trials[group.root]) == own_error(group, prepared.trials[group.root])


def test_sensitivities_of_another_width_are_none():
    prepared, groups, trials, own_error = judged({"first": np.ones(3)})
    assert own_error(groups[0], trials[groups[0].root]) == own_error(groups[0], prepared.trials[groups[0].root])


@pytest.mark.parametrize(("factor", "left"), [(1e-3, False), (1e3, True)])
def test_a_layer_whose_noise_grows_on_its_way_stays_fp32(factor, left):
    prepared, groups, _trials, _own_error = judged({**widths(factor), "fourth": np.full(64, 1e-3)})
    channels = frozenset(group.root for group in groups)
    found = find_unpaying(prepared.graph, prepared.items, prepared.statistics, prepared.trials, min_max, channels)
    assert (found.get("first") == OUT_OF_PROPORTION) == left


def test_noise_of_a_single_position_is_not_taken_for_more():
    """Class scores have no neighbours whose noise could be alike."""

    def scores():
        x = tf.reduce_mean(b.conv_block(b.image((None, 16, 16, 3)), "first", filters=8), [1, 2])
        b.dense(x, 4, name="out")

    graph_def = b.build(scores)
    prepared = prepare(graph_def, [b.batch(graph_def, 8, seed=1)], ["out"])
    groups = list(prepared.groups.values())
    widths = {group.root: 8 if group.linear == "first" else 4 for group in groups}
    prepared.statistics.sensitivities = {root: np.full(width, 2.0) for root, width in widths.items()}
    trials = judge_by_damage(groups, prepared.statistics, prepared.trials, lambda group, trial: 0.0)
    weights = {width: trials[root].weigh(np.ones(width)) / width for root, width in widths.items()}
    assert weights == {8: 8.0, 4: 2.0}
