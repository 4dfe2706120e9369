"""What the names in a graph suggest about the preprocessing; weak, for ties only."""

from __future__ import annotations

import re
from typing import Iterable, Optional, Tuple

_HINTS: Tuple[Tuple[str, str], ...] = (
    # TF-slim: all Inceptions, MobileNets, NASNets and ResNets v2 take -1..1, VGG and ResNets v1 minus the mean
    (r"(^|/)(Mobilenet|Inception|Squeezenet)(V\d|Resnet)?[^/]*/|(^|/)(resnet_v2|nasnet|pnasnet|Xception)", "tf"),
    (r"(^|/)(resnet_v1_\d+|vgg_\d+|vgg_a)/", "vgg"),
    (r"(^|/)efficientnet-lite", "tf"),
)
_CUT = re.compile(r"(?:^|/)(sub|truediv|div|mul)(?:_\d+)?$", re.IGNORECASE)
_NOT_BEHIND = {"sub": ("unit", "torch", "none"), "": ("vgg", "caffe", "none")}
"""Modes that do not end with such an operation; the second for products and divisions."""


def hinted_mode(names: Iterable[str]) -> Optional[str]:
    """The mode that is usual where nodes have such names; None where names say nothing, or several things."""
    patterns = [(re.compile(pattern), mode) for pattern, mode in _HINTS]
    found = {mode for name in names for pattern, mode in patterns if pattern.search(name)}
    return found.pop() if len(found) == 1 else None


def modes_not_behind(name: str) -> Tuple[str, ...]:
    """Modes that an input's name speaks against, as it is that of the op where the graph was cut: ``sub_7``."""
    found = _CUT.search(name)
    return () if found is None else _NOT_BEHIND["sub" if found[1].lower() == "sub" else ""]
