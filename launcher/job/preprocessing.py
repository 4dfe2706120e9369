"""Options of preprocessing: which go together."""

from __future__ import annotations

from launch_quantization.contract.options import RunOptions
from launch_quantization.errors import UsageError

_NUMBERS = ("scale", "mean", "std")


def check_preprocessing(options: RunOptions[str]) -> None:
    """Check that the options say one thing.

    Raises:
        UsageError: they contradict each other, or ask for a division by 0.
    """
    given = [name for name in _NUMBERS if getattr(options, name) is not None]
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
