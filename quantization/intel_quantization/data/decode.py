"""Image files to pixels of a given size, by TensorFlow's own ops; the same in 1.15 and in 2.x."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intel_quantization.data.image_size import check_image_size
from intel_quantization.data.resizing import STRETCH, Resizing, to_size
from intel_quantization.errors import BadInputError
from intel_quantization.graph.session import first_line

tf1 = tf.compat.v1

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"BM", "bmp"))
_LUMA = np.array([0.2989, 0.587, 0.114], np.float32)


class Decoder:
    """Decodes and resizes images; opens one TensorFlow session for all of them.

    Args:
        channels: 3 for RGB, 1 for gray.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        graph = tf.Graph()
        with graph.as_default():
            self._bytes = tf1.placeholder(tf.string, [])
            self._decoded = {
                "png": tf.io.decode_png(self._bytes, channels=channels),
                # the accurate transform is what other decoders do, and the same in every version
                "jpeg": tf.io.decode_jpeg(self._bytes, channels=channels, dct_method="INTEGER_ACCURATE"),
                "gif": tf.io.decode_gif(self._bytes),
                "bmp": tf.io.decode_bmp(self._bytes, channels=0),
            }
            self._pixels = tf1.placeholder(tf.float32, [None, None, channels])
            self._size = tf1.placeholder(tf.int32, [2])
            self._resized = tf.compat.v2.image.resize(self._pixels, self._size, method="bilinear", antialias=True)
        config = tf1.ConfigProto(
            device_count={"GPU": 0}, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
        )
        self._session = tf1.Session(graph=graph, config=config)

    def read(
        self,
        path: str,
        size: tuple[int, int] | None = None,
        data: bytes | None = None,
        resizing: Resizing = STRETCH,
    ) -> np.ndarray:
        """The pixels of the image in ``path``: float32 [height, width, channels], 0..255, RGB or gray.

        Args:
            data: the image itself, where ``path`` is only what to call it.
            size: height and width to resize to (bilinear, with antialiasing when it shrinks); None: as it is.
            resizing: by which rule.

        Raises:
            BadInputError: the file cannot be read, or is no image.
        """
        pixels = self._decode(path, _bytes_of(path) if data is None else data)
        return pixels if size is None else to_size(pixels, size, resizing, self._resize)

    def _resize(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return self._session.run(self._resized, {self._pixels: pixels, self._size: size})

    def _decode(self, path: str, data: bytes) -> np.ndarray:
        expected = "expected a whole PNG, JPEG, GIF or BMP image"
        remedy = "repair or remove this file"
        kind = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
        if kind is None:
            what = "is empty" if not data else f"begins with {data[:8]!r}"
            raise BadInputError(f"{path} {what}; {expected}", remedy)
        check_image_size(path, kind, data)
        try:
            pixels = self._session.run(self._decoded[kind], {self._bytes: data})
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            detail = first_line(error)[:200]
            raise BadInputError(f"cannot decode {path}: {detail}; {expected}", remedy) from None
        if pixels.ndim == 4:  # an animation: its first picture
            pixels = pixels[0]
        return _with_channels(pixels.astype(np.float32), self._channels)


def _bytes_of(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", "check its permissions") from None


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """BMP and GIF come with the channels they have: drop alpha, mix to gray, or spread gray over RGB."""
    if pixels.shape[-1] == 4:
        pixels = pixels[..., :3]
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 1:
        return np.rint(pixels @ _LUMA)[..., np.newaxis]
    return np.repeat(pixels, 3, axis=-1)
