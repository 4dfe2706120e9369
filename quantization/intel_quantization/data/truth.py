"""What is right for a sample where that is more than one number: boxes, or a class for each pixel."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from intel_quantization.data.array_file import READING_ERRORS
from intel_quantization.data.decode import Decoder
from intel_quantization.errors import BadInputError

LARGEST_CLASS = 65535
"""What a pixel of a PNG can hold; classes are counted one by one."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects of one image.

    Attributes:
        boxes: float64 [objects, 4], top, left, bottom and right as shares of the image's height and width.
        classes: int64 [objects].
        crowd: bool [objects], boxes of many objects: what is found there is neither right nor wrong.
    """

    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True, eq=False)
class Mask:
    """The classes of one image's pixels.

    Attributes:
        source: int array [height, width], the path of an image with a class for each pixel, or its bytes. Classes
            go up to LARGEST_CLASS.
    """

    source: np.ndarray | str | bytes

    def resized(self, size: tuple[int, int]) -> np.ndarray:
        """int64 [height, width], by the nearest pixel, as the pictures themselves are stretched.

        Raises:
            BadInputError: it is no image of classes.
        """
        array = self.read()
        rows, columns = (
            np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int) for new, old in zip(size, array.shape)
        )
        return array[rows][:, columns].astype(np.int64)

    def read(self) -> np.ndarray:
        """An int array [height, width], in its own size.

        Raises:
            BadInputError: it is no image of classes.
        """
        array = self.source if isinstance(self.source, np.ndarray) else _read(self.source)
        if array.dtype.kind not in "iu" or array.ndim != 2:
            raise BadInputError(
                f"labels of pixels{self._name} are {array.dtype} {list(array.shape)}",
                "expected a whole number for each pixel, [height, width]",
            )
        if not array.size or array.min() < 0 or array.max() > LARGEST_CLASS:
            what = f"go from {array.min()} to {array.max()}" if array.size else "are of no pixels"
            raise BadInputError(
                f"labels of pixels{self._name} {what}",
                f"expected classes of 0 to {LARGEST_CLASS}, and 255 for pixels that do not count",
            )
        return array

    @property
    def _name(self) -> str:
        return f" in {self.source}" if isinstance(self.source, str) else ""


def _read(source: str | bytes) -> np.ndarray:
    name, data = (source, b"") if isinstance(source, str) else ("labels of pixels of a record", source)
    try:
        if name.lower().endswith(".npy"):
            return np.load(name, allow_pickle=False)
        if not data:
            with open(name, "rb") as stream:
                data = stream.read()
        return _make_decoder().read(name, data=indices_as_gray(data))[..., 0].astype(np.int64)
    except BadInputError:
        raise
    except (*READING_ERRORS, MemoryError) as error:
        raise BadInputError(
            f"cannot read {name}: {str(error)[:200]}",
            "expected .npy, or PNG of one channel or a palette of 8 bits, whose values are classes",
        ) from None


@lru_cache(maxsize=1)
def _make_decoder() -> Decoder:
    return Decoder(1)


_START = b"\x89PNG\r\n\x1a\n"
_PALETTE, _GRAY = 3, 0


def indices_as_gray(data: bytes) -> bytes:
    """A PNG whose gray values are the indices into the palette of another: a decoder would give its colours.

    Raises:
        ValueError: it has fewer than 8 bits for each pixel, which decoders of gray scale up.
    """
    if not data.startswith(_START) or len(data) < 33:
        return data
    bits, colours = data[24], data[25]
    if colours not in (_PALETTE, _GRAY):
        raise ValueError("it has several channels")
    if bits != 8:
        raise ValueError(f"it has {bits} bits for each pixel, not 8")
    if colours == _GRAY:
        return data
    result, position = [_START], len(_START)
    while position + 12 <= len(data):
        (size,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        position += 12 + size
        if kind == b"IHDR":
            body = body[:9] + bytes([_GRAY]) + body[10:]
        if kind not in (b"PLTE", b"tRNS", b"bKGD", b"hIST"):
            result.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(result)
