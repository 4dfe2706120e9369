"""A tensor's histogram, with the range that was chosen for it, as shapes of an SVG picture."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence, Tuple

WIDTH, HEIGHT = 240, 70
_BASE = HEIGHT - 12.0
_MOST_FACTOR = 4.0  # a range wider than so many times what was seen leads out of the picture


def range_chart(tensor: Mapping[str, Any]) -> Dict[str, Any]:
    """Where things are: ``path`` of the histogram, of which heights are logarithms, and ``low`` and ``high`` lines.

    Args:
        tensor: as ``report.ranges.tensor_ranges`` has it.

    Returns:
        path, low, high, zero (x; None where it is outside), width, height, and base, the y of nothing.
    """
    low, high = _frame(tensor)

    def place(value: float) -> float:
        return round(WIDTH * (value - low) / (high - low), 1)

    counts: Sequence[int] = tensor["counts"]
    largest = math.log1p(max(counts, default=0)) or 1.0
    steps: List[str] = []
    span = tensor["maximum"] - tensor["minimum"]
    for number, count in enumerate(counts):
        ends = [tensor["minimum"] + span * (number + side) / len(counts) for side in (0, 1)]
        height = round(_BASE - (_BASE - 4) * math.log1p(count) / largest, 1)
        steps += [f"{place(end)} {height}" for end in ends]
    path = f"M{place(tensor['minimum'])} {_BASE}L{'L'.join(steps)}L{place(tensor['maximum'])} {_BASE}Z" if steps else ""
    return {
        "path": path,
        "low": place(tensor["low"]) if low <= tensor["low"] else None,
        "high": place(tensor["high"]) if tensor["high"] <= high else None,
        "zero": place(0.0) if low < 0.0 < high else None,
        "width": WIDTH,
        "height": HEIGHT,
        "base": _BASE,
    }


def _frame(tensor: Mapping[str, Any]) -> Tuple[float, float]:
    """What is seen: the values and the range, unless that is far wider."""
    minimum, maximum = tensor["minimum"], tensor["maximum"]
    reach = _MOST_FACTOR * max(abs(minimum), abs(maximum), 1e-30)
    low, high = min(minimum, max(tensor["low"], -reach)), max(maximum, min(tensor["high"], reach))
    margin = 0.03 * (high - low) or 1.0
    return low - margin, high + margin
