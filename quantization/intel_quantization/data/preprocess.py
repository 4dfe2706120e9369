"""From pixels to what a network was trained on.

The modes are those of keras.applications.imagenet_utils, TF-slim's ``vgg``, and ``unit``; what none of them says is
said in numbers: ``(pixels * scale - mean) / std``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple, Union

import numpy as np

from intel_quantization.contract.words import CHANNEL_ORDERS, PREPROCESSINGS
from intel_quantization.data.resizing import STRETCH, Resizing
from intel_quantization.errors import BadInputError

MODES = PREPROCESSINGS
GRAY_MODES = ("tf", "unit", "none")
"""The other modes subtract a mean for each of red, green and blue."""
CUSTOM = "custom"
"""The mode of numbers of one's own."""
ORDERS = CHANNEL_ORDERS

_CAFFE_BGR = np.array([103.939, 116.779, 123.68], np.float32)
_VGG_RGB = np.array([123.68, 116.78, 103.94], np.float32)
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_TORCH_STD = np.array([0.229, 0.224, 0.225], np.float32)
_INTEGERS = ("uint8", "int32", "int64")
"""Types of inputs that take pixels as they are."""

Numbers = Tuple[float, ...]


@dataclass(frozen=True)
class Preprocessing:
    """All of what happens to pixels on their way into a network.

    Attributes:
        mode: one of MODES, or CUSTOM.
        order: of the channels that the network takes, one of ORDERS; None: the mode's own. The numbers of a mode stay
            with their colours; those of CUSTOM are in the order that the network takes.
        scale, mean, std: for CUSTOM, one number or one for each channel.
        resizing: how a picture comes to the size of the input.
    """

    mode: str = "none"
    order: Optional[str] = None
    scale: Numbers = (1.0,)
    mean: Numbers = (0.0,)
    std: Numbers = (1.0,)
    resizing: Resizing = STRETCH

    def __str__(self) -> str:
        """For people: ``tf``, or ``custom ((pixels * 1 - 127.5) / 128), channels bgr, resize pad:114``."""
        text = self.mode
        if self.mode == CUSTOM:
            numbers = [_numbers_text(each) for each in (self.scale, self.mean, self.std)]
            text += " ((pixels * {} - {}) / {})".format(*numbers)
        if self.order is not None:
            text += f", channels {self.order}"
        if self.resizing != STRETCH:
            text += f", resize {self.resizing}"
        return text

    def details(self) -> Dict[str, object]:
        """The same for programs, JSON-ready; numbers are there for CUSTOM only."""
        found: Dict[str, object] = {
            "channel_order": self.order or ("bgr" if self.mode == "caffe" else "rgb"),
            "resize": str(self.resizing),
        }
        if self.mode == CUSTOM:
            found.update(scale=list(self.scale), mean=list(self.mean), std=list(self.std))
        return found


Mode = Union[str, Preprocessing]


def preprocessing(mode: Mode) -> Preprocessing:
    """``mode`` as a Preprocessing, where it is only the name of one."""
    return mode if isinstance(mode, Preprocessing) else Preprocessing(mode)


def modes_for(dtype: str, channels: int) -> tuple[str, ...]:
    """The modes that an input of this dtype ("uint8", "float32", ...) with 1 or 3 channels can take."""
    if dtype in _INTEGERS:
        return ("none",)
    return MODES if channels == 3 else GRAY_MODES


def check(mode: Mode, dtype: str, channels: int) -> None:
    """Raise BadInputError unless ``mode`` fits an input of this dtype and number of channels."""
    wanted = preprocessing(mode)
    allowed = modes_for(dtype, channels)
    if wanted.mode == CUSTOM:
        _check_numbers(wanted, dtype, channels)
    elif wanted.mode not in allowed:
        why = f"the graph takes raw {dtype} pixels" if dtype in _INTEGERS else f"the graph takes {channels} channel"
        raise BadInputError(
            f"preprocessing {wanted.mode!r} does not fit: {why}",
            "leave --preprocess out, or give one of: {}".format(", ".join(allowed)),
        )
    if wanted.order == "bgr" and channels == 1:
        raise BadInputError("--channel_order bgr does not fit: the graph takes 1 channel", "leave --channel_order out")


def _check_numbers(wanted: Preprocessing, dtype: str, channels: int) -> None:
    if dtype in _INTEGERS:
        raise BadInputError(
            f"--mean, --std and --scale do not fit: the graph takes raw {dtype} pixels", "leave them out"
        )
    for name in ("scale", "mean", "std"):
        count = len(getattr(wanted, name))
        if count not in (1, channels):
            raise BadInputError(
                f"--{name} has {count} numbers, but the graph takes {channels} channel{'s' * (channels > 1)}",
                "give one number" + (f", or {channels}" if channels > 1 else ""),
            )


def apply(mode: Mode, pixels: np.ndarray) -> np.ndarray:
    """``pixels`` as the network expects them.

    Args:
        mode: a Preprocessing, or one of MODES.
        pixels: float32 [..., channels], 0..255, RGB or gray.

    Returns:
        float32 of the same shape. ``tf``: -1..1; ``caffe``: BGR minus the ImageNet mean; ``torch``: 0..1, then
        normalised by mean and deviation; ``vgg``: RGB minus the mean; ``unit``: 0..1; ``none``: unchanged.
    """
    wanted = preprocessing(mode)
    pixels = np.asarray(pixels, np.float32)
    if wanted.mode == CUSTOM:
        ordered = pixels[..., ::-1] if wanted.order == "bgr" else pixels
        scale, mean, std = (np.array(each, np.float32) for each in (wanted.scale, wanted.mean, wanted.std))
        return (ordered * scale - mean) / std
    values = _by_mode(wanted.mode, pixels)
    is_bgr = wanted.mode == "caffe"
    return values if wanted.order is None or (wanted.order == "bgr") == is_bgr else values[..., ::-1]


def _by_mode(mode: str, pixels: np.ndarray) -> np.ndarray:
    if mode == "tf":
        return pixels / np.float32(127.5) - np.float32(1.0)
    if mode == "caffe":
        return pixels[..., ::-1] - _CAFFE_BGR
    if mode == "torch":
        return (pixels / np.float32(255.0) - _TORCH_MEAN) / _TORCH_STD
    if mode == "vgg":
        return pixels - _VGG_RGB
    if mode == "unit":
        return pixels / np.float32(255.0)
    if mode == "none":
        return pixels
    raise ValueError(f"unknown preprocessing mode {mode!r}")


def _numbers_text(numbers: Numbers) -> str:
    text = ",".join(f"{number:g}" for number in numbers)
    return text if len(numbers) == 1 else f"[{text}]"
