"""Convolutions with a bias, whose biases tell what their inputs were like in training.

A folded batch norm leaves ``bias = beta - W * mean(x)``: the bias takes back the mean that the input of the layer had,
channel by channel. So under the right preprocessing the means of the outputs differ little between channels, and under
another one they differ more, since what is taken back is not there, or is not taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from intel_quantization.graph.attributes import is_channels_last
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.registry import LINEAR
from intel_quantization.transforms.support.linear import adds_along_channels

_FEWEST_CHANNELS = 8
_FAR = 6  # times the median: a channel of its own, no part of a rule


@dataclass(frozen=True)
class Layer:
    """A convolution with its bias.

    Attributes:
        output: the tensor that the BiasAdd gives.
        bias: float64 [channels].
        size: of each channel's weights, their Euclidean norm; float64 [channels].
    """

    output: str
    bias: np.ndarray
    size: np.ndarray

    def spread(self, mean: np.ndarray) -> float:
        """How much the means of channels differ, as a logarithm; ``mean`` are those of ``output``."""
        values = self._centre(mean)
        return float(np.log(max(np.median(np.abs(values)), 1e-12)))

    def slope(self, mean: np.ndarray) -> Tuple[float, float]:
        """By how much the bias takes back what the weights add, and the standard error: -1 is all of it.

        A robust regression over the channels of ``bias`` on ``mean - bias``.
        """
        bias, added = self._centre(self.bias), self._centre(mean - self.bias)
        near = np.abs(added) <= _FAR * np.median(np.abs(added))
        weight = near.astype(np.float64)
        slope, rest = 0.0, bias
        for _round in range(10):
            slope = float((weight * bias * added).sum() / max(float((weight * added * added).sum()), 1e-30))
            rest = bias - slope * added
            scale = 1.5 * 1.48 * float(np.median(np.abs(rest))) + 1e-12
            weight = near / np.maximum(1.0, np.abs(rest) / scale)
        variance = (weight * rest * rest).sum() / max(float(weight.sum()), 1e-30)
        return slope, float(np.sqrt(variance / max(float((weight * added * added).sum()), 1e-30)))

    def _centre(self, values: np.ndarray) -> np.ndarray:
        used = self.size > 1e-3 * np.median(self.size)
        values = values[used] / self.size[used]
        return values - np.median(values)


def find_layers(graph: Graph, most: int) -> Tuple[Layer, ...]:
    """The first layers with a bias for each channel, outside of loops, at most ``most``."""
    found: List[Layer] = []
    for node in graph.topological():
        if len(found) == most:
            break
        if node.op not in LINEAR or not LINEAR[node.op].spatial or not is_channels_last(node) or graph.frame(node.name):
            continue
        weights = graph.constant(graph.data_inputs(node)[1])
        added = next((reader for reader in graph.consumers(node.name) if reader.op == "BiasAdd"), None)
        if weights is None or weights.ndim != 4 or added is None or not adds_along_channels(node, added):
            continue
        bias = graph.constant(graph.data_inputs(added)[1])
        if bias is None or len(bias) < _FEWEST_CHANNELS or not np.ptp(bias):
            continue
        axes = LINEAR[node.op].layout(node).summed
        size = np.sqrt(np.square(weights.astype(np.float64)).sum(axes)).reshape(-1)
        if np.median(size) > 0:
            found.append(Layer(added.name + ":0", bias.astype(np.float64), size))
    return tuple(found)
