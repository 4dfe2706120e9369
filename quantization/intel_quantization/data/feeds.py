"""Folders of images as feed dicts for a graph: lazily, in batches, in the layout that the placeholder asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Sequence, TypeVar

import numpy as np

from intel_quantization.data import preprocess
from intel_quantization.data.decode import Decoder
from intel_quantization.data.images import Image, discover
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo

# Larger ones are not faster, but the tensors of a batch are in memory together.
DEFAULT_BATCH = 2
_DTYPES = ("uint8", "int32", "int64", "float16", "float32", "float64")
_INTEGERS = ("uint8", "int32", "int64")


@dataclass(frozen=True)
class Layout:
    """How a placeholder wants images.

    ``batch``, ``height`` and ``width`` are None where the graph leaves them open.
    """

    dtype: str
    batch: int | None
    height: int | None
    width: int | None
    channels: int
    channels_first: bool

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width to resize to; None where the graph takes any size."""
        height = self.height or self.width
        width = self.width or self.height
        return None if height is None or width is None else (height, width)

    def batch_size(self, wanted: int | None = None) -> int:
        """Images in one batch: 1 where they keep their own sizes, else what the graph fixes, else ``wanted``."""
        if self.size is None:
            return 1
        if self.batch is not None:
            return self.batch
        return wanted or DEFAULT_BATCH


def layout_of(info: TensorInfo) -> Layout:
    """How the placeholder ``info`` (a TensorInfo) wants images.

    Raises:
        BadInputError: it does not take batches of images with one or three channels.
    """
    what = f"the input {info.name} is {info.dtype} {_shape_text(info.shape)}"
    remedy = "name the image input with --inputs"
    if info.dtype not in _DTYPES:
        raise BadInputError("{}; images need one of {}".format(what, ", ".join(_DTYPES)), remedy)
    shape = tuple(info.shape) if info.shape is not None else (None, None, None, None)
    if len(shape) != 4:
        raise BadInputError(f"{what}; images need four dimensions, as [batch,height,width,channels]", remedy)
    batch, last, second = shape[0], shape[3], shape[1]
    if last in (1, 3) or (last is None and second not in (1, 3)):
        return Layout(info.dtype, batch, shape[1], shape[2], last or 3, False)
    if second in (1, 3):
        return Layout(info.dtype, batch, shape[2], shape[3], second, True)
    raise BadInputError(f"{what}; images have 1 or 3 channels, as its first or last dimension", remedy)


def _shape_text(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "of unknown shape"
    return "[{}]".format(",".join("?" if size is None else str(size) for size in shape))


@dataclass(frozen=True)
class Batch:
    """One feed and the images in it. Rows past ``len(images)`` repeat the last image to fill a fixed batch."""

    feed: dict[str, np.ndarray]
    images: tuple[Image, ...]


class ImageFeed:
    """Images as feed dicts ``{tensor name: array}``; each iteration reads the files again.

    Args:
        root: the dataset folder; only read when ``files`` is not given.
        tensor: the placeholder, a TensorInfo.
        mode: a Preprocessing, or one of preprocess.MODES.
        batch_size: images in one feed where the graph does not fix it; see Layout.batch_size.
        files: which images, in order: a tuple of Images, or another sized iterable of them.
        constants: what every feed dict holds besides, {tensor name: array}.

    Raises:
        BadInputError: the placeholder takes no images, or ``mode`` does not fit it; while iterating: a bad file.
    """

    def __init__(
        self,
        root: str | None,
        tensor: TensorInfo,
        mode: preprocess.Mode = "none",
        batch_size: int | None = None,
        files: Any = None,
        constants: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.layout = layout_of(tensor)
        preprocess.check(mode, self.layout.dtype, self.layout.channels)
        self.mode = preprocess.preprocessing(mode)
        self.files = discover(str(root)).files if files is None else files
        self.batch_size = self.layout.batch_size(batch_size)
        self._name = tensor.name
        self._constants = dict(constants or {})
        self._decoder = Decoder(self.layout.channels)

    def __len__(self) -> int:
        """Number of batches."""
        return (len(self.files) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return (batch.feed for batch in self.batches())

    def batches(self) -> Iterator[Batch]:
        """The feeds together with the images they hold, as Batch objects."""
        for images in in_groups(self.files, self.batch_size):
            yield Batch(dict(self._constants, **{self._name: self._make_array(images)}), images)

    def _make_array(self, images: tuple[Image, ...]) -> np.ndarray:
        """Shape [batch, height, width, channels] or [batch, channels, height, width], of the placeholder's dtype."""
        size, resizing = self.layout.size, self.mode.resizing
        pixels = [self._decoder.read(image.path, size, image.data, resizing) for image in images]
        return as_input(np.stack(filled(pixels, self.layout.batch)), self.layout, self.mode)


Item = TypeVar("Item")


def in_groups(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Tuples of ``size`` successive items; the last may be shorter."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def filled(rows: list[np.ndarray], batch: int | None) -> list[np.ndarray]:
    """``rows`` with the last repeated to fill a fixed batch."""
    return rows if batch is None else rows + rows[-1:] * (batch - len(rows))


def as_input(pixels: np.ndarray, layout: Layout, mode: preprocess.Mode) -> np.ndarray:
    """Pixels [batch, height, width, channels], 0..255, as a placeholder of this layout takes them."""
    array = preprocess.apply(mode, pixels)
    if layout.dtype in _INTEGERS:
        array = np.clip(np.rint(array), 0, 255)
    if layout.channels_first:
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array, layout.dtype)


def image_input(inputs: Sequence[TensorInfo]) -> tuple[TensorInfo, dict[str, np.ndarray]]:
    """Which of a graph's inputs takes the images, and what to feed to the others.

    A bool (``is_training`` and the like) is fed False.

    Args:
        inputs: TensorInfos.

    Returns:
        (TensorInfo, {tensor name: array}).

    Raises:
        BadInputError: no input takes images, more than one does, or another input's value cannot be guessed.
    """
    others = [info for info in inputs if info.dtype != "bool"]
    flags = {info.name: np.zeros((), bool) for info in inputs if info.dtype == "bool"}
    if len(others) != 1:
        names = ", ".join(info.name for info in others) or "none"
        raise BadInputError(
            f"the graph must have one input for images; found: {names}", "name the image input with --inputs"
        )
    layout_of(others[0])
    return others[0], flags
