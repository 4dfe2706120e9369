"""Try what INT8 makes of one linear op, on patches of its input, without running the graph.

The INT8 kernels are exact integer arithmetic up to the rounding of their result, so that float32 on values which
lie on the INT8 grid gives the same.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.group import end_of
from intel_quantization.kinds.registry import layout_of

_TINY = 1e-30


@dataclass(frozen=True)
class Grid:
    """The values that an INT8 tensor can have.

    Attributes:
        low: the smallest.
        high: the largest.
        step: between neighbours.
    """

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, low: float, high: float, lifted: bool = False) -> Grid:
        """For a range as an algorithm gives it: quint8 if it begins at zero or is lifted, else symmetric qint8."""
        if lifted or low >= 0:
            low = low if lifted else 0.0
            return cls(low, max(high, low + 1e-6), max(high - low, 1e-6) / 255.0)
        limit = max(-low, high, 1e-6)
        return cls(-limit, limit, limit / 127.0)

    def round(self, values: np.ndarray) -> np.ndarray:
        """The nearest values of the grid: float32."""
        inside = np.clip(values, np.float32(self.low), np.float32(self.high))
        inside -= np.float32(self.low)
        inside /= np.float32(self.step)
        np.rint(inside, out=inside)
        inside *= np.float32(self.step)
        inside += np.float32(self.low)
        return inside


class Trial:
    """A linear op on its patches.

    Args:
        node: the linear op.
        weights: float32, in the layout of the op.
        bias: [output channels], or None.
        activation: as a group has it.
        patches: float32 [patches, taps, channels].
        ends: where the readers are flat: they do not tell values beyond apart; None: nowhere.
    """

    def __init__(
        self,
        node: NodeDef,
        weights: np.ndarray,
        bias: Optional[np.ndarray],
        activation: str,
        patches: np.ndarray,
        ends: Optional[Tuple[float, float]] = None,
    ) -> None:
        self._layout = layout_of(node)
        self.patches = patches
        self.weights = weights
        self._bias = 0.0 if bias is None else bias.astype(np.float32)
        self._activation = activation
        self._ends: Optional[Tuple[float, float]] = None
        self._mean = patches.mean(axis=0, keepdims=True)  # what is linear in the patches needs no more
        self._plain = self.multiply(patches, weights)
        self.wanted = self.activate(self._plain + self._bias)
        if ends is not None and (self.wanted.min(initial=0.0) < ends[0] or self.wanted.max(initial=0.0) > ends[1]):
            self._ends = ends
            self.wanted = np.clip(self.wanted, np.float32(ends[0]), np.float32(ends[1]))
        variance = float(self.wanted.var(axis=0, dtype=np.float64).sum()) + _TINY
        self._importance = np.full(self.wanted.shape[-1], 1.0 / variance)

    def judged_by(self, importance: np.ndarray) -> Trial:
        """The same, but noise counts by what importance the output's channels have: float64 [output channels]."""
        other = copy.copy(self)
        other._importance = importance
        return other

    def scaled(self, factor: float) -> Trial:
        """The same, but noise counts so many times as much."""
        return self.judged_by(self._importance * factor)

    def multiply(self, patches: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The op without a bias: float32 [patches, output channels]."""
        return self._layout.multiply(patches, weights)

    def activate(self, values: np.ndarray) -> np.ndarray:
        """What the readers see of values ahead of the activation."""
        if self._ends is not None:
            return np.clip(values, np.float32(self._ends[0]), np.float32(self._ends[1]))
        if not self._activation:
            return values
        return np.clip(values, 0.0, end_of(self._activation))

    def error(self, patches: np.ndarray, weights: Optional[np.ndarray] = None) -> float:
        """The share of noise in the output's variance when other patches and weights stand for the op's own.

        What other weights change on average does not count: the bias takes that back. See :meth:`judged_by` for what
        the noise is a share of instead.

        Args:
            patches: like the trial's.
            weights: like the op's; None: these themselves.
        """
        return self.weigh(self.measure_noise(patches, weights))

    def measure_noise(self, patches: np.ndarray, weights: Optional[np.ndarray] = None) -> np.ndarray:
        """What :meth:`error` weighs: the mean square of the noise in each output channel, float64."""
        got = self.multiply(patches, self.weights if weights is None else weights)
        if weights is not None:
            got -= self.multiply(self._mean, weights - self.weights)
        return _mean_square(self.activate(got + self._bias) - self.wanted)

    def rounding(self, grid: Grid, scale: Optional[np.ndarray] = None) -> float:
        """The share of noise in the output's variance when the output is rounded to a grid.

        Args:
            grid: as INT8 has it.
            scale: what the output is divided by ahead of rounding, [output channels].
        """
        return self.weigh(self.measure_rounding(grid, scale))

    def measure_rounding(self, grid: Grid, scale: Optional[np.ndarray] = None) -> np.ndarray:
        """What :meth:`rounding` weighs: the mean square of the noise in each output channel, float64."""
        wanted = self.wanted
        if scale is None:
            return _mean_square(grid.round(wanted) - wanted)
        return _mean_square(grid.round(wanted / scale.astype(np.float32)) * scale.astype(np.float32) - wanted)

    def weigh(self, noise: np.ndarray) -> float:
        """The share that noise of some mean square, float64 [output channels], has in the output's variance."""
        return float(noise @ self._importance)

    def noise_by_channel(self, weights: np.ndarray) -> np.ndarray:
        """The mean square of what other weights change in each output channel: float64 [output channels]."""
        got = self.multiply(self.patches, weights)
        got -= (got - self._plain).mean(axis=0)
        return np.square(self.activate(got + self._bias) - self.wanted, dtype=np.float64).mean(axis=0)

    def share_of_noise(self, by_input_channel: np.ndarray) -> float:
        """The share of noise in the output's variance that independent noise of the input channels causes.

        Args:
            by_input_channel: its mean square: [input channels].
        """
        squares = self._layout.reduce_taps(np.square(self.weights, dtype=np.float64), np.sum)
        by_output = self._layout.respond(by_input_channel, squares)
        return float(by_output @ self._importance)


def _mean_square(noise: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(noise, dtype=np.float64).mean(axis=0))


def bounds(*ranges: Tuple[float, float]) -> Tuple[float, float]:
    """The range that holds all of some ranges."""
    return min(low for low, _high in ranges), max(high for _low, high in ranges)
