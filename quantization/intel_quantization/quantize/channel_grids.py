"""Lifted tensors whose channels differ: each channel has an offset, and perhaps a scale, of its own.

::

    op(x, w) + b == op((x - l) / s, w * s) + b + op(l, w)        l, s: one for each channel of x, where op pads nothing

A lifted tensor (see :mod:`intel_quantization.quantize.lifting`) has one range, from its smallest to its largest value.
But the op that makes it has a bias for each channel, and so has what the readers take back: an offset for each channel
costs nothing at all, and then the range needs to hold no more than the widest channel. A scale for each channel goes
into the weights of what makes the tensor and of what reads it, as in
:mod:`intel_quantization.quantize.equalization`; it spreads the readers' weights, so it has to prove itself on patches.
Tensors that are added have the same scales, but offsets of their own.

Conditions: the INT8 groups that read the tensor read it lifted. FP32 takes the offsets back by an Add behind its
Dequantize, for a large gain. A tensor that FP32 makes gets offsets by
the Add that lifts it anyway, and scales by what makes it (see :mod:`intel_quantization.quantize.scaled_source`), or,
for a large gain, by one more product.

Linear bottlenecks, 1x1 convolutions behind a depthwise one without activation, and those behind squeeze-and-excite are
what gains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.kinds.group import NO_PADS, Group
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.local_error import rounded_weights
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.scaled_source import absorbs_scale
from intel_quantization.quantize.trial import Grid, Trial

# Scales are widths of channels to the power of one of these.
_EXPONENTS = (0.5, 1.0)
_LARGEST_SCALE = 64.0
# To what share of itself the readers' error has to fall by offsets, which take nothing away, and by scales, which let
# every channel end where calibration saw its end; and by what share of the output's variance by scales.
_BY_OFFSETS = 0.97
_BY_SCALES = 0.8
_LEAST_GAIN = 1e-4
# The same where FP32 has to do one more product.
_LEAST_GAIN_OF_PRODUCT = 1e-3
_TINY = 1e-6


@dataclass(frozen=True)
class ChannelGrid:
    """The values that a lifted INT8 tensor can have.

    Attributes:
        low: the smallest value of each channel: float64, shape [channels].
        scale: s, the same.
        span: what 255 stands for, in units of ``scale``.
    """

    low: np.ndarray
    scale: np.ndarray
    span: float

    @property
    def offset(self) -> np.ndarray:
        """What is added to scaled values: float64, shape [channels]."""
        return -self.low / self.scale

    def round(self, values: np.ndarray) -> np.ndarray:
        """The nearest values of the grid: float32."""
        step = (self.scale * (self.span / 255.0)).astype(np.float32)
        low = self.low.astype(np.float32)
        return np.clip(np.rint((values - low) / step), 0.0, 255.0).astype(np.float32) * step + low


def find_channel_grids(
    graph: Graph,
    items: Sequence[Item],
    statistics: Statistics,
    by_channel: FrozenSet[str],
    trials: Dict[str, Trial],
    ranges: Ranges,
    factors: Dict[str, np.ndarray],
) -> Dict[str, ChannelGrid]:
    """The grids of the tensors whose readers err less by them: tensor name -> grid.

    Args:
        graph: the FP32 graph.
        items: what becomes INT8, each behind those whose results it reads.
        statistics: with the range of each channel of the groups' sources.
        by_channel: the roots of the groups whose weights get one range for each output channel.
        trials: by the groups' roots.
        ranges: what makes the range of a tensor from its statistics.
        factors: of tensors that are equalized.
    """
    finder = _Finder(graph, items, statistics, by_channel, trials, ranges, factors)
    found: Dict[str, ChannelGrid] = {}
    for together in finder.find_tied():
        found.update(finder.choose(together))
    return found


class _Finder:
    def __init__(
        self,
        graph: Graph,
        items: Sequence[Item],
        statistics: Statistics,
        by_channel: FrozenSet[str],
        trials: Dict[str, Trial],
        ranges: Ranges,
        factors: Dict[str, np.ndarray],
    ) -> None:
        self._graph, self._statistics, self._by_channel = graph, statistics, by_channel
        self._trials, self._ranges, self._factors = trials, ranges, factors
        self._groups = [item for item in items if isinstance(item, Group)]
        self._made = {group.root: group for group in self._groups}
        self._passed = {name for item in items if isinstance(item, PassThrough) for name in (item.root, *item.sources)}
        self._readers: Dict[str, List[Group]] = {}
        self._shapes = InferredShapes(graph)
        self._reading: Dict[str, Set[str]] = {}
        for group in self._groups:
            self._readers.setdefault(group.source, []).append(group)
            for name in (group.source, group.summand):
                self._reading.setdefault(name or "", set()).update(group.members)

    def find_tied(self) -> List[List[str]]:
        """The tensors that can have such grids, those together that have to have the same scales."""
        leader: Dict[str, str] = {name: name for name in self._readers if self._is_free(name)}

        def find(name: str) -> str:
            while leader[name] != name:
                name = leader[name]
            return name

        for group in self._groups:
            if group.summand in leader and group.root in leader:
                leader[find(group.summand)] = find(group.root)
        result: Dict[str, List[str]] = {}
        for name in leader:
            result.setdefault(find(name), []).append(name)
        return list(result.values())

    def _is_free(self, tensor: str) -> bool:
        """Whether the INT8 groups that read a tensor can take any offset back, and nothing passes it on in INT8."""
        seen = self._statistics.tensors[tensor]
        if seen.channel_minimum is None or tensor in self._passed or tensor in self._factors:
            return False
        reading = [group for group in self._groups if tensor in (group.source, group.summand)]
        for group in reading:
            if group.source == tensor and (not group.lifted or group.lift_pads not in (None, NO_PADS)):
                return False
            if group.summand == tensor and not group.summand_lifted:
                return False
        maker = self._made.get(tensor)
        return maker is None or maker.shifted

    def _is_read_outside(self, tensor: str) -> bool:
        """Whether FP32 reads a tensor, too, or it is an output."""
        readers = {reader.name for reader, _index in self._graph.readers(tensor)}
        return self._graph.is_output(tensors.node_of(tensor)) or not readers <= self._reading[tensor]

    def choose(self, together: Sequence[str]) -> Dict[str, ChannelGrid]:
        """The grids of some tensors that have the same scales."""
        if not all(group.root in self._trials for name in together for group in self._readers[name]):
            return {}
        present = {name: self._error_now(name) for name in together}
        shifted = {name: self._grid(name, None) for name in together}
        by_offsets = {name: self._error(name, shifted[name]) for name in together}
        result = {name: shifted[name] for name in together if self._gains(name, present[name], by_offsets[name])}
        least = sum(min(present[name], by_offsets[name]) for name in together)
        enough = min(least * _BY_SCALES, least - self._least_gain(together))
        if enough <= 0.0:
            return result
        for exponent in _EXPONENTS:
            scale = self._scale(together, exponent)
            grids = {name: self._grid(name, scale) for name in together}
            error = sum(self._error(name, grids[name]) for name in together)
            if error < enough:
                result, enough = grids, error
        return result

    def _gains(self, tensor: str, present: float, error: float) -> bool:
        """Whether offsets gain enough; where FP32 reads the tensor, too, it has to take them back."""
        if tensor in self._made and self._is_read_outside(tensor) and present - error < _LEAST_GAIN_OF_PRODUCT:
            return False
        return error < present * _BY_OFFSETS

    def _least_gain(self, together: Sequence[str]) -> float:
        """What scales have to gain; infinite where they cannot go into weights.

        They can where INT8 groups make the tensors, and add only such to them; and where FP32 makes the one tensor.
        """
        among = set(together)
        if any(group.summand in among and group.root not in among for group in self._groups):
            return float("inf")
        makers = [self._made.get(name) for name in together]
        if makers == [None] and not any(group.summand in among for group in self._groups):
            name = together[0]
            alone = not self._is_read_outside(name)
            return _LEAST_GAIN if alone and absorbs_scale(self._graph, name, self._shapes) else _LEAST_GAIN_OF_PRODUCT
        if any(maker is None or (maker.summand and maker.summand not in among) for maker in makers):
            return float("inf")
        return _LEAST_GAIN_OF_PRODUCT if any(map(self._is_read_outside, together)) else _LEAST_GAIN

    def _window(self, tensor: str) -> Tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest value of each channel, as far as the tensor's range goes."""
        seen = self._statistics.tensors[tensor]
        low, high = self._ranges(tensor, seen)
        assert seen.channel_minimum is not None  # _is_free has looked
        assert seen.channel_maximum is not None
        bottom = np.clip(seen.channel_minimum, low, high)
        return bottom, np.maximum(np.clip(seen.channel_maximum, low, high), bottom)

    def _scale(self, together: Sequence[str], exponent: float) -> np.ndarray:
        widths = []
        for name in together:
            low, high = self._window(name)
            widths.append((high - low) / max(float((high - low).max()), _TINY))
        wide = np.maximum(np.max(widths, axis=0), 1.0 / _LARGEST_SCALE)
        return np.asarray((wide / np.exp(np.log(wide).mean())) ** exponent)

    def _grid(self, tensor: str, scale: Optional[np.ndarray]) -> ChannelGrid:
        """The grid with these scales, each channel in the middle of it."""
        low, high = self._window(tensor)
        scale = np.ones(low.size) if scale is None else scale
        span = max(float(((high - low) / scale).max()), _TINY)
        return ChannelGrid(low - (span * scale - (high - low)) / 2.0, scale, span)

    def _error_now(self, tensor: str) -> float:
        low, high = self._ranges(tensor, self._statistics.tensors[tensor])
        grid = Grid.of(low, high, lifted=True)
        return sum(
            self._reader_error(group, grid.round(self._trials[group.root].patches), None)
            for group in self._readers[tensor]
        )

    def _error(self, tensor: str, grid: ChannelGrid) -> float:
        """The error of all that reads a tensor, with what its maker's weights add to it."""
        scale = None if np.all(grid.scale == 1.0) else grid.scale
        total = 0.0
        for group in self._readers[tensor]:
            trial = self._trials[group.root]
            total += self._reader_error(group, grid.round(trial.patches), scale)
            maker = self._made.get(tensor)
            if scale is None or maker is None or maker.root in self._by_channel or maker.root not in self._trials:
                continue
            made = self._trials[maker.root]
            total += trial.share_of_noise(made.noise_by_channel(self._rounded(maker, made, result=scale)))
            total -= trial.share_of_noise(made.noise_by_channel(self._rounded(maker, made)))
        return total

    def _reader_error(self, group: Group, patches: np.ndarray, scale: Optional[np.ndarray]) -> float:
        trial = self._trials[group.root]
        return trial.error(patches, self._rounded(group, trial, scale, self._factors.get(group.root)))

    def _rounded(
        self,
        group: Group,
        trial: Trial,
        source: Optional[np.ndarray] = None,
        result: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        node = self._graph.nodes[group.linear]
        unsigned = group.lifted or self._statistics.tensors[group.source].minimum >= 0
        source = self._factors.get(group.source) if source is None else source
        return rounded_weights(node, trial.weights, group.root in self._by_channel, unsigned, source, result)
