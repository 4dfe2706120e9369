"""What a report says in one sentence."""

from __future__ import annotations

from typing import Any, Dict, Optional


def headline(
    accuracy: Optional[Dict[str, Any]], latency: Optional[Dict[str, Any]], verdict: Optional[Dict[str, Any]]
) -> str:
    """The verdict, or what is known without one, and how fast INT8 is.

    Args:
        accuracy, latency, verdict: as the report has them.
    """
    said = verdict["text"] if verdict is not None else _accuracy(accuracy)
    return f"{said}; {_speed(latency)}." if latency else f"{said}."


def _accuracy(accuracy: Optional[Dict[str, Any]]) -> str:
    if accuracy is None:
        return "INT8 was not compared with FP32"
    unit, count = accuracy["unit"], accuracy["images"]
    if accuracy["measures"]:
        first = accuracy["measures"][0]
        verb = "loses" if first["points"] >= 0 else "gains"
        return (
            f"INT8 {verb} {abs(first['points']):.2f} points of {first['metric']} ({first['fp32']:.2f} -> "
            f"{first['int8']:.2f}, 95 % interval of the loss {first['low']:+.2f} to {first['high']:+.2f}) "
            f"on {first['samples']} {unit}"
        )
    if accuracy["agreement"] is not None:
        return f"INT8 gives FP32's answer for {accuracy['agreement']:.2f} % of {count} {unit}"
    if accuracy["outputs"]:
        first = accuracy["outputs"][0]
        return f"INT8 against FP32 on {count} {unit}: {', '.join(first['outputs'])}: {first['text']}"
    return f"nothing tells INT8 from FP32 on {count} {unit}"


def _speed(latency: Dict[str, Any]) -> str:
    word = "as fast" if latency["speedup"] >= 1 else "as fast, which is slower"
    return (
        f"{latency['speedup']:.2f} times {word} ({latency['fp32_ms']:.2f} -> {latency['int8_ms']:.2f} ms, "
        f"batch {latency['batch']})"
    )
