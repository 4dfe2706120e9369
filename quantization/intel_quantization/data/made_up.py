"""Samples for a graph that nobody has data for: pictures with the statistics of photos, or normal values.

A picture is "dead leaves", discs and rectangles of many sizes over each other, with noise whose spectrum falls as 1/f:
edges, areas and textures as photos have them, though nothing that a network knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.data import preprocess
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.feeds import Batch, Layout, as_input, filled, image_input, in_groups, layout_of
from intel_quantization.data.images import Image, Split
from intel_quantization.errors import BadInputError

PICTURES = 64
BATCH = 16
"""In one batch where the graph leaves it open: batch norms need as many."""
_OPEN_SIZE = 224
_LEAVES = 120
_FLOATS = ("float16", "float32", "float64")


def made_up_data(inputs: Sequence[Any], seed: int, samples: Optional[int] = None) -> Dataset:
    """Samples that are made up, all of them to calibrate on.

    Args:
        inputs: the graph's, TensorInfos.
        seed: of the random numbers.
        samples: how many; None: PICTURES.

    Raises:
        BadInputError: nothing can be made up for an input: its shape is not known, or it takes integers or texts.
    """
    count = samples or PICTURES
    part = tuple(Image("made-up sample %d" % (seed * PICTURES + number)) for number in range(count))
    numbers = {image.path: seed * PICTURES + number for number, image in enumerate(part)}
    try:
        tensor, constants = image_input(inputs)
    except BadInputError:
        return _make_rows(inputs, part, numbers)
    layout = layout_of(tensor)

    def make_feed(some: Sequence[Image], mode: preprocess.Mode, batch_size: Optional[int]) -> _Feed:
        return _Pictures(some, mode, batch_size, numbers, tensor, layout, constants)

    return Dataset(
        "%d made-up pictures" % count, count, Split(part, ()), Labelling(), layout, make_feed, (), False, "pictures"
    )


@dataclass(frozen=True)
class _Feed:
    """Feed dicts of some samples; each iteration makes them again."""

    files: Sequence[Image]
    mode: Any
    wanted: Optional[int]
    numbers: Dict[str, int]

    @property
    def batch_size(self) -> int:
        """Samples in one feed."""
        return self.wanted or BATCH

    def __iter__(self) -> Iterator[Dict[str, np.ndarray]]:
        return (batch.feed for batch in self.batches())

    def batches(self) -> Iterator[Batch]:
        """The feeds, with what they hold."""
        for images in in_groups(self.files, self.batch_size):
            yield Batch(self.arrays([self.numbers[image.path] for image in images]), images)

    def arrays(self, numbers: List[int]) -> Dict[str, np.ndarray]:
        """A feed dict of the samples of these numbers."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Pictures(_Feed):
    tensor: Any
    layout: Layout
    constants: Dict[str, np.ndarray]

    @property
    def batch_size(self) -> int:
        return self.layout.batch or self.wanted or BATCH

    def arrays(self, numbers: List[int]) -> Dict[str, np.ndarray]:
        height, width = self.layout.size or (_OPEN_SIZE, _OPEN_SIZE)
        pixels = [picture(number, height, width, self.layout.channels) for number in numbers]
        mode = preprocess.preprocessing(self.mode)
        array = as_input(np.stack(filled(pixels, self.layout.batch)), self.layout, mode)
        return dict(self.constants, **{self.tensor.name: array})


@dataclass(frozen=True)
class _Rows(_Feed):
    inputs: Sequence[Any]

    @property
    def batch_size(self) -> int:
        fixed = {info.shape[0] for info in self.inputs if info.shape and info.shape[0] is not None}
        return max(fixed) if fixed else self.wanted or BATCH

    def arrays(self, numbers: List[int]) -> Dict[str, np.ndarray]:
        rows = numbers + numbers[-1:] * (self.batch_size - len(numbers)) if self._is_fixed() else numbers
        return {info.name: _make_values(info, rows) for info in self.inputs}

    def _is_fixed(self) -> bool:
        return any(info.shape and info.shape[0] is not None for info in self.inputs)


def _make_rows(inputs: Sequence[Any], part: Tuple[Image, ...], numbers: Dict[str, int]) -> Dataset:
    for info in inputs:
        if info.dtype not in (*_FLOATS, "bool") or info.shape is None or None in info.shape[1:]:
            raise BadInputError(
                "nothing can be made up for the input %s, %s %s"
                % (info.name, info.dtype or "of unknown type", info.shape),
                "only inputs of floats of a known shape; give data: --data_location",
            )

    def make_feed(some: Sequence[Image], mode: preprocess.Mode, batch_size: Optional[int]) -> _Feed:
        return _Rows(some, mode, batch_size, numbers, inputs)

    what = "%d rows of made-up normal values" % len(part)
    return Dataset(what, len(part), Split(part, ()), Labelling(), None, make_feed, (), False, "rows")


def _make_values(info: Any, numbers: Sequence[int]) -> np.ndarray:
    if info.dtype == "bool" or not info.shape:
        return np.zeros(info.shape or (), info.dtype)
    rows = [np.random.RandomState(number).normal(size=info.shape[1:]) for number in numbers]
    return np.stack(rows).astype(info.dtype)


def picture(number: int, height: int, width: int, channels: int) -> np.ndarray:
    """A picture, the same for the same number: float32 [height, width, channels], 0..255."""
    random = np.random.RandomState(number)
    canvas = np.empty((height, width, channels))
    canvas[:] = _draw_colour(random, channels)
    rows, columns = np.mgrid[:height, :width]
    side = min(height, width)
    for radius in sorted(_draw_radii(random, side), reverse=True):
        row, column = random.uniform(0, height), random.uniform(0, width)
        if random.uniform() < 0.5:
            inside = np.hypot(rows - row, columns - column) < radius
        else:
            inside = (abs(rows - row) < radius * random.uniform(0.3, 1)) & (abs(columns - column) < radius)
        canvas[inside] = _draw_colour(random, channels)
    canvas += random.uniform(5, 25) * _draw_texture(random, height, width)[..., np.newaxis]
    return np.clip(canvas, 0, 255).astype(np.float32)


def _draw_radii(random: np.random.RandomState, side: int) -> np.ndarray:
    """Of leaves, so that each size covers as much: their number falls as the cube."""
    least, most = max(side / 40.0, 1.0), side / 2.0
    share = random.uniform(size=_LEAVES)
    return 1.0 / np.sqrt(share / most**2 + (1 - share) / least**2)


def _draw_colour(random: np.random.RandomState, channels: int) -> np.ndarray:
    """Gray with a little colour, as photos are."""
    return np.clip(random.normal(115, 60) + random.normal(0, 18, channels), 0, 255)


def _draw_texture(random: np.random.RandomState, height: int, width: int) -> np.ndarray:
    """Noise whose amplitude falls with the frequency, of variance 1: [height, width]."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width)[np.newaxis])
    spectrum = np.fft.rfft2(random.normal(size=(height, width))) / np.maximum(frequency, 1.0 / max(height, width))
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (height, width))
    return noise / max(float(noise.std()), 1e-9)
