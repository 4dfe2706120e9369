"""What one layer loses in INT8 when its input is right: the error of its own output."""

from __future__ import annotations

from typing import Dict, FrozenSet, NamedTuple, Optional, Sequence

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import LINEAR
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.trial import Grid, Trial
from intel_quantization.quantize.weights import dequantized, quantize_weights, scale_inputs
from intel_quantization.transforms.support.linear import scale_weights

# The share of noise in a layer's output (40 dB) beyond which its weights get one range for each output channel even if
# they were to have one for all. That costs no time, and some depthwise convolutions give little but noise otherwise.
_LARGEST_WEIGHT_ERROR = 1e-4


def find_by_channel(
    graph: Graph, items: Sequence[Item], statistics: Statistics, trials: Dict[str, Trial], per_channel: bool
) -> FrozenSet[str]:
    """The roots of the groups whose weights get one range for each output channel.

    Args:
        graph: the FP32 graph.
        items: what becomes INT8.
        statistics: of the tensors that the groups observe.
        trials: by the groups' roots.
        per_channel: True: all of them; False: those that lose too much by a single range, and those of which no
            patches tell that they do not.
    """
    found = set()
    for group in items:
        if isinstance(group, Group) and LINEAR[group.op].per_channel:
            trial = trials.get(group.root)
            if per_channel or trial is None:
                found.add(group.root)
                continue
            unsigned = group.lifted or statistics.tensors[group.source].minimum >= 0
            rounded = rounded_weights(graph.nodes[group.linear], trial.weights, False, unsigned)
            if trial.error(trial.patches, rounded) > _LARGEST_WEIGHT_ERROR:
                found.add(group.root)
    return frozenset(found)


def local_error(
    graph: Graph, group: Group, statistics: Statistics, trial: Trial, ranges: Ranges, per_channel: bool = True
) -> float:
    """The share of noise in the variance of a group's output that comes from rounding its input, weights and output.

    Args:
        graph: the FP32 graph.
        group: as it would be emitted.
        statistics: of the tensors that it observes.
        trial: of the group.
        ranges: what makes the range of a tensor from its statistics.
        per_channel: whether its weights get one range for each output channel.
    """
    return measure_local_noise(graph, group, statistics, trial, ranges, per_channel).weighed_by(trial)


class LocalNoise(NamedTuple):
    """The mean square of the noise in each output channel of a group: float64 [output channels].

    Attributes:
        computed: of rounding the input and the weights.
        rounded: of rounding the output.
    """

    computed: np.ndarray
    rounded: np.ndarray

    def weighed_by(self, trial: Trial) -> float:
        """The share of noise in what the trial is judged by."""
        return trial.weigh(self.computed) + trial.weigh(self.rounded)


def measure_local_noise(
    graph: Graph, group: Group, statistics: Statistics, trial: Trial, ranges: Ranges, per_channel: bool = True
) -> LocalNoise:
    """What :func:`local_error` weighs, which takes the same."""
    unsigned = group.lifted or statistics.tensors[group.source].minimum >= 0
    weights = rounded_weights(graph.nodes[group.linear], trial.weights, per_channel, unsigned)
    computed = trial.measure_noise(rounded_input(group, statistics, trial, ranges), weights)
    return LocalNoise(computed, measure_output_noise(group, statistics, trial, ranges))


def measure_output_noise(group: Group, statistics: Statistics, trial: Trial, ranges: Ranges) -> np.ndarray:
    """The part that comes from rounding the output; unknown of sums, and taken for zero."""
    if group.summand is not None or LINEAR[group.op].gives_float(group):
        return np.zeros(trial.wanted.shape[-1])
    seen = statistics.tensors[group.root]
    return trial.measure_rounding(Grid.of(*ranges(group.root, seen), group.shifted))


def input_error(group: Group, statistics: Statistics, trial: Trial, ranges: Ranges) -> float:
    """The part of :func:`local_error` that comes from rounding the input, which stays if the group becomes FP32."""
    return trial.error(rounded_input(group, statistics, trial, ranges))


def rounded_input(group: Group, statistics: Statistics, trial: Trial, ranges: Ranges) -> np.ndarray:
    """The patches of a group as its source has them in INT8: float32."""
    return Grid.of(*ranges(group.source, statistics.tensors[group.source]), group.lifted).round(trial.patches)


def rounded_weights(
    node: NodeDef,
    weights: np.ndarray,
    per_channel: bool,
    unsigned: bool,
    source: Optional[np.ndarray] = None,
    result: Optional[np.ndarray] = None,
) -> np.ndarray:
    """The float32 weights that the INT8 ones stand for.

    Args:
        node: the linear op.
        weights: float32, in the layout of the op.
        per_channel: whether they get one range for each output channel.
        unsigned: whether the op reads quint8.
        source: the equalization factors of its source, None without.
        result: the same of its result.
    """
    source = source if source is not None and np.any(source != 1.0) else None
    result = result if result is not None and np.any(result != 1.0) else None
    if source is not None:
        weights = scale_inputs(node, weights, source)
    if result is not None:
        weights = scale_weights(node, weights, 1.0 / result)
    rounded = dequantized(node, *quantize_weights(node, weights, per_channel, unsigned)).astype(np.float32)
    if source is not None:
        rounded = scale_inputs(node, rounded, 1.0 / source)
    return rounded if result is None else scale_weights(node, rounded, result)
