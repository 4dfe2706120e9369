"""What the launcher's unit tests share: options as parsed, and what a well-behaved job leaves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from launch_quantization.commands.options import run_options
from launch_quantization.contract.options import RunOptions
from launch_quantization.stream.events import Event


def options(*argv: object) -> RunOptions[str]:
    """The options of a plain call."""
    return run_options([str(word) for word in argv])


def leave_output(folder: Path, stem: str = "out", files: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Write what a job leaves, with a manifest that fits; returns the files by name."""
    given = files if files is not None else {f"{stem}.pb": graph(), f"{stem}.report.html": b"<html>"}
    if f"{stem}.pb" in given:
        given = {f"{stem}.report.json": report(given[f"{stem}.pb"]), **given}
    folder.mkdir(exist_ok=True)
    for name, content in given.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    write_manifest(folder, stem, [entry(name, content) for name, content in given.items()])
    return given


def graph(name: str = "graph") -> bytes:
    """A GraphDef of one Const of this name."""
    node = message(1, name.encode()) + message(2, b"Const") + message(5, message(1, b"dtype") + message(2, b"\x30\x01"))
    return message(1, node) + message(4, b"\x08\x87\x01")


def message(field: int, content: bytes) -> bytes:
    """A field of bytes, as protobuf writes it."""
    assert len(content) < 128
    return bytes([field << 3 | 2, len(content)]) + content


def report(content: bytes) -> bytes:
    """A report about a graph, as far as the launcher reads it."""
    return json.dumps({"provenance": {"sha256": {"int8": hashlib.sha256(content).hexdigest()}}}).encode()


def entry(name: str, content: bytes) -> dict[str, object]:
    """One line of a manifest."""
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def write_manifest(folder: Path, stem: str, files: list[object]) -> None:
    """Write a manifest, honest or not."""
    (folder / f"{stem}.manifest.json").write_text(json.dumps({"schema": 1, "files": files}))


ALARM = {
    "severity": "alarm",
    "output": "ArgMax:0",
    "what": "INT8 gives FP32's class to only 12.0 % of pixels",
    "measured": 12.0,
    "threshold": 75.0,
    "unit": "%",
    "try": "--algo DIRECT",
}
"""One of a result."""

VERDICT = {
    "word": "broken",
    "max_drop": 0.5,
    "text": "--max_drop 0.5 is broken: INT8 loses 2.00 points of top-1",
    "metric": "top-1",
    "needed": None,
}
"""One of a result."""

RESULT = {
    "verdict": None,
    "alarms": [],
    "ops": [{"op": "Conv2D", "total": 53, "int8": 52, "fp32": 1}],
    "reasons": [{"node": "conv1", "op": "Conv2D", "reason": "excluded by name"}],
    "tuning": {"text": "--tune: 1 layers back in FP32", "met": True, "excluded_nodes": ["conv1"]},
    "blame": [
        {
            "nodes": ["conv1", "conv2"],
            "op": "Conv2D",
            "cause": "clipped",
            "detail": "3 % of the values of relu1 lie outside of its range",
            "try": "--algo DIRECT",
            "share": 0.4,
            "points": 0.1,
            "local_db": 12.5,
            "accumulated_db": 9.0,
            "fp32_ms": 2.0,
            "int8_ms": 1.3,
            "given_back_ms": 0.7,
        }
    ],
    "accuracy": {
        "images": 500,
        "unit": "images",
        "labelled": True,
        "top1_fp32": 82.6,
        "top1_int8": 82.4,
        "agreement": 97.0,
        "sqnr_db": 24.5,
        "drop": {"points": 0.2, "low": -0.6, "high": 1.0},
        "measures": [
            {
                "metric": "top-1",
                "fp32": 82.6,
                "int8": 82.4,
                "points": 0.2,
                "low": -0.6,
                "high": 1.0,
                "samples": 500,
                "method": "score interval",
            }
        ],
        "outputs": [
            {
                "outputs": ["softmax:0"],
                "kind": "scores",
                "samples": 500,
                "verdict": "fine",
                "text": "same answer 97.00 %, SQNR 24.5 dB",
                "figures": {"agreement": 97.0, "sqnr_db": 24.5},
            }
        ],
    },
    "latency": {"batch": 1, "fp32_ms": 41.2, "int8_ms": 17.9, "speedup": 2.3, "runs": 100},
    "size": {"fp32": 102_500_000, "int8": 25_900_000},
    "calibration": {
        "samples": 100,
        "unit": "images",
        "function": None,
        "algorithm": "MSE",
        "preprocess": "vgg",
        "preprocess_chosen": True,
        "command": None,
        "statistics": None,
        "made_up": None,
    },
    "outputs": ["out.pb"],
}
"""Data of a result event."""


def line(event: str, /, **data: object) -> bytes:
    """A line of the event stream as the inside writes it."""
    return json.dumps({"event": event, "time": 1.5, **data}).encode()


def result_event() -> Event:
    """A result as the launcher reads it."""
    return Event("result", RESULT)
