"""What patches tell ahead of emitting: which weights get ranges by channel, scales, grids, and careful rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Optional, Sequence

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group
from intel_quantization.quantize.adaptive_rounding import choose_layers
from intel_quantization.quantize.channel_grids import ChannelGrid, find_channel_grids
from intel_quantization.quantize.equalization import KnownProofs, equalization
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.local_error import find_by_channel, rounded_weights
from intel_quantization.quantize.trial import Trial


@dataclass(frozen=True)
class Refinement:
    """How layers and tensors are represented.

    Attributes:
        by_channel: the roots of the groups whose weights get one range for each output channel.
        scales: tensor name -> what its INT8 values are divided by, float64 [channels].
        grids: of lifted tensors whose channels have offsets of their own.
        adaptive: the roots of the groups whose weights are rounded with an eye on their output.
        trials: by the groups' roots.
    """

    by_channel: FrozenSet[str]
    scales: Dict[str, np.ndarray]
    grids: Dict[str, ChannelGrid]
    adaptive: FrozenSet[str]
    trials: Dict[str, Trial]


def refine(
    graph: Graph,
    items: Sequence[Item],
    statistics: Statistics,
    trials: Dict[str, Trial],
    ranges: Ranges,
    per_channel: bool,
    equalize: bool,
    adaptive_rounding: bool,
    known: Optional[KnownProofs] = None,
) -> Refinement:
    """Find out, all by patches; without them nothing is refined, and weights have ranges by channel.

    Args:
        graph: the FP32 graph.
        items: what becomes INT8, each behind those whose results it reads.
        statistics: of the tensors that the groups observe.
        trials: by the groups' roots.
        ranges: what makes the range of a tensor from its statistics.
        per_channel: see :func:`find_by_channel`.
        equalize: whether tensors may have scales and grids.
        adaptive_rounding: whether weights may be rounded to other than their nearest values.
        known: see :func:`equalization`.
    """
    by_channel = find_by_channel(graph, items, statistics, trials, per_channel)
    scales: Dict[str, np.ndarray] = {}
    grids: Dict[str, ChannelGrid] = {}
    if equalize:
        scales = equalization(graph, items, statistics, by_channel, trials, ranges, known)
        grids = find_channel_grids(graph, items, statistics, by_channel, trials, ranges, scales)
        scales.update({name: grid.scale for name, grid in grids.items() if np.any(grid.scale != 1.0)})
    adaptive: FrozenSet[str] = frozenset()
    if adaptive_rounding:
        groups = [item for item in items if isinstance(item, Group) and item.root in trials]
        errors = {group.root: _weight_error(graph, group, statistics, trials, by_channel) for group in groups}
        adaptive = frozenset(choose_layers(graph, groups, errors))
    return Refinement(by_channel, scales, grids, adaptive, trials)


def _weight_error(
    graph: Graph, group: Group, statistics: Statistics, trials: Dict[str, Trial], by_channel: FrozenSet[str]
) -> float:
    """The share of noise in a group's output that its weights cause when each is rounded to its nearest value."""
    trial = trials[group.root]
    unsigned = group.lifted or statistics.tensors[group.source].minimum >= 0
    rounded = rounded_weights(graph.nodes[group.linear], trial.weights, group.root in by_channel, unsigned)
    return trial.error(trial.patches, rounded)
