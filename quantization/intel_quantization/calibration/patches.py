"""Patches: a random sample of what linear ops read, one patch for one position of their output.

What an INT8 form of an op loses can then be computed without running the graph: the output of a convolution at a
position is the product of its patch and its weights. Some hundred patches from all over the data show the error of
an op about as well as all of them would.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

# Of one image so many positions are looked at.
_POSITIONS = 16
# Of all images so many patches are kept, if they have no more values than that.
MOST_PATCHES = 1024
MOST_VALUES = 1 << 20
_FEWEST_PATCHES = 64
# Of all ops together so many values are kept.
_ALL_VALUES = 1 << 26


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


class Sampler:
    """Draws patches from batch after batch, each position as likely as any other (Vitter 1985, algorithm R).

    Args:
        name: of what is sampled; the same name draws the same patches from the same data.
        window: what to cut out.
        most: how many patches to keep.

    Attributes:
        window: as given.
        seen: positions that were drawn so far.
    """

    def __init__(self, name: str, window: Window, most: int) -> None:
        self.window = window
        self._most = most
        self._random = np.random.RandomState(zlib.crc32(name.encode("utf-8", "surrogateescape")))
        self.seen = 0
        self._kept: Optional[np.ndarray] = None
        self._filled = 0

    def look(self, values: np.ndarray) -> None:
        """Take patches of another batch; one of another shape than the op can read is left out."""
        window = self.window
        if values.shape[-1:] != (window.channels,) or (window.size is not None and values.ndim != 4):
            return
        count = int(np.prod(window.positions(values.shape), dtype=np.int64))
        if not count:
            return
        wanted = _POSITIONS * len(values)
        drawn = self._random.randint(0, count, size=wanted) if wanted < count else np.arange(count)
        places = np.arange(self.seen, self.seen + len(drawn))
        self.seen += len(drawn)
        late = places >= self._most
        places[late] = (self._random.random_sample(int(late.sum())) * (places[late] + 1)).astype(np.int64)
        accepted = places < self._most
        if not accepted.any():
            return
        cut = window.cut(values, drawn[accepted])
        if self._kept is None:
            self._kept = np.empty((self._most, *cut.shape[1:]), np.float32)
        self._kept[places[accepted]] = cut
        self._filled = min(self.seen, self._most)

    def patches(self) -> np.ndarray:
        """What was drawn: float32 [patches, taps, channels].

        Raises:
            ValueError: there were no positions yet.
        """
        if self._kept is None:
            raise ValueError("no patches of '%s' were drawn" % self.window.tensor)
        return self._kept[: self._filled]


def make_samplers(windows: Mapping[str, Window]) -> Dict[str, Sampler]:
    """A sampler for each window, by its name; large graphs keep fewer patches of each."""
    share = _ALL_VALUES // max(len(windows), 1)
    result = {}
    for name, window in windows.items():
        fitting = min(MOST_VALUES, share) // window.values
        if fitting >= _FEWEST_PATCHES or share >= MOST_VALUES:
            result[name] = Sampler(name, window, min(max(fitting, _FEWEST_PATCHES), MOST_PATCHES))
    return result
