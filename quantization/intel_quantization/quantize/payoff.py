"""Layers that do not pay in INT8: little work, and either much of the error or only conversions to gain.

Two rules, both for groups with a small share of the network's work, so that what they cost is bounded whatever the
network is. Work is multiply-accumulates, but at least what reading the weights takes: at batch 1 the class scores of a
small network are all memory traffic.

- an island: groups that hand INT8 values to no others, whose input is quantized and whose result is dequantized for
  too little work in between, as the two products of squeeze-and-excite. A QuantizeV2 or Dequantize takes some 10
  microseconds even of one value, in which FP32 does some 250,000 multiply-accumulates;
- an error out of proportion: a group, or one with the group that makes what it reads, that loses more than others do
  and has ten times as large a share of the errors as of the work (a first or last layer, a depthwise convolution
  whose input goes far below zero). Converting what those neighbours make and read that stay INT8 counts as its work.
  One that ruins the network by itself may take more: a depthwise convolution that pads has to read channels of unlike
  means with one range, and so do all others that read that tensor, unless it becomes FP32 (see
  :mod:`intel_quantization.quantize.channel_grids`).

Errors are judged twice: by the noise in the layer's own output, and by that in the outputs of the network, as
sensitivities tell it (see :mod:`intel_quantization.quantize.damage`). The second finds layers whose noise grows on its
way, the first those whose noise is alike all over an image, which the second takes for independent.

Errors are those behind equalization. Rounding the input of a group stays when the group becomes FP32 and what makes
its input does not; so it counts as an error of the latter from then on. Differences of neighbours, such as edges, are
an example: FP32 takes them of values that INT8 has rounded.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import layout_of
from intel_quantization.quantize.damage import judge_by_damage
from intel_quantization.quantize.equalization import equalized_limit
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.local_error import (
    LocalNoise,
    input_error,
    measure_local_noise,
    measure_output_noise,
    rounded_input,
    rounded_weights,
)
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.trial import Grid, Trial

ISLAND = "so little work between float32 ops that converting to INT8 and back takes longer"
OUT_OF_PROPORTION = "its INT8 error is out of proportion to the little time that it takes"

# Work that a conversion between FP32 and INT8 has to be worth, in multiply-accumulates for each sample.
_CONVERSION_WORK = 250_000
# In the time of reading one float32 weight from a far cache a core does so many multiply-accumulates.
_WORK_OF_A_WEIGHT = 4
# Islands may have such a share of the network's work, one at a time, and in all.
_SMALL_SHARE = 0.01
_SHARE_IN_ALL = 0.02
# So large a share of the variance of a layer's output (33 dB) may be out of proportion, if it is so many times the
# median as well; and from here on (20 dB) it ruins the network by itself.
_LARGE_ERROR = 5e-4
_TIMES_MEDIAN = 1.0
_RUINOUS_ERROR = 1e-2
# Converting a value takes as long as so many multiply-accumulates in INT8.
_WORK_OF_A_VALUE = 50


class _Limits(NamedTuple):
    """What an error out of proportion may cost.

    Attributes:
        times_work: its share of all errors has to be so many times its share of the work.
        share: of the work, for one.
        share_in_all: of the work, with all that stays FP32.
    """

    times_work: float
    share: float
    share_in_all: float

    def allow(self, error: float, work: float, spent: float) -> bool:
        """Whether a share of the errors is worth a share of the work, when such a share is spent already."""
        return error >= self.times_work * work and work <= self.share and spent + work <= self.share_in_all


_USUALLY = _Limits(10.0, 0.01, 0.02)
_IF_RUINOUS = _Limits(2.0, 0.1, 0.1)


def find_unpaying(
    graph: Graph,
    items: Sequence[Item],
    statistics: Statistics,
    trials: Dict[str, Trial],
    ranges: Ranges,
    by_channel: FrozenSet[str],
    equalize: Callable[[], Dict[str, np.ndarray]] = dict,
) -> Dict[str, str]:
    """The linear ops that had better stay FP32: name -> reason.

    Args:
        graph: the FP32 graph.
        items: what would become INT8, each behind those whose results it reads.
        statistics: of the tensors that the groups observe.
        trials: by the groups' roots.
        ranges: what makes the range of a tensor from its statistics.
        by_channel: the roots of the groups whose weights get one range for each output channel.
        equalize: gives the factors of the tensors that would be equalized; called where a layer is suspected.
    """
    groups = [item for item in items if isinstance(item, Group)]
    work = {group.root: count_work(graph, group, statistics) for group in groups}
    total = sum(work.values())
    left: Dict[str, str] = {}
    spent = 0.0
    for island in _islands(items):
        mine = sum(work[group.root] for group in island)
        if mine < _CONVERSION_WORK * _conversions(island) and mine <= _SMALL_SHARE * total:
            if spent + mine <= _SHARE_IN_ALL * total:
                left.update({group.linear: ISLAND for group in island})
                spent += mine
    tried = [group for group in groups if group.root in trials and group.linear not in left]

    plain = {
        group.root: measure_local_noise(graph, group, statistics, trials[group.root], ranges, group.root in by_channel)
        for group in tried
    }

    def own_error(group: Group, trial: Trial) -> float:
        return plain[group.root].weighed_by(trial)

    equalized: Optional[Dict[str, LocalNoise]] = None
    for judged in (trials, judge_by_damage(tried, statistics, trials, own_error)):
        errors = {group.root: own_error(group, judged[group.root]) for group in tried if group.linear not in left}
        if any(error >= _LARGE_ERROR for error in errors.values()):
            if equalized is None:
                equalized = _equalized_noise(graph, groups, statistics, trials, ranges, by_channel, equalize())
            errors.update({root: equalized[root].weighed_by(judged[root]) for root in errors if root in equalized})
        spent = _leave_out_of_proportion(items, statistics, judged, ranges, work, errors, left, spent)
        if not statistics.sensitivities:
            break
    return left


def _leave_out_of_proportion(
    items: Sequence[Item],
    statistics: Statistics,
    trials: Dict[str, Trial],
    ranges: Ranges,
    work: Dict[str, float],
    errors: Dict[str, float],
    left: Dict[str, str],
    spent: float,
) -> float:
    """Add to ``left`` the groups whose error is out of proportion, alone or with the one that makes what they read.

    Args:
        items, statistics, trials, ranges: see :func:`find_unpaying`.
        work: of all groups, by root.
        errors: of those that may be left, by root.
        left: what stays FP32 already.
        spent: of the work, for that.

    Returns:
        What is spent then.
    """
    total, all_errors, errors = sum(work.values()), sum(errors.values()), dict(errors)
    usual = float(np.median(list(errors.values()))) if errors else 0.0
    by_root = {item.root: item for item in items if isinstance(item, Group)}
    waiting = [together for root in errors for together in _alone_and_with_maker(by_root[root], by_root, errors)]
    while waiting:
        together = max(waiting, key=lambda groups: sum(errors[group.root] for group in groups))
        waiting.remove(together)
        error = sum(errors[group.root] for group in together)
        if error < _LARGE_ERROR:
            break
        if error < _TIMES_MEDIAN * usual:
            continue
        mine = sum(work[group.root] for group in together)
        mine += _WORK_OF_A_VALUE * _count_converted(items, together, left, statistics)
        limits = _IF_RUINOUS if error >= _RUINOUS_ERROR else _USUALLY
        if not limits.allow(error / all_errors, mine / total, spent / total):
            continue
        spent += mine
        left.update({group.linear: OUT_OF_PROPORTION for group in together})
        waiting = [groups for groups in waiting if not any(group in together for group in groups)]
        for group in together:
            del errors[group.root]
        first = together[0]
        if first.source in errors:  # what rounding this tensor costs is now the matter of its maker
            errors[first.source] += input_error(first, statistics, trials[first.root], ranges)
            again = _alone_and_with_maker(by_root[first.source], by_root, errors)
            waiting += [groups for groups in again if groups not in waiting]
    return spent


def _alone_and_with_maker(group: Group, by_root: Dict[str, Group], errors: Dict[str, float]) -> List[Tuple[Group, ...]]:
    """What may be left together: a group, and the same with the one that makes what it reads."""
    alone: List[Tuple[Group, ...]] = [(group,)]
    return [*alone, (by_root[group.source], group)] if group.source in errors else alone


def _equalized_noise(
    graph: Graph,
    groups: Sequence[Group],
    statistics: Statistics,
    trials: Dict[str, Trial],
    ranges: Ranges,
    by_channel: FrozenSet[str],
    factors: Dict[str, np.ndarray],
) -> Dict[str, LocalNoise]:
    """The noise of the groups whose source or result is equalized, by their roots."""
    by_root = {group.root: group for group in groups}

    def equalized_grid(name: str) -> Grid:
        seen = statistics.tensors[name]
        assert seen.channel_magnitude is not None  # a condition of equalization
        low, high = ranges(name, seen)
        magnitude = np.minimum(seen.channel_magnitude, max(-low, high))
        limit = equalized_limit(magnitude, factors[name], by_root[name].activation)
        return Grid.of(-limit if seen.minimum < 0 else 0.0, limit)

    def measure(group: Group, trial: Trial) -> LocalNoise:
        read, result = factors.get(group.source), factors.get(group.root)
        if read is None:
            patches = rounded_input(group, statistics, trial, ranges)
        else:
            scale = read.astype(np.float32)
            patches = equalized_grid(group.source).round(trial.patches / scale) * scale
        unsigned = group.lifted or statistics.tensors[group.source].minimum >= 0
        node, per_channel = graph.nodes[group.linear], group.root in by_channel
        weights = rounded_weights(node, trial.weights, per_channel, unsigned, read, result)
        if result is None:
            rounded = measure_output_noise(group, statistics, trial, ranges)
        else:
            rounded = trial.measure_rounding(equalized_grid(group.root), scale=result)
        return LocalNoise(trial.measure_noise(patches, weights), rounded)

    return {
        root: measure(group, trials[root])
        for root, group in by_root.items()
        if root in trials and (group.source in factors or root in factors)
    }


def _count_converted(
    items: Sequence[Item], together: Sequence[Group], left: Dict[str, str], statistics: Statistics
) -> float:
    """How many values of a sample have to be converted if some groups become FP32 that need not be now."""
    others = [item for item in items if not (isinstance(item, Group) and (item in together or item.linear in left))]
    made = {item.root for item in others}
    read = {name for item in others for name in _read_by(item)}
    converted = [group.source for group in together if group.source in made]
    converted += [group.root for group in together if group.root in read]
    return sum(statistics.tensors[name].count for name in converted) / max(statistics.samples, 1)


def count_work(graph: Graph, group: Group, statistics: Statistics) -> float:
    """The work of a group for one sample, in multiply-accumulates."""
    weights = graph.constant(graph.data_inputs(graph.nodes[group.linear])[1])
    assert weights is not None  # a condition of every candidate
    outputs = statistics.tensors[group.root].count / max(statistics.samples, 1)
    node = graph.nodes[group.linear]
    products = layout_of(node).count_products(weights.shape)
    return max(float(outputs * products), float(weights.size * _WORK_OF_A_WEIGHT))


def _islands(items: Sequence[Item]) -> List[List[Group]]:
    """The groups that INT8 tensors connect, directly or through what passes them on."""
    leader: Dict[str, str] = {}  # of each tensor: another one of its island, or itself

    def find(tensor: str) -> str:
        while leader.setdefault(tensor, tensor) != tensor:
            leader[tensor] = leader[leader[tensor]]
            tensor = leader[tensor]
        return tensor

    made: Set[str] = set()
    for item in items:
        made.add(item.root)
        for tensor in _read_by(item):
            if tensor in made:
                leader[find(tensor)] = find(item.root)
    islands: Dict[str, List[Group]] = {}
    for item in items:
        if isinstance(item, Group):
            islands.setdefault(find(item.root), []).append(item)
    return list(islands.values())


def _read_by(item: Item) -> Sequence[str]:
    if isinstance(item, PassThrough):
        return item.sources
    return (item.source, item.summand) if item.summand else (item.source,)


def _conversions(island: Sequence[Group]) -> int:
    """How many tensors of an island are quantized or dequantized, at least."""
    results = {group.root for group in island}
    read = {name for group in island for name in (group.source, group.summand) if name}
    return max(len(read - results), 1) + max(len(results - read), 1)
