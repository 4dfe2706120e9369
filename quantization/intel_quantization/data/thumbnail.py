"""Small pictures of what is fed to a graph."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SIDE = 96
"""Pixels of the longer side, at most."""
_QUALITY = 70


class Thumbnails:
    """Makes JPEG pictures; a context manager."""

    def __init__(self) -> None:
        with tf.Graph().as_default() as graph:
            self._pixels = tf.compat.v1.placeholder(tf.uint8, (None, None, None))
            self._jpeg = tf.io.encode_jpeg(self._pixels, quality=_QUALITY)
        self._session = tf.compat.v1.Session(graph=graph)

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def jpeg(self, values: np.ndarray, flipped: bool = False) -> bytes | None:
        """A picture of one sample; None of what is none.

        Args:
            values: [height, width, channels] or [channels, height, width], of 1 or 3 channels and any type and range.
            flipped: whether the channels are blue, green, red.
        """
        pixels = as_pixels(values)
        if pixels is None:
            return None
        found = self._session.run(self._jpeg, {self._pixels: pixels[..., ::-1] if flipped else pixels})
        return bytes(found)


def as_pixels(values: np.ndarray) -> np.ndarray | None:
    """uint8 [height, width, channels], no side above SIDE, from the least value to the largest; None of no picture."""
    if values.ndim != 3 or values.dtype.kind not in "fui":
        return None
    if values.shape[2] not in (1, 3):
        if values.shape[0] not in (1, 3):
            return None
        values = values.transpose(1, 2, 0)
    if min(values.shape[:2]) < 8:  # a row of numbers that happens to have three dimensions
        return None
    values = _shrink(np.nan_to_num(values.astype(np.float32)))
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)


def _shrink(values: np.ndarray) -> np.ndarray:
    """The means of equal squares, as many as fit."""
    step = -(-max(values.shape[:2]) // SIDE)
    if step == 1:
        return values
    height, width = (max(size // step, 1) * step for size in values.shape[:2])
    whole = values[:height, :width]
    return whole.reshape(height // step, step, width // step, step, -1).mean(axis=(1, 3))
