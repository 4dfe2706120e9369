"""How the weights of a linear op are laid out, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Sequence, Tuple

import numpy as np


@dataclass(frozen=True)
class Layout:
    """Which axes of the weights number what; the other axes are taps, positions within a window.

    Attributes:
        rank: the number of axes.
        inputs: the axis of the input channels.
        outputs: the axes that together number the output channels. ``inputs`` is among them where each output channel
            reads one input channel alone, as in a depthwise convolution.
    """

    rank: int
    inputs: int
    outputs: Tuple[int, ...]

    @property
    def mixes_channels(self) -> bool:
        """Whether each output channel reads all input channels."""
        return self.inputs not in self.outputs

    @property
    def taps(self) -> Tuple[int, ...]:
        """The axes that are neither."""
        return tuple(axis for axis in range(self.rank) if axis != self.inputs and axis not in self.outputs)

    @property
    def summed(self) -> Tuple[int, ...]:
        """The axes over which each output channel sums up."""
        return tuple(axis for axis in range(self.rank) if axis not in self.outputs)

    def count_outputs(self, shape: Sequence[int]) -> int:
        """The number of output channels of weights of some shape."""
        return int(np.prod([shape[axis] for axis in self.outputs], dtype=np.int64))

    def count_products(self, shape: Sequence[int]) -> int:
        """How many products each output sums up."""
        return int(np.prod([shape[axis] for axis in self.summed], dtype=np.int64))

    def along_inputs(self, values: np.ndarray) -> np.ndarray:
        """One number for each input channel, in a shape that broadcasts over the weights."""
        shape = [1] * self.rank
        shape[self.inputs] = values.size
        return values.reshape(shape)

    def along_outputs(self, values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """One number for each output channel, in a shape that broadcasts over weights of some shape."""
        return values.reshape([shape[axis] if axis in self.outputs else 1 for axis in range(self.rank)])

    def orient(self, weights: np.ndarray) -> np.ndarray:
        """The weights with taps first, then input channels, then what else there is of output channels."""
        order = self._order()
        return weights if order == tuple(range(self.rank)) else weights.transpose(order)

    def reduce_taps(self, weights: np.ndarray, reduce: Callable[..., Any]) -> np.ndarray:
        """What a function such as np.sum makes of all taps: [inputs, outputs], or [channels, outputs of each]."""
        oriented = self.orient(weights)
        taps = tuple(range(len(self.taps)))
        return np.asarray(reduce(oriented, axis=taps)) if taps else oriented

    def multiply(self, patches: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The op without a bias: float32 [patches, output channels]; ``patches``: [patches, taps, channels]."""
        oriented = self.orient(weights)
        if self.mixes_channels:
            return np.asarray(patches.reshape(len(patches), -1) @ oriented.reshape(-1, oriented.shape[-1]))
        taps = oriented.reshape(-1, *oriented.shape[len(self.taps) :])
        return np.einsum("ptc,tcm->pcm", patches, taps, optimize=False).reshape(len(patches), -1)

    def as_columns(self, weights: np.ndarray) -> np.ndarray:
        """Weights as [layers, inputs, outputs]: one layer, or one for each channel where these do not mix."""
        oriented = self.orient(weights)
        if self.mixes_channels:
            return oriented.reshape(1, -1, oriented.shape[-1])
        taps = oriented.reshape(-1, *oriented.shape[len(self.taps) :])
        return np.ascontiguousarray(taps.transpose(1, 0, 2))

    def from_columns(self, columns: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """The inverse of :meth:`as_columns`, for weights of some shape."""
        order = self._order()
        if not self.mixes_channels:
            columns = columns.transpose(1, 0, 2)
        return columns.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))

    def inputs_of_layers(self, patches: np.ndarray) -> np.ndarray:
        """What the layers of :meth:`as_columns` read: a copy of the patches as [layers, patches, inputs]."""
        if self.mixes_channels:
            return patches.reshape(1, len(patches), -1).copy()
        return patches.transpose(2, 0, 1).copy()

    def respond(self, by_input: np.ndarray, by_tap: np.ndarray) -> np.ndarray:
        """What each output channel sums up where every tap reads the same: [output channels].

        Args:
            by_input: what is read of each input channel.
            by_tap: the weights, summed up over taps by :meth:`reduce_taps`.
        """
        if self.mixes_channels:
            return np.asarray(by_input @ by_tap)
        return (by_tap * by_input[:, None]).reshape(-1)

    def _order(self) -> Tuple[int, ...]:
        return (*self.taps, self.inputs, *(axis for axis in self.outputs if axis != self.inputs))


HWIO = Layout(4, 2, (3,))
HWCM = Layout(4, 2, (2, 3))
KN = Layout(2, 0, (1,))
NK = Layout(2, 1, (0,))
