"""The events that a job writes, one JSON object a line: name of each, and its fields."""

from __future__ import annotations

from typing import Dict

from .shapes import Boolean, Integer, ListOf, Nullable, Number, Numbers, Object, Text

LINE_LIMIT = 64 * 1024
"""Bytes of an event line, newline included; a longer one is no event."""

_FIGURE = Nullable(Number())

OP = Object({"op": Text(100), "total": Integer(), "int8": Integer(), "fp32": Integer()})
REASON = Object({"node": Text(300), "op": Text(100), "reason": Text(300)})
ALARM = Object(
    {
        "severity": Text(16),
        "output": Text(600),
        "what": Text(600),
        "measured": _FIGURE,
        "threshold": _FIGURE,
        "unit": Text(16),
        "try": Text(1000),
    }
)
DROP = Object({"points": _FIGURE, "low": _FIGURE, "high": _FIGURE})
VERDICT = Object(
    {
        "word": Text(16),
        "max_drop": Number(),
        "text": Text(600),
        "metric": Text(300),
        "needed": Nullable(Integer()),
    }
)
MEASURE = Object(
    {
        "metric": Text(300),
        "fp32": _FIGURE,
        "int8": _FIGURE,
        "points": _FIGURE,
        "low": _FIGURE,
        "high": _FIGURE,
        "samples": Integer(),
        "method": Text(200),
    }
)
SUSPECT = Object(
    {
        "nodes": ListOf(Text(300), 50),
        "op": Text(100),
        "cause": Text(32),
        "detail": Text(600),
        "try": Text(300),
        "share": _FIGURE,
        "points": _FIGURE,
        "local_db": _FIGURE,
        "accumulated_db": _FIGURE,
        "fp32_ms": _FIGURE,
        "int8_ms": _FIGURE,
        "given_back_ms": _FIGURE,
    }
)
TUNING = Object({"text": Text(600), "met": Boolean(), "excluded_nodes": ListOf(Text(300), 500)})
OUTPUT = Object(
    {
        "outputs": ListOf(Text(300), 8),
        "kind": Text(32),
        "samples": Integer(),
        "verdict": Text(16),
        "text": Text(600),
        "figures": Numbers(16),
    }
)
ACCURACY = Object(
    {
        "images": Integer(),
        "unit": Nullable(Text(32)),  # what they are called; images of before say nothing
        "labelled": Boolean(),
        "top1_fp32": _FIGURE,
        "top1_int8": _FIGURE,
        "agreement": _FIGURE,
        "sqnr_db": _FIGURE,
        "drop": Nullable(DROP),
        "measures": Nullable(ListOf(MEASURE, 8)),
        "outputs": Nullable(ListOf(OUTPUT, 100)),
    }
)
LATENCY = Object({"batch": Integer(), "fp32_ms": _FIGURE, "int8_ms": _FIGURE, "speedup": _FIGURE, "runs": Integer()})
CALIBRATION = Object(
    {
        "samples": Integer(),
        "unit": Nullable(Text(32)),
        "function": Nullable(Text(300)),
        "algorithm": Text(32),
        "preprocess": Nullable(Text(300)),
        "preprocess_chosen": Nullable(Boolean()),
        "command": Nullable(Text(2000)),
        "statistics": Nullable(Text(300)),
        "made_up": Nullable(Text(600)),
    }
)
SIZE = Object({"fp32": Integer(), "int8": Integer()})
SURROUNDINGS = {
    "version": Text(64),
    "tensorflow": Text(64),
    "python": Text(64),
    "cpu": ListOf(Text(32), 64),
    "onednn": Boolean(),
    "threads": Nullable(Integer()),
}

EVENTS: Dict[str, Object] = {
    "start": Object(SURROUNDINGS),
    "stage": Object({"name": Text(32), "index": Integer(), "total": Integer()}),
    "progress": Object(
        {"stage": Text(32), "done": Integer(), "total": Nullable(Integer()), "unit": Text(32)},
    ),
    "log": Object({"level": Text(16), "message": Text(4000)}),
    "result": Object(
        {
            "verdict": Nullable(VERDICT),
            "alarms": Nullable(ListOf(ALARM, 50)),  # images of before have none
            "ops": ListOf(OP, 100),
            "reasons": ListOf(REASON, 200),
            "blame": Nullable(ListOf(SUSPECT, 20)),  # the best opportunities first
            "tuning": Nullable(TUNING),
            "accuracy": Nullable(ACCURACY),
            "latency": Nullable(LATENCY),
            "size": SIZE,
            "calibration": Nullable(CALIBRATION),
            "outputs": ListOf(Text(300), 100),
        }
    ),
    "looked": Object(
        {
            "task": Text(32),
            "graphs": ListOf(Text(300), 2),
            "verdict": Nullable(VERDICT),
            "lines": ListOf(Text(600), 400),
            "accuracy": Nullable(ACCURACY),
        }
    ),
    "error": Object({"kind": Text(32), "message": Text(2000), "remedy": Nullable(Text(2000))}),
    "end": Object({"exit_code": Integer()}),
}
"""Name of each event -> its fields, besides ``event``, its name, and ``time``, in unix seconds."""
