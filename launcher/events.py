"""The event stream from inside, read as what it is: foreign input.

A line is an event only when it is a JSON object of a known shape; anything else is a log line.
Unknown fields are dropped, strings are made safe to show, lists and numbers are bounded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_quantization.sanitize import safe_text

LINE_LIMIT = 65536
"""Bytes of an event line; a longer one cannot be an event."""

Clean = Callable[[Any], Any]
"""Returns the cleaned value, or raises ValueError where the shape is wrong."""


@dataclass(frozen=True)
class Event:
    """One event, checked.

    Attributes:
        name: one of the keys of ``SHAPES``.
        data: its fields, each of the type its shape says; a field that may be absent is None then.
        time: unix seconds as the sender gave them; 0.0 where it gave none.
    """

    name: str
    data: Mapping[str, Any]
    time: float = 0.0

    def as_json(self) -> str:
        """One line of ASCII JSON."""
        return json.dumps({"event": self.name, "time": self.time, **self.data}, allow_nan=False)


def parse(line: bytes) -> Event | None:
    """Read one line of the inside's stdout.

    Args:
        line: without its newline.

    Returns:
        The event, or None where the line is none.
    """
    if len(line) > LINE_LIMIT or not line.startswith(b"{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # bad JSON, bad UTF-8, a number of 5000 digits; nesting
        return None
    if not isinstance(value, dict):
        return None
    name = value.get("event")
    shape = SHAPES.get(name) if isinstance(name, str) else None
    if shape is None:
        return None
    try:
        time = _optional(_number)(value.get("time"))
        return Event(str(name), {key: clean(value.get(key)) for key, clean in shape.items()}, time or 0.0)
    except ValueError:
        return None


def _text(limit: int) -> Clean:
    def clean(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        return safe_text(value, limit)

    return clean


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise ValueError
    return value


def _number(value: Any) -> float | None:
    """A float; what JSON cannot hold (the ratio of a perfect match is infinite) becomes None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _optional(clean: Clean) -> Clean:
    return lambda value: None if value is None else clean(value)


def _list(clean: Clean, limit: int) -> Clean:
    def clean_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError
        return [clean(item) for item in value[:limit]]

    return clean_list


def _object(shape: Mapping[str, Clean]) -> Clean:
    def clean_object(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError
        return {key: clean(value.get(key)) for key, clean in shape.items()}

    return clean_object


def _numbers(limit: int) -> Clean:
    """An object of numbers by names that are not known beforehand."""
    name = _text(64)

    def clean(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError
        return {name(key): _optional(_number)(item) for key, item in list(value.items())[:limit]}

    return clean


_OPTIONAL_NUMBER = _optional(_number)
_OP = _object({"op": _text(100), "total": _integer, "int8": _integer, "fp32": _integer})
_REASON = _object({"node": _text(300), "op": _text(100), "reason": _text(300)})
_ALARM = _object(
    {
        "severity": _text(16),
        "output": _text(600),
        "what": _text(600),
        "measured": _OPTIONAL_NUMBER,
        "threshold": _OPTIONAL_NUMBER,
        "unit": _text(16),
        "try": _text(1000),
    }
)
_DROP = _object({"points": _OPTIONAL_NUMBER, "low": _OPTIONAL_NUMBER, "high": _OPTIONAL_NUMBER})
_OUTPUT = _object(
    {
        "outputs": _list(_text(300), 8),
        "kind": _text(32),
        "samples": _integer,
        "verdict": _text(16),
        "text": _text(600),
        "figures": _numbers(16),
    }
)
_ACCURACY = _object(
    {
        "images": _integer,
        "unit": _optional(_text(32)),  # what they are called; images of before say nothing
        "labelled": _boolean,
        "top1_fp32": _OPTIONAL_NUMBER,
        "top1_int8": _OPTIONAL_NUMBER,
        "agreement": _OPTIONAL_NUMBER,
        "sqnr_db": _OPTIONAL_NUMBER,
        "drop": _optional(_DROP),
        "outputs": _optional(_list(_OUTPUT, 100)),
    }
)
_LATENCY = _object(
    {
        "batch": _integer,
        "fp32_ms": _OPTIONAL_NUMBER,
        "int8_ms": _OPTIONAL_NUMBER,
        "speedup": _OPTIONAL_NUMBER,
        "runs": _integer,
    }
)
_CALIBRATION = _object(
    {
        "samples": _integer,
        "unit": _optional(_text(32)),
        "function": _optional(_text(300)),
        "algorithm": _text(32),
        "preprocess": _optional(_text(300)),
        "preprocess_chosen": _optional(_boolean),
        "command": _optional(_text(2000)),
        "statistics": _optional(_text(300)),
    }
)

SHAPES: Mapping[str, Mapping[str, Clean]] = {
    "start": {
        "version": _text(64),
        "tensorflow": _text(64),
        "python": _text(64),
        "cpu": _list(_text(32), 64),
        "onednn": _boolean,
        "threads": _optional(_integer),
    },
    "stage": {"name": _text(32), "index": _integer, "total": _integer},
    "progress": {"stage": _text(32), "done": _integer, "total": _optional(_integer), "unit": _text(32)},
    "log": {"level": _text(16), "message": _text(4000)},
    "result": {
        "alarms": _optional(_list(_ALARM, 50)),  # images of before have none
        "ops": _list(_OP, 100),
        "reasons": _list(_REASON, 200),
        "accuracy": _optional(_ACCURACY),
        "latency": _optional(_LATENCY),
        "size": _object({"fp32": _integer, "int8": _integer}),
        "calibration": _optional(_CALIBRATION),
        "outputs": _list(_text(300), 100),
    },
    "error": {"kind": _text(32), "message": _text(2000), "remedy": _optional(_text(2000))},
    "end": {"exit_code": _integer},
}
"""Name of each event, and how each of its fields is cleaned."""
