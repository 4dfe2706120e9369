"""Patches: a random sample of what linear ops read, one patch for one position of their output.

What an INT8 form of an op loses can then be computed without running the graph: the output of a convolution at a
position is the product of its patch and its weights. Some hundred patches from all over the data show the error of
an op about as well as all of them would.
"""

from __future__ import annotations

import zlib
from typing import Dict, Mapping, Optional

import numpy as np

from intel_quantization.kinds.window import Window

# Of one image so many positions are looked at.
_POSITIONS = 16
# Of all images so many patches are kept, if they have no more values than that.
MOST_PATCHES = 1024
MOST_VALUES = 1 << 20
_FEWEST_PATCHES = 64
# Of all ops together so many values are kept.
_ALL_VALUES = 1 << 26


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
