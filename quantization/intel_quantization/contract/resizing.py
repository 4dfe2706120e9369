"""How --resize is written: a rule, and for some a number behind a colon."""

from __future__ import annotations

import re
from typing import Optional, Tuple

RULES = "stretch, crop, crop:PIXELS, central_crop, central_crop:SHARE, pad or pad:VALUE"

_WRITTEN = re.compile(r"(stretch|crop|central_crop|pad)(?::([0-9]{1,5}(?:\.[0-9]{1,6})?|0?\.[0-9]{1,6}))?")


def parse_resizing(text: str) -> Tuple[str, Optional[float]]:
    """The rule and its number; None where none is given.

    Raises:
        ValueError: there is no such rule, or the number is none that it takes.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError("%r is no rule of resizing" % text)
    rule, number = match.group(1), match.group(2)
    if number is None:
        return rule, None
    value = float(number)
    if rule == "crop":
        fits = value >= 1 and value == int(value)
    elif rule == "central_crop":
        fits = 0 < value <= 1
    else:
        fits = rule == "pad" and value <= 255
    if not fits:
        raise ValueError("the number of %r does not fit" % text)
    return rule, value
