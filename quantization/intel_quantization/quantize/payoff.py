"""Layers that do not pay in INT8: little work, and either much of the error or only conversions to gain.

Two rules, both for groups with a small share of the network's work, so that what they cost is bounded whatever the
network is. Work is multiply-accumulates, but at least what reading the weights takes: at batch 1 the class scores of a
small network are all memory traffic.

- an island: groups that hand INT8 values to no others, whose input is quantized and whose result is dequantized for
  too little work in between, as the two products of squeeze-and-excite. A QuantizeV2 or Dequantize takes some 10
  microseconds even of one value, in which FP32 does some 250,000 multiply-accumulates;
- an error out of proportion: a group that loses more than the others do, and has ten times as large a share of the
  errors as of the work (a first or last layer, a depthwise convolution whose input goes far below zero). Converting
  what its neighbours make and read in INT8 counts as its work.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Sequence, Set

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import layout_of
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.local_error import local_error
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.trial import Trial

ISLAND = "so little work between float32 ops that converting to INT8 and back takes longer"
OUT_OF_PROPORTION = "its INT8 error is out of proportion to the little time that it takes"

# Work that a conversion between FP32 and INT8 has to be worth, in multiply-accumulates for each sample.
_CONVERSION_WORK = 250_000
# In the time of reading one float32 weight from a far cache a core does so many multiply-accumulates.
_WORK_OF_A_WEIGHT = 4
# No rule leaves a larger share of the network's work in FP32 at a time, nor in all.
_SMALL_SHARE = 0.01
_SHARE_IN_ALL = 0.02
# An error out of proportion: so many times the median, so large a share of the output's power (33 dB), and a share of
# all errors that is so many times the share of the work.
_TIMES_MEDIAN = 2.0
_LARGE_ERROR = 5e-4
_TIMES_WORK = 10.0
# Converting a value takes as long as so many multiply-accumulates in INT8.
_WORK_OF_A_VALUE = 50


def find_unpaying(
    graph: Graph,
    items: Sequence[Item],
    statistics: Statistics,
    trials: Dict[str, Trial],
    ranges: Ranges,
    by_channel: FrozenSet[str],
) -> Dict[str, str]:
    """The linear ops that had better stay FP32: name -> reason.

    Args:
        graph: the FP32 graph.
        items: what would become INT8, each behind those whose results it reads.
        statistics: of the tensors that the groups observe.
        trials: by the groups' roots.
        ranges: what makes the range of a tensor from its statistics.
        by_channel: the roots of the groups whose weights get one range for each output channel.
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
    errors = {
        group.root: local_error(graph, group, statistics, trials[group.root], ranges, group.root in by_channel)
        for group in groups
        if group.root in trials and group.linear not in left
    }
    usual = float(np.median(list(errors.values()))) if errors else 0.0
    all_errors = sum(errors.values())
    made = {item.root for item in items}
    read = {name for item in items for name in _read_by(item)}
    for group in sorted(groups, key=lambda item: -errors.get(item.root, 0.0)):
        error = errors.get(group.root, 0.0)
        if error < _LARGE_ERROR or error < _TIMES_MEDIAN * usual:
            break
        mine = work[group.root] + _WORK_OF_A_VALUE * sum(
            statistics.tensors[name].count / max(statistics.samples, 1)
            for name, converted in ((group.source, group.source in made), (group.root, group.root in read))
            if converted
        )
        if error / all_errors < _TIMES_WORK * mine / total:
            continue
        if mine <= _SMALL_SHARE * total and spent + mine <= _SHARE_IN_ALL * total:
            left[group.linear] = OUT_OF_PROPORTION
            spent += mine
    return left


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
