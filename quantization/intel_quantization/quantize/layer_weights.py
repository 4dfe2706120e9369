"""The INT8 weights of a layer, and the bias that goes with them."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.quantize.activation_shift import find_activation_shift
from intel_quantization.quantize.adaptive_rounding import round_adaptively
from intel_quantization.quantize.refinement import Refinement
from intel_quantization.quantize.weights import (
    bias_correction,
    dequantized,
    quantize_weights,
    scale_inputs,
    shift_by_output,
)
from intel_quantization.transforms.support.linear import output_channels, scale_weights


class LayerWeights:
    """Makes them.

    Args:
        graph: the FP32 graph.
        statistics: of the tensors that the groups observe.
        how: what was found out about them.
        correct_bias: whether the bias takes back what rounding shifts.
        saturates: whether the kernels may add products of quint8 and qint8 in int16.
    """

    def __init__(
        self, graph: Graph, statistics: Statistics, how: Refinement, correct_bias: bool, saturates: bool
    ) -> None:
        self._graph, self._statistics, self._how = graph, statistics, how
        self._correct_bias, self._saturates = correct_bias, saturates

    def make(self, group: Group, source: Int8Tensor, lift: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The weights, int8 in the layout of the op, what 127 of them stands for, and the bias, float64.

        Args:
            group: the layer.
            source: what it reads.
            lift: what is added to the result, of which the bias takes care.
        """
        node, scales = self._graph.nodes[group.linear], self._how.scales
        weights = self._graph.constant(self._graph.data_inputs(node)[1])
        assert weights is not None  # a condition of every candidate
        known = self._graph.constant(group.bias) if group.bias else None
        bias = np.zeros(output_channels(node, weights) or 0) if known is None else known.astype(np.float64)
        mean = self._statistics.tensors[group.source].channel_mean
        if group.source in scales:
            weights = scale_inputs(node, weights, scales[group.source])
            mean = None if mean is None else mean / scales[group.source]
        if group.root in scales:
            weights = scale_weights(node, weights, 1.0 / scales[group.root])
            bias = bias / scales[group.root]
        values, limit = self._round(group, node, weights, source.unsigned and self._saturates)
        rounded = dequantized(node, values, limit)
        if mean is not None and self._correct_bias:
            bias = bias + bias_correction(node, weights - rounded, mean)
            bias = bias + self._activation_shift(group, node, source, rounded, bias)
        bias = bias + lift
        if np.any(source.offset):
            bias = bias - shift_by_output(node, rounded, source.offset)
        return values, limit, bias

    def _round(
        self, group: Group, node: NodeDef, weights: np.ndarray, saturates: bool
    ) -> Tuple[np.ndarray, np.ndarray]:
        per_channel = group.root in self._how.by_channel
        if group.root not in self._how.adaptive:
            return quantize_weights(node, weights, per_channel, saturates)
        patches = self._statistics.patches[group.linear]
        if group.source in self._how.scales:
            patches = patches / self._how.scales[group.source].astype(np.float32)
        return round_adaptively(node, weights, patches, per_channel, saturates)

    def _activation_shift(
        self, group: Group, node: NodeDef, source: Int8Tensor, weights: np.ndarray, bias: np.ndarray
    ) -> np.ndarray:
        """See :func:`find_activation_shift`, which knows the layer without scales."""
        trial = self._how.trials.get(group.root)
        if trial is None or group.summand is not None:
            return np.zeros(bias.shape)
        read, result = self._how.scales.get(group.source), self._how.scales.get(group.root)
        patches = trial.patches
        if read is None:
            patches = source.round(patches)
        else:
            patches = source.round(patches / read.astype(np.float32)) * read.astype(np.float32)
            weights = scale_inputs(node, weights, 1.0 / read)
        if result is None:
            return find_activation_shift(trial, patches, weights, bias)
        return find_activation_shift(trial, patches, scale_weights(node, weights, result), bias * result) / result
