"""Cross-layer equalization: channels of very different size share one range better when they are scaled first.

::

    op2(relu(op1(x, w1) + b1), w2) == op2(relu(op1(x, w1 / s) + b1 / s), w2 * s)        s > 0, one for each channel

(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.1.)
The FP32 graph stays as it is: the factors go into the weights as these are quantized, and the INT8 tensor
between holds ``result / s``.

A ReLU6 ends at 6, the scaled one at ``6 / s``, which no kernel knows. But an INT8 result ends at its limit
R anyway, so that channel c ends at ``R * s``: that must be 6 at most, and at least the largest value m that
was seen. Any s between ``m / R`` and ``6 / R`` will do.

Conditions: one INT8 linear op makes the tensor, without an addition, and one alone reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Union

import numpy as np

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.quantize.carries import Carry
from intel_quantization.quantize.groups import Group

# Sweeps over the chain of pairs; each pair changes what its neighbours see.
_SWEEPS = 4
# No channel is made larger or smaller than the others by more than that.
_LARGEST_FACTOR = 64.0
# Overall sizes that are tried where a ReLU6 bounds the factors.
_OCTAVES = range(-6, 7)
# With one range for each channel of the weights there is little to gain; then only what is clear is worth
# it: ResNet-50 with random weights lost 0.3 dB otherwise, and both MobileNets gained nothing by it.
_CLEAR_GAIN = 0.5
_TINY = 1e-12


@dataclass(frozen=True)
class _Pair:
    """A tensor between two linear ops, and the largest magnitude of each of its channels during calibration."""

    root: str
    maker: Group
    reader: Group
    seen: np.ndarray


def equalization(
    graph: Graph, items: Sequence[Union[Group, Carry]], statistics: Statistics, per_channel: bool
) -> Dict[str, np.ndarray]:
    """The factors of all tensors that can be equalized.

    Args:
        graph: the FP32 graph.
        items: what becomes INT8.
        statistics: with the largest magnitude of each channel of the groups' sources.
        per_channel: whether weights get one range for each output channel.

    Returns:
        Tensor name -> s, float64, shape [channels].
    """
    pairs = _pairs(graph, items, statistics)
    weights = {group.root: _largest(graph, group) for pair in pairs for group in (pair.maker, pair.reader)}
    factors = {pair.root: np.ones(pair.seen.size) for pair in pairs}
    for _ in range(_SWEEPS):
        for pair in pairs:
            made = _made(pair.maker, weights, factors)
            read = _read(pair.reader, weights, factors)
            factors[pair.root] = _factors(pair, made, read, per_channel)
    return factors


def _pairs(graph: Graph, items: Sequence[Union[Group, Carry]], statistics: Statistics) -> List[_Pair]:
    makers = {item.root: item for item in items if isinstance(item, Group)}
    pairs = []
    for reader in items:
        if not isinstance(reader, Group) or not _reads_alone(graph, reader):
            continue
        maker = makers.get(reader.source)
        if maker is None or maker.summand is not None or maker.shifted:
            continue
        seen = statistics.tensors[maker.root].channel_maximum
        if seen is not None:
            pairs.append(_Pair(maker.root, maker, reader, seen))
    return pairs


def _reads_alone(graph: Graph, reader: Group) -> bool:
    """Whether a group alone reads its source; a Pad between them may have other readers, too."""
    direct = graph.data_inputs(graph.nodes[reader.linear])[0]
    return graph.is_private(reader.source) and (direct == reader.source or graph.is_private(direct))


def _largest(graph: Graph, group: Group) -> np.ndarray:
    """The largest magnitude over all taps: [inputs, outputs], of a depthwise op [channels, multiplier]."""
    node = graph.nodes[group.linear]
    weights = graph.constant(graph.data_inputs(node)[1])
    assert weights is not None  # a condition of every candidate
    if node.op == "MatMul":
        return np.abs(weights.T if attribute(node, "transpose_b").b else weights)
    return np.abs(weights).max(axis=(0, 1))


def _made(group: Group, weights: Dict[str, np.ndarray], factors: Dict[str, np.ndarray]) -> np.ndarray:
    """The largest weight of each output channel of a group whose input is scaled already."""
    largest, source = weights[group.root], factors.get(group.source)
    if source is not None:
        largest = largest * source[:, None]
    return largest.reshape(-1) if group.op == "DepthwiseConv2dNative" else largest.max(axis=0)


def _read(group: Group, weights: Dict[str, np.ndarray], factors: Dict[str, np.ndarray]) -> np.ndarray:
    """The largest weight of each input channel of a group whose output is scaled already."""
    largest, result = weights[group.root], factors.get(group.root)
    if result is not None:
        largest = largest / result.reshape(largest.shape if group.op == "DepthwiseConv2dNative" else (1, -1))
    return largest.max(axis=1)


def _factors(pair: _Pair, made: np.ndarray, read: np.ndarray, per_channel: bool) -> np.ndarray:
    """The candidate with the least noise; all ones are among the candidates."""
    made, read, seen = (np.maximum(values.astype(np.float64), _TINY) for values in (made, read, pair.seen))
    noise = _Noise(pair, made, read, seen, per_channel)
    best = np.ones(seen.size)
    least = noise(best) * (_CLEAR_GAIN if per_channel else 1.0)
    for balance in (np.sqrt(made / read), np.sqrt(seen / read), np.sqrt(np.sqrt(made * seen) / read), seen):
        middle = np.exp(np.log(balance[pair.seen > 0]).mean()) if np.any(pair.seen > 0) else 1.0
        wanted = np.clip(balance / middle, 1.0 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        for octave in _OCTAVES if pair.maker.activation == "Relu6" else (0,):
            factors = _allowed(pair, wanted * 2.0**octave)
            found = noise(factors)
            if found < least:
                best, least = factors, found
    return best


def _allowed(pair: _Pair, wanted: np.ndarray) -> np.ndarray:
    """The nearest factors that keep a ReLU6 exact; a channel that was never above zero is free."""
    if pair.maker.activation != "Relu6":
        return wanted
    return np.where(pair.seen > 0, np.clip(wanted, pair.seen / 6.0, 1.0), wanted)


class _Noise:
    """The noise that rounding brings into what reads a pair's tensor, as a function of the factors."""

    def __init__(self, pair: _Pair, made: np.ndarray, read: np.ndarray, seen: np.ndarray, per_channel: bool) -> None:
        self.made, self.read, self.seen = made, read, seen
        self.gain = np.median(seen / made)  # from weights to values
        self.of_maker = not (per_channel and pair.maker.op != "MatMul")
        self.of_reader = not (per_channel and pair.reader.op == "DepthwiseConv2dNative")

    def __call__(self, factors: np.ndarray) -> float:
        through = factors * self.read
        values = ((self.seen / factors).max() * through / 255.0) ** 2
        total = values.sum()
        if self.of_maker:
            total += (((self.made / factors).max() * self.gain * through / 127.0) ** 2).sum()
        if self.of_reader:
            total += ((through.max() * self.seen / factors / 127.0) ** 2).sum()
        return float(total)


def scale_inputs(node: NodeDef, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The weights with those of each input channel multiplied by its scale.

    Args:
        node: the linear op.
        weights: float32, in the layout of the op.
        scale: float64, shape [input channels].

    Returns:
        float32 of the shape of ``weights``.
    """
    if node.op == "MatMul" and attribute(node, "transpose_b").b:
        return (weights * scale).astype(np.float32)
    return (weights * scale[:, None]).astype(np.float32)
