"""The event stream from inside, read as what it is: foreign input.

A line is an event only when it is a JSON object of a known shape; anything else is a log line.
Unknown fields are dropped, strings are made safe to show, lists and numbers are bounded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launch_quantization.contract import shapes
from launch_quantization.contract.events import EVENTS, LINE_LIMIT
from launch_quantization.stream.sanitize import safe_text


@dataclass(frozen=True)
class Event:
    """One event, checked.

    Attributes:
        name: one of the keys of ``launch_quantization.contract.events.EVENTS``.
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
    shape = EVENTS.get(name) if isinstance(name, str) else None
    if shape is None:
        return None
    try:
        time = None if value.get("time") is None else _read_number(value["time"])
        return Event(str(name), clean(shape, value), time or 0.0)
    except ValueError:
        return None


def clean(shape: object, value: Any) -> Any:
    """What is left of a foreign value: of the shape, safe to show and bounded.

    Raises:
        ValueError: it has another shape.
    """
    if isinstance(shape, shapes.Nullable):
        return None if value is None else clean(shape.of, value)
    if isinstance(shape, shapes.Text):
        return safe_text(_require(value, str), shape.limit)
    if isinstance(shape, shapes.Boolean):
        return _require(value, bool)
    if isinstance(shape, shapes.Integer):
        return _read_integer(value)
    if isinstance(shape, shapes.Number):
        return _read_number(value)
    if isinstance(shape, shapes.ListOf):
        return [clean(shape.of, item) for item in _require(value, list)[: shape.limit]]
    if isinstance(shape, shapes.Numbers):
        return _read_numbers(_require(value, dict), shape.limit)
    assert isinstance(shape, shapes.Object)
    found = _require(value, dict)
    return {key: clean(item, found.get(key)) for key, item in shape.fields.items()}


def _require(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError
    return value


def _read_integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise ValueError
    return value


def _read_number(value: Any) -> float | None:
    """A float; what JSON cannot hold (the ratio of a perfect match is infinite) becomes None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _read_numbers(value: dict[Any, Any], limit: int) -> dict[str, float | None]:
    return {
        safe_text(_require(key, str), 64): None if item is None else _read_number(item)
        for key, item in list(value.items())[:limit]
    }
