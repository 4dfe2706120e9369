"""What a linear op reads for one position of its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np


@dataclass(frozen=True)
class Window:
    """What a linear op reads for one position of its output.

    Attributes:
        tensor: its float32 source: [batch, height, width, channels], or [..., channels] of a matrix product.
        size: taps along height and width; None for a matrix product.
        strides: steps of the window along height and width.
        dilations: steps between taps.
        pads: (top, bottom, left, right); None: as SAME pads.
        channels: of the source.
        outputs: channels of the output that read all of a patch; 1 where each reads a channel of its own.
    """

    tensor: str
    size: Optional[Tuple[int, int]]
    strides: Tuple[int, int] = (1, 1)
    dilations: Tuple[int, int] = (1, 1)
    pads: Optional[Tuple[int, int, int, int]] = (0, 0, 0, 0)
    channels: int = 1
    outputs: int = 1

    @property
    def values(self) -> int:
        """How many values a patch has."""
        return self.channels * (self.size[0] * self.size[1] if self.size else 1)

    def positions(self, shape: Sequence[int]) -> Tuple[int, ...]:
        """The shape of the output's positions, the batch among them, for a source of some shape."""
        if self.size is None:
            return tuple(shape[:-1])
        return (shape[0], *(count for count, _before in self._axes(shape)))

    def _axes(self, shape: Sequence[int]) -> List[Tuple[int, int]]:
        """For height and width: how many positions there are, and how far the first window stands out."""
        assert self.size is not None
        result = []
        for axis in (0, 1):
            length, stride = shape[1 + axis], self.strides[axis]
            window = (self.size[axis] - 1) * self.dilations[axis] + 1
            if self.pads is None:
                count = -(-length // stride)
                result.append((count, max((count - 1) * stride + window - length, 0) // 2))
            else:
                before, behind = self.pads[2 * axis : 2 * axis + 2]
                result.append((max((length + before + behind - window) // stride + 1, 0), before))
        return result

    def cut(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The patches at some positions.

        Args:
            values: float32, the source.
            positions: int, shape [patches]: numbers within :meth:`positions`, flattened.

        Returns:
            float32 of shape [patches, taps, channels]; zero outside of the image.
        """
        if self.size is None:
            return values.reshape(-1, 1, values.shape[-1])[positions]
        axes = self._axes(values.shape)
        image, row, column = np.unravel_index(positions, self.positions(values.shape))
        index, inside = [], []
        for axis, place in enumerate((row, column)):
            taps = np.arange(self.size[axis]) * self.dilations[axis]
            at = place[:, None] * self.strides[axis] - axes[axis][1] + taps
            length = values.shape[1 + axis]
            inside.append((at >= 0) & (at < length))
            index.append(np.clip(at, 0, length - 1))
        found = values[image[:, None, None], index[0][:, :, None], index[1][:, None, :]]
        found = found * (inside[0][:, :, None] & inside[1][:, None, :])[..., None]
        return found.reshape(len(positions), -1, values.shape[-1])
