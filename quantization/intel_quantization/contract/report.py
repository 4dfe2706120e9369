"""NAME.report.json."""

from __future__ import annotations

from .events import (
    ACCURACY,
    ALARM,
    CALIBRATION,
    LATENCY,
    OP,
    REASON,
    SIZE,
    SURROUNDINGS,
    SUSPECT,
    TUNING,
    VERDICT,
)
from .option import Option, options_of
from .options import JobOptions
from .shapes import Boolean, Integer, ListOf, Nullable, Number, Object, Sizes, Text
from .values import DIRECTORY, PATH

MOST = 1 << 20
"""A report is not cut."""

_TEXT = Text(MOST)
_NAMES = Object({"fp32": _TEXT, "int8": _TEXT})
_DIGESTS = Object({"fp32": Text(64), "int8": Text(64)})


def _is_told(option: Option) -> bool:
    """Whether a report repeats an option: the graphs are told apart, and of folders the user has other names."""
    return option.value not in (PATH, DIRECTORY) and option.name != "out_graph"


TOLD_OPTIONS = tuple(option for option in options_of(JobOptions) if _is_told(option))
"""The options that a report repeats."""

MOUNTED_FILES = tuple(option.name for option in TOLD_OPTIONS if option.place is not None)
"""Those of them that are paths: their names are the user's, the folders that they are in the workspace's."""

_TENSOR = Object({"name": _TEXT, "dtype": Text(32), "shape": Sizes()})
_OTHER = Object({"op": _TEXT, "reason": _TEXT, "count": Integer(), "nodes": ListOf(_TEXT, 20)})

_FIGURE = Nullable(Number())
_SUSPECT = Object(dict(SUSPECT.fields, nodes=ListOf(_TEXT, MOST), excluded_nodes=_TEXT))
_LAYER = Object(
    {
        "node": _TEXT,
        "local_db": Number(),
        "accumulated_db": Number(),
        "cause": Text(32),
        "detail": _TEXT,
        "share": Number(),
        "fp32_ms": _FIGURE,
        "int8_ms": _FIGURE,
    }
)
_OP_TIME = Object({"op": _TEXT, "fp32_ms": Number(), "int8_ms": Number(), "left_ms": Number()})
_TIME = Object(
    {
        "ops": ListOf(_OP_TIME, MOST),
        "fp32_ms": Number(),
        "int8_ms": Number(),
        "left_ms": Number(),
        "limit": _FIGURE,
    }
)
_SAMPLE = Object(
    {
        "name": _TEXT,
        "noise": Number(),
        "other": Boolean(),
        "fp32": _TEXT,
        "int8": _TEXT,
        "label": Nullable(Number()),
    }
)
_RANGE = Object(
    {
        "tensor": _TEXT,
        "readers": ListOf(_TEXT, MOST),
        "minimum": Number(),
        "maximum": Number(),
        "low": Number(),
        "high": Number(),
        "by_channel": Boolean(),
        "unsigned": Boolean(),
        "counts": ListOf(Integer(), MOST),
    }
)
_BOX = Object(
    {
        "node": _TEXT,
        "op": _TEXT,
        "more": Integer(),
        "precision": Text(8),
        "local_db": _FIGURE,
        "accumulated_db": _FIGURE,
        "fp32_ms": _FIGURE,
        "int8_ms": _FIGURE,
        "x": Number(),
        "y": Integer(),
    }
)
_EDGE = Object({"from": Integer(), "to": Integer(), "passes": ListOf(Number(), MOST)})
_GRAPH = Object({"boxes": ListOf(_BOX, MOST), "edges": ListOf(_EDGE, MOST)})
_OUTCOME = {"points": _FIGURE, "low": _FIGURE, "high": _FIGURE, "ms": _FIGURE, "failed": _TEXT}
_EVALUATION = Object(dict(_OUTCOME, excluded_nodes=ListOf(_TEXT, MOST), free_moves=Boolean()))
_TUNING = Object(
    dict(
        TUNING.fields,
        goal=Number(),
        metric=_TEXT,
        before=Object(_OUTCOME),
        excluded_nodes=ListOf(_TEXT, MOST),
        ranges=ListOf(Object({"tensor": _TEXT, "low": Number(), "high": Number()}), MOST),
        evaluations=ListOf(_EVALUATION, MOST),
    )
)
_BLAME = Object(
    {
        "samples": Integer(),
        "layers": ListOf(_LAYER, MOST),
        "suspects": ListOf(_SUSPECT, MOST),
        "opportunities": ListOf(_SUSPECT, MOST),
        "time": Nullable(_TIME),
    }
)

REPORT = Object(
    {
        "headline": _TEXT,
        "verdict": Nullable(VERDICT),
        "alarms": ListOf(ALARM, MOST),
        "schema": Integer(),
        "created": _TEXT,
        "graphs": _NAMES,
        "size": SIZE,
        "inputs": ListOf(_TENSOR, MOST),
        "outputs": ListOf(_TENSOR, MOST),
        "ops": ListOf(OP, MOST),
        "reasons": ListOf(REASON, MOST),
        "others": ListOf(_OTHER, MOST),
        "accuracy": Nullable(ACCURACY),
        "blame": Nullable(_BLAME),
        "tuning": Nullable(_TUNING),
        "samples": ListOf(_SAMPLE, MOST),
        "tensors": ListOf(_RANGE, MOST),
        "graph": Nullable(_GRAPH),
        "latency": Nullable(LATENCY),
        "not_measured": _TEXT,
        "calibration": Object(dict(CALIBRATION.fields, batch_size=Nullable(Integer()), seed=Nullable(Integer()))),
        "provenance": Object(
            dict(SURROUNDINGS, made_for=ListOf(_TEXT, MOST), numpy=_TEXT, platform=_TEXT, sha256=_DIGESTS)
        ),
    }
)
"""All of a report but for the options, whose types are those of the job."""
