"""The error along the graph as lines of an SVG picture."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

WIDTH, HEIGHT = 800, 220
_MARGIN = 34
_LEAST_SPAN = 10.0  # dB
_TICKS = 10.0


def error_chart(layers: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """Where things are in the picture: ``lines`` of points by name, ``ticks`` with their height, and ``dots``.

    Args:
        layers: as Blame.as_dict has them, in the order of the data.
    """
    values = [each[key] for each in layers for key in ("local_db", "accumulated_db")]
    top = max(values, default=0.0)
    low = min(min(values, default=0.0), top - _LEAST_SPAN)
    low, top = _TICKS * (low // _TICKS), _TICKS * -(-top // _TICKS)
    step = (WIDTH - 2 * _MARGIN) / max(len(layers) - 1, 1)

    def height(decibels: float) -> float:
        return round(_MARGIN / 2 + (HEIGHT - _MARGIN) * (top - decibels) / (top - low), 1)

    def points(key: str) -> List[Dict[str, Any]]:
        return [
            {"x": round(_MARGIN + number * step, 1), "y": height(each[key]), "node": each["node"], "db": each[key]}
            for number, each in enumerate(layers)
        ]

    dots = {key: points(f"{key}_db") for key in ("local", "accumulated")}
    ticks = [low + _TICKS * number for number in range(int((top - low) / _TICKS) + 1)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "lines": {key: " ".join(f"{dot['x']},{dot['y']}" for dot in found) for key, found in dots.items()},
        "dots": dots,
        "ticks": [{"y": height(tick), "text": f"{tick:g}"} for tick in ticks],
    }
