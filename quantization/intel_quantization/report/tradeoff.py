"""Points against milliseconds: what was tried, and what putting layers back to FP32 is estimated to bring."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

WIDTH, HEIGHT = 800, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 14.0, 14.0, 30.0
_TICKS = 4


def tradeoff(report: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """All configurations with their loss and time; None where there are not three to compare.

    Args:
        report: of which accuracy, latency, blame and tuning are read.

    Returns:
        ``dots``: x, y, name, points, ms, kind ("tried", "chosen", "fp32"), best (nothing is better in both);
        ``front``: the polyline through the best ones; ``estimate``: that of the estimate; ``x_ticks``, ``y_ticks``,
        width and height.
    """
    tried = _tried(report)
    estimate = _estimate(report)
    every = tried + estimate
    if len(every) < 3:
        return None
    low, high = _span([each["ms"] for each in every])
    least, most = _span([each["points"] for each in every])

    def placed(each: Mapping[str, Any]) -> Dict[str, Any]:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * (each["ms"] - low) / (high - low)
        y = _TOP + (HEIGHT - _TOP - _BOTTOM) * (most - each["points"]) / (most - least)
        return dict(each, x=round(x, 1), y=round(y, 1))

    dots = [placed(dict(each, best=_is_best(each, tried))) for each in tried]
    front = sorted((dot for dot in dots if dot["best"]), key=lambda dot: dot["x"])
    ticks = [number / _TICKS for number in range(_TICKS + 1)]
    return {
        "dots": dots,
        "front": _line(front),
        "estimate": _line([placed(each) for each in estimate]),
        "x_ticks": [placed({"ms": low + (high - low) * tick, "points": least}) for tick in ticks],
        "y_ticks": [placed({"ms": low, "points": least + (most - least) * tick}) for tick in ticks],
        "width": WIDTH,
        "height": HEIGHT,
    }


def _tried(report: Mapping[str, Any]) -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = []
    tuning, latency, points = report["tuning"], report["latency"], _points(report)
    if latency is not None and (points is not None or tuning is not None):
        found.append({"name": "FP32", "points": 0.0, "ms": latency["fp32_ms"], "kind": "fp32"})
    if tuning is None:
        if latency is not None and points is not None:
            found.append({"name": "INT8", "points": points, "ms": latency["int8_ms"], "kind": "chosen"})
        return found
    found.append(dict(_figures(tuning["before"]), name="INT8 as it was", kind="tried"))
    for number, step in enumerate(tuning["evaluations"], 1):
        if step["failed"]:
            continue
        name = f"{number}: {len(step['excluded_nodes'])} layers in FP32{', other ranges' * step['free_moves']}"
        chosen = tuning["met"] and step["excluded_nodes"] == tuning["excluded_nodes"]
        chosen = chosen and bool(tuning["ranges"]) <= step["free_moves"]
        found.append(dict(_figures(step), name=name, kind="chosen" if chosen else "tried"))
    return found


def _figures(outcome: Mapping[str, Any]) -> Dict[str, Any]:
    return {"points": outcome["points"], "ms": outcome["ms"]}


def _points(report: Mapping[str, Any]) -> Optional[float]:
    """Points of the first measure that were lost; of answers, those that are others."""
    accuracy = report["accuracy"]
    if accuracy is None:
        return None
    if accuracy["measures"]:
        return float(accuracy["measures"][0]["points"])
    return None if accuracy["agreement"] is None else 100.0 - float(accuracy["agreement"])


def _estimate(report: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The graph as it is, and then with one opportunity after the other taken."""
    blame, latency = report["blame"], report["latency"]
    opportunities: Sequence[Mapping[str, Any]] = blame["opportunities"] if blame is not None else ()
    if report["tuning"] is not None or latency is None or not opportunities or opportunities[0]["points"] is None:
        return []
    points, ms = _points(report) or 0.0, latency["int8_ms"]
    found = [{"points": points, "ms": ms}]
    back: set[str] = set()
    for each in opportunities:
        if each["given_back_ms"] is None or back & set(each["nodes"]):
            continue
        back.update(each["nodes"])
        points, ms = points - each["points"], ms + max(each["given_back_ms"], 0.0)
        found.append({"points": points, "ms": ms})
    return found


def _is_best(each: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    return not any(
        other["points"] <= each["points"]
        and other["ms"] <= each["ms"]
        and (other["points"], other["ms"]) != (each["points"], each["ms"])
        for other in others
    )


def _line(dots: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(f"{dot['x']},{dot['y']}" for dot in dots)


def _span(values: Sequence[float]) -> List[float]:
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
    return [low - margin, high + margin]
