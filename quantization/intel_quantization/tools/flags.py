"""Values of command line flags, as the tools and examples share them."""

from __future__ import annotations

import argparse
from typing import Tuple

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0", "none", "")


def boolean(text: str) -> bool:
    """``--flag False`` means false, as it did not in intel-quantization 1.1.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError("expected true or false, not '%s'" % text)


def names(text: str) -> Tuple[str, ...]:
    """Names separated by commas; an empty text is none."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
