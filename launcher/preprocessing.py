"""Options of preprocessing: how their values are read, and which go together."""

from __future__ import annotations

import argparse
import math
import re

from launch_quantization.errors import UsageError

PREPROCESSING = ("tf", "caffe", "torch", "vgg", "unit", "none")
CHANNEL_ORDERS = ("rgb", "bgr")
NUMBERS = ("scale", "mean", "std")
_CHANNELS = (1, 3)
_RULES = "stretch, crop, crop:PIXELS, central_crop, central_crop:SHARE, pad or pad:VALUE"


def numbers(text: str) -> tuple[float, ...]:
    """Read one or three numbers, separated by commas; 1/255 is one, too."""
    found = tuple(_number(part.strip(), text) for part in text.split(","))
    if len(found) not in _CHANNELS:
        raise argparse.ArgumentTypeError(f"{text!r} has {len(found)} numbers: give one, or one for each of 3 channels")
    return found


def _number(part: str, text: str) -> float:
    over, slash, under = part.partition("/")
    try:
        value = float(over) / (float(under) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number such as 127.5 or 1/255, or three such with commas")
    return value


def resizing(text: str) -> str:
    """Read a rule of resizing, with or without a number; see ``intel_quantization.resizing``."""
    match = re.fullmatch(r"(stretch|crop|central_crop|pad)(?::([0-9]{1,5}(?:\.[0-9]{1,6})?|0?\.[0-9]{1,6}))?", text)
    if match is None or not _fits(match[1], match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {_RULES}")
    return text


def _fits(rule: str, number: str | None) -> bool:
    if number is None:
        return True
    value = float(number)
    if rule == "crop":
        return value >= 1 and value == int(value)
    return 0 < value <= 1 if rule == "central_crop" else rule == "pad" and value <= 255


def check_preprocessing(options: argparse.Namespace) -> None:
    """Check that the options say one thing.

    Raises:
        UsageError: they contradict each other, or ask for a division by 0.
    """
    given = [name for name in NUMBERS if getattr(options, name) is not None]
    if given and options.preprocess is not None:
        raise UsageError(
            f"--{given[0]} and --preprocess {options.preprocess} exclude each other: each says what becomes of pixels",
            "drop one of them; --mean, --std and --scale go together",
        )
    for name in ("scale", "std"):
        if 0.0 in (getattr(options, name) or ()):
            raise UsageError(
                f"--{name} is 0, which leaves nothing of the image", "inputs are (pixels * scale - mean) / std"
            )
    if options.preprocess == "caffe" and options.channel_order == "rgb":
        raise UsageError(
            "--preprocess caffe is bgr, and --channel_order says rgb",
            "--preprocess vgg is caffe in the order rgb; or drop --channel_order",
        )
