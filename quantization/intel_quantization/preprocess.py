"""From pixels to what a network was trained on: the modes of keras.applications.imagenet_utils, and TF-slim's vgg."""

from __future__ import annotations

import numpy as np

from intel_quantization.errors import BadInputError

MODES = ("tf", "caffe", "torch", "vgg", "none")
GRAY_MODES = ("tf", "none")
"""The other modes subtract a mean for each of red, green and blue."""

_CAFFE_BGR = np.array([103.939, 116.779, 123.68], np.float32)
_VGG_RGB = np.array([123.68, 116.78, 103.94], np.float32)
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_TORCH_STD = np.array([0.229, 0.224, 0.225], np.float32)


def modes_for(dtype: str, channels: int) -> tuple[str, ...]:
    """The modes that an input of this dtype ("uint8", "float32", ...) with 1 or 3 channels can take."""
    if dtype == "uint8":
        return ("none",)
    return MODES if channels == 3 else GRAY_MODES


def check(mode: str, dtype: str, channels: int) -> None:
    """Raise BadInputError unless ``mode`` fits an input of this dtype and number of channels."""
    allowed = modes_for(dtype, channels)
    if mode in allowed:
        return
    why = "the graph takes raw uint8 pixels" if dtype == "uint8" else f"the graph takes {channels} channel"
    raise BadInputError(
        f"preprocessing {mode!r} does not fit: {why}",
        "leave --preprocess out, or give one of: {}".format(", ".join(allowed)),
    )


def apply(mode: str, pixels: np.ndarray) -> np.ndarray:
    """``pixels`` as the network expects them.

    Args:
        mode: one of MODES.
        pixels: float32 [..., channels], 0..255, RGB or gray.

    Returns:
        float32 of the same shape. ``tf``: -1..1; ``caffe``: BGR minus the ImageNet mean; ``torch``: 0..1, then
        normalised by mean and deviation; ``vgg``: RGB minus the mean; ``none``: unchanged.
    """
    pixels = np.asarray(pixels, np.float32)
    if mode == "tf":
        return pixels / np.float32(127.5) - np.float32(1.0)
    if mode == "caffe":
        return pixels[..., ::-1] - _CAFFE_BGR
    if mode == "torch":
        return (pixels / np.float32(255.0) - _TORCH_MEAN) / _TORCH_STD
    if mode == "vgg":
        return pixels - _VGG_RGB
    if mode == "none":
        return pixels
    raise ValueError(f"unknown preprocessing mode {mode!r}")
