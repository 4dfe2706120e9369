"""How a picture comes to the size of a network's input: the rules of the well-known pipelines.

====================  ==========================================================================================
``stretch``           the whole picture, its sides scaled each by itself (the default)
``crop[:N]``          the shorter side to N pixels, then the centre; N is 8/7 of the input's, as 256 for 224
                      (torchvision, Keras' and Caffe's ResNets)
``central_crop[:F]``  the central F (0.875) of height and width, then stretched (TF-slim, Inception)
``pad[:V]``           the whole picture within the input, its shape kept, in the middle of a border of value V (0)
                      (MediaPipe; YOLO: 114)
====================  ==========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.contract import resizing as contract
from intel_quantization.errors import BadInputError

Size = Tuple[int, int]
Resize = Callable[[np.ndarray, Size], np.ndarray]

_DEFAULTS = {"stretch": None, "crop": None, "central_crop": 0.875, "pad": 0.0}
_MARGIN = 8 / 7  # 256 for 224, 342 for 299


@dataclass(frozen=True)
class Resizing:
    """A rule and its number; None: what depends on the size of the input."""

    rule: str
    number: Optional[float] = None

    def __str__(self) -> str:
        """As --resize takes it."""
        is_default = self.number == _DEFAULTS[self.rule]
        return self.rule if is_default or self.number is None else f"{self.rule}:{self.number:g}"


STRETCH = Resizing("stretch")


def parse_resizing(text: str) -> Resizing:
    """The rule that ``text`` names, such as ``crop``, ``crop:256``, ``central_crop:0.875`` or ``pad:114``.

    Raises:
        BadInputError: there is no such rule, or the number is none that it takes.
    """
    try:
        rule, number = contract.parse_resizing(text)
    except ValueError as error:
        raise BadInputError(str(error), "give " + contract.RULES) from None
    return Resizing(rule, _DEFAULTS[rule] if number is None else number)


def to_size(pixels: np.ndarray, size: Size, resizing: Resizing, resize: Resize) -> np.ndarray:
    """``pixels`` [height, width, channels] at ``size``, by a rule.

    Args:
        pixels: float32, 0..255.
        size: height and width.
        resizing: the rule.
        resize: gives pixels at a size, each side scaled by itself; not asked for the size that they have.

    Raises:
        BadInputError: ``crop:N`` with an N smaller than the input.
    """

    def scaled(values: np.ndarray, wanted: Size) -> np.ndarray:
        return values if values.shape[:2] == tuple(wanted) else resize(values, wanted)

    if resizing.rule == "crop":
        return _cut_centre(scaled(pixels, _cover(pixels.shape, size, resizing.number)), size)
    if resizing.rule == "central_crop":
        share = _DEFAULTS["central_crop"] if resizing.number is None else resizing.number
        inner = tuple(max(1, round(side * share)) for side in pixels.shape[:2])
        return scaled(_cut_centre(pixels, inner), size)
    if resizing.rule == "pad":
        factor = min(size[0] / pixels.shape[0], size[1] / pixels.shape[1])
        inner = tuple(min(most, max(1, round(side * factor))) for side, most in zip(pixels.shape[:2], size))
        result = np.full((*size, pixels.shape[2]), resizing.number or 0.0, np.float32)
        top, left = ((outer - side) // 2 for outer, side in zip(size, inner))
        result[top : top + inner[0], left : left + inner[1]] = scaled(pixels, inner)
        return result
    return scaled(pixels, size)


def _cover(shape: Sequence[int], size: Size, shorter: Optional[float]) -> Size:
    """The size of a picture whose shorter side has a margin around the input; both sides cover the input."""
    margin = _MARGIN if shorter is None else shorter / min(size)
    if margin < 1:
        raise BadInputError(
            f"--resize crop:{shorter:g} is less than the input, which is {size[0]}x{size[1]}",
            "give a number of pixels that is not smaller, or crop alone",
        )
    factor = max(size[0] * margin / shape[0], size[1] * margin / shape[1])
    return max(size[0], round(shape[0] * factor)), max(size[1], round(shape[1] * factor))


def _cut_centre(pixels: np.ndarray, size: Size) -> np.ndarray:
    top, left = ((outer - inner) // 2 for outer, inner in zip(pixels.shape[:2], size))
    return pixels[top : top + size[0], left : left + size[1]]
