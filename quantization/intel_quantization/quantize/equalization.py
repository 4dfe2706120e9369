"""Cross-layer equalization: channels of very different size share one range better when they are scaled first.

::

    op2(relu(op1(x, w1) + b1), w2) == op2(relu(op1(x, w1 / s) + b1 / s), w2 * s)        s > 0, one for each channel

(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.1.)
The FP32 graph stays as it is: the factors go into the weights as these are quantized, and the INT8 tensor
between holds ``result / s``.

A ReLU6 ends at 6, the scaled one at ``6 / s``, which no kernel knows. But an INT8 result ends at its limit
R anyway, so that channel c ends at ``R * s``: that must be 6 at most, and at least the largest value m that
was seen. Any s between ``m / R`` and ``6 / R`` will do; R is 6 at most, and s 1.
Likewise where another clip has another end.

Conditions: one INT8 linear op makes the tensor, without an addition, and one alone reads it.

The noise of rounding is estimated for a few kinds of factors, from the largest values alone; the best of them has
to prove itself on patches of what both ops read (see :mod:`intel_quantization.quantize.trial`): the error of the
second op's output, the rounding of both ops' weights and of the tensor between them together, must fall clearly.
It often does not: where weights have a range for each channel, only the range of the tensor can gain, and scaling
spreads the second op's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple, Union

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges, min_max
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group, end_of
from intel_quantization.kinds.registry import layout_of
from intel_quantization.quantize.local_error import rounded_weights
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.trial import Grid, Trial

# Sweeps over the chain of pairs; each pair changes what its neighbours see.
_SWEEPS = 4
# No channel is made larger or smaller than the others by more than that.
_LARGEST_FACTOR = 64.0
# Overall sizes that are tried where a ReLU6 bounds the factors.
_OCTAVES = range(-6, 7)
# By what share of the output's variance the error has to fall, and to what share of itself.
_LEAST_GAIN = 1e-4
_CLEAR_GAIN = 0.8
# Equalized channels all end where calibration saw their largest value, and an image that goes beyond it in one channel
# of many is common. Room for that: without it a network with 64 images to calibrate by lost 2 dB (vww), with it won 1.
_HEADROOM = 1.25
_TINY = 1e-12


def equalized_limit(magnitude: np.ndarray, factors: np.ndarray, activation: str) -> float:
    """What the range of an equalized tensor ends at.

    Args:
        magnitude: the largest of each channel that is to be represented: [channels].
        factors: of the tensor, the same shape.
        activation: of what makes it. That of a ReLU6 must not end beyond 6, and so on.
    """
    limit = float((magnitude / factors).max()) * _HEADROOM
    end = end_of(activation)
    return limit if end is None else min(limit, end)


KnownProofs = Dict[Tuple[Any, ...], float]
"""(two groups, and all that decides about the noise of the second) -> its share."""


@dataclass(frozen=True)
class _Pair:
    """A tensor between two linear ops, and the largest magnitude of each of its channels during calibration."""

    root: str
    maker: Group
    reader: Group
    seen: np.ndarray


@dataclass(frozen=True)
class _Weights:
    """The largest magnitude over all taps: [inputs, outputs], or [channels, outputs of each] where these do not mix."""

    largest: np.ndarray
    mixes_channels: bool


def equalization(
    graph: Graph,
    items: Sequence[Union[Group, PassThrough]],
    statistics: Statistics,
    by_channel: FrozenSet[str],
    trials: Dict[str, Trial],
    ranges: Ranges = min_max,
    known: Optional[KnownProofs] = None,
) -> Dict[str, np.ndarray]:
    """The factors of the tensors whose reader errs less when they are equalized.

    Args:
        graph: the FP32 graph.
        items: what becomes INT8.
        statistics: with the largest magnitude of each channel of the groups' sources.
        by_channel: the roots of the groups whose weights get one range for each output channel.
        trials: by the groups' roots; without those of both its groups a tensor stays as it is.
        ranges: what makes the range of a tensor from its statistics.
        known: what came out before, with the same statistics; what comes out is added.

    Returns:
        Tensor name -> s, float64, shape [channels].
    """
    known = {} if known is None else known
    pairs = _pairs(graph, items, statistics, trials)
    weights = {group.root: _weights(graph, group) for pair in pairs for group in (pair.maker, pair.reader)}
    factors = {pair.root: np.ones(pair.seen.size) for pair in pairs}
    proofs = {pair.root: _Proof(graph, pair, statistics, by_channel, trials, ranges, known) for pair in pairs}
    stirred = {pair.root for pair in pairs}  # whose neighbours changed since they were looked at
    for _ in range(_SWEEPS):
        for pair in pairs:
            if pair.root not in stirred:
                continue
            stirred.discard(pair.root)
            made = _made(pair.maker, weights, factors)
            read = _read(pair.reader, weights, factors)
            found = _factors(pair, made, read, by_channel, weights[pair.reader.root].mixes_channels)
            proposed = dict(factors, **{pair.root: found})
            proof = proofs[pair.root]
            if np.allclose(proposed[pair.root], factors[pair.root], rtol=0.01):
                continue
            before = proof(factors)
            if before <= _LEAST_GAIN:
                continue
            after = proof(proposed)
            if after < before * _CLEAR_GAIN and before - after > _LEAST_GAIN:
                factors = proposed
                stirred |= {pair.maker.source, pair.reader.root} & factors.keys()
    return {name: found for name, found in factors.items() if np.any(found != 1.0)}


def _pairs(
    graph: Graph, items: Sequence[Union[Group, PassThrough]], statistics: Statistics, trials: Dict[str, Trial]
) -> List[_Pair]:
    makers = {item.root: item for item in items if isinstance(item, Group)}
    pairs = []
    for reader in items:
        if not isinstance(reader, Group) or not _reads_alone(graph, reader):
            continue
        maker = makers.get(reader.source)
        if maker is None or maker.summand is not None or maker.shifted:
            continue
        if maker.root not in trials or reader.root not in trials:
            continue
        seen = statistics.tensors[maker.root].channel_magnitude
        if seen is not None:
            pairs.append(_Pair(maker.root, maker, reader, seen))
    return pairs


def _reads_alone(graph: Graph, reader: Group) -> bool:
    """Whether a group alone reads its source; a Pad between them may have other readers, too."""
    direct = graph.data_inputs(graph.nodes[reader.linear])[0]
    return graph.is_private(reader.source) and (direct == reader.source or graph.is_private(direct))


def _weights(graph: Graph, group: Group) -> _Weights:
    node = graph.nodes[group.linear]
    weights = graph.constant(graph.data_inputs(node)[1])
    assert weights is not None  # a condition of every candidate
    layout = layout_of(node)
    return _Weights(layout.reduce_taps(np.abs(weights), np.max), layout.mixes_channels)


def _made(group: Group, weights: Dict[str, _Weights], factors: Dict[str, np.ndarray]) -> np.ndarray:
    """The largest weight of each output channel of a group whose input is scaled already."""
    largest, source = weights[group.root].largest, factors.get(group.source)
    if source is not None:
        largest = largest * source[:, None]
    return largest.max(axis=0) if weights[group.root].mixes_channels else largest.reshape(-1)


def _read(group: Group, weights: Dict[str, _Weights], factors: Dict[str, np.ndarray]) -> np.ndarray:
    """The largest weight of each input channel of a group whose output is scaled already."""
    largest, result = weights[group.root].largest, factors.get(group.root)
    if result is not None:
        largest = largest / result.reshape((1, -1) if weights[group.root].mixes_channels else largest.shape)
    return largest.max(axis=1)


def _factors(
    pair: _Pair, made: np.ndarray, read: np.ndarray, by_channel: FrozenSet[str], mixes_channels: bool
) -> np.ndarray:
    """The candidate with the least noise; all ones are among the candidates."""
    made, read, seen = (np.maximum(values.astype(np.float64), _TINY) for values in (made, read, pair.seen))
    noise = _Noise(pair, made, read, seen, by_channel, mixes_channels)
    best = np.ones(seen.size)
    least = noise(best)
    for balance in (np.sqrt(made / read), np.sqrt(seen / read), np.sqrt(np.sqrt(made * seen) / read), seen):
        middle = np.exp(np.log(balance[pair.seen > 0]).mean()) if np.any(pair.seen > 0) else 1.0
        wanted = np.clip(balance / middle, 1.0 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        for octave in _OCTAVES if end_of(pair.maker.activation) is not None else (0,):
            factors = _allowed(pair, wanted * 2.0**octave)
            found = noise(factors)
            if found < least:
                best, least = factors, found
    return best


def _allowed(pair: _Pair, wanted: np.ndarray) -> np.ndarray:
    """The nearest factors that keep a ReLU6 exact; a channel that was never above zero is free."""
    end = end_of(pair.maker.activation)
    if end is None:
        return wanted
    return np.where(pair.seen > 0, np.clip(wanted, pair.seen / end, 1.0), wanted)


class _Noise:
    """The noise that rounding brings into what reads a pair's tensor, as a function of the factors."""

    def __init__(
        self,
        pair: _Pair,
        made: np.ndarray,
        read: np.ndarray,
        seen: np.ndarray,
        by_channel: FrozenSet[str],
        mixes_channels: bool,
    ) -> None:
        self.made, self.read, self.seen = made, read, seen
        self.gain = np.median(seen / made)  # from weights to values
        self.of_maker = pair.maker.root not in by_channel
        self.of_reader = not (pair.reader.root in by_channel and not mixes_channels)

    def __call__(self, factors: np.ndarray) -> float:
        through = factors * self.read
        values = ((self.seen / factors).max() * through / 255.0) ** 2
        total = values.sum()
        if self.of_maker:
            total += (((self.made / factors).max() * self.gain * through / 127.0) ** 2).sum()
        if self.of_reader:
            total += ((through.max() * self.seen / factors / 127.0) ** 2).sum()
        return float(total)


class _Proof:
    """The share of noise in the output of a pair's reader, on patches, as a function of all factors."""

    def __init__(
        self,
        graph: Graph,
        pair: _Pair,
        statistics: Statistics,
        by_channel: FrozenSet[str],
        trials: Dict[str, Trial],
        ranges: Ranges,
        known: KnownProofs,
    ) -> None:
        self._pair, self._known = pair, known
        self._nodes = tuple(graph.nodes[group.linear] for group in (pair.maker, pair.reader))
        self._by_channel = tuple(group.root in by_channel for group in (pair.maker, pair.reader))
        self._maker, self._reader = trials[pair.maker.root], trials[pair.reader.root]
        self._unsigned = statistics.tensors[pair.maker.source].minimum >= 0 or pair.maker.lifted
        found = statistics.tensors[pair.root]
        low, high = ranges(pair.root, found)
        self._signed = found.minimum < 0
        self._limits = np.minimum(pair.seen, max(-low, high))

    def __call__(self, factors: Dict[str, np.ndarray]) -> float:
        pair = self._pair
        near = (factors.get(pair.maker.source), factors[pair.root], factors.get(pair.reader.root))
        key = (pair.maker, pair.reader, self._by_channel, self._limits.tobytes(), *map(_bytes_of, near))
        if key not in self._known:
            self._known[key] = self._measure(factors)
        return self._known[key]

    def _measure(self, factors: Dict[str, np.ndarray]) -> float:
        pair, (maker, reader) = self._pair, self._nodes
        between = factors[pair.root]
        limit = equalized_limit(self._limits, between, pair.maker.activation)
        grid = Grid.of(-limit if self._signed else 0.0, limit)
        patches = grid.round(self._reader.patches / between.astype(np.float32)) * between.astype(np.float32)
        behind = factors.get(pair.reader.root)
        weights = rounded_weights(reader, self._reader.weights, self._by_channel[1], not self._signed, between, behind)
        own = self._reader.error(patches, weights)
        before = factors.get(pair.maker.source)
        made = rounded_weights(maker, self._maker.weights, self._by_channel[0], self._unsigned, before, between)
        return own + self._reader.share_of_noise(self._maker.noise_by_channel(made))


def _bytes_of(factors: Optional[np.ndarray]) -> bytes:
    """The same for none as for those that change nothing."""
    return b"" if factors is None or not np.any(factors != 1.0) else factors.tobytes()
