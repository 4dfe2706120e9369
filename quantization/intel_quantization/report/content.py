"""What a report says, as JSON-ready data."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from dataclasses import dataclass, field
from typing import Any, Sequence

import numpy as np

from intel_quantization.contract.outputs import REPORT_SCHEMA, SAVED_MODEL_FILE
from intel_quantization.contract.report import MOUNTED_FILES, TOLD_OPTIONS
from intel_quantization.conversion import Conversion
from intel_quantization.graph.io import graph_size
from intel_quantization.job import Job
from intel_quantization.publish import sha256
from intel_quantization.quantize.decision import Decision
from intel_quantization.reading.interface import TensorInfo
from intel_quantization.report.headline import headline
from intel_quantization.report.picture import graph_picture
from intel_quantization.report.ranges import tensor_ranges

_MOST_NODES = 20


@dataclass(frozen=True)
class Parts:
    """What a report is made of beside the conversion.

    Attributes:
        in_graph: the path of the one graph.
        int8_graph: of the file that holds the other, which may be that in a SavedModel.
        accuracy: evaluate.Accuracy as a dict, or None.
        alarms: as comparison.alarms.alarms_of gives them.
        latency: benchmark.Latency as a dict, or None.
        not_measured: why the INT8 graph could not be run here; empty where it could.
        calibration: ``samples``, ``algorithm``; and ``preprocess`` (for people), ``preprocess_details`` (for
            programs), ``preprocess_chosen``, ``unit`` (what the samples are called), ``batch_size``, ``seed``,
            ``function``, or ``command``. Of a function, which makes its own batches, ``batch_size`` and ``seed`` are
            None.
        environment: the start event's fields.
        verdict: measure.verdict.Verdict as a dict, or None where there is no limit.
        blame: blame.Blame as a dict, or None where it was not measured.
        tuning: tune.Tuning as a dict, or None where nothing was tuned.
        samples: differing.Differs as dicts.
        times: see :func:`intel_quantization.report.picture.graph_picture`.
    """

    in_graph: str
    int8_graph: str
    accuracy: dict[str, Any] | None
    alarms: Sequence[dict[str, Any]]
    latency: dict[str, Any] | None
    not_measured: str
    calibration: dict[str, Any]
    environment: dict[str, Any]
    verdict: dict[str, Any] | None = None
    blame: dict[str, Any] | None = None
    tuning: dict[str, Any] | None = None
    samples: Sequence[dict[str, Any]] = ()
    times: dict[str, dict[str, float]] = field(default_factory=dict)


def build_report(job: Job, conversion: Conversion, parts: Parts) -> dict[str, Any]:
    """Gather the report, in the order in which it is read: alarms first, whoever looks into the file must see them.

    Returns:
        A dict that JSON can say without NaN; its shape is that of ``contract.report``.
    """
    return {
        "alarms": parts.alarms,
        "headline": headline(parts.accuracy, parts.latency, parts.verdict),
        "verdict": parts.verdict,
        "schema": REPORT_SCHEMA,
        "created": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "graphs": {"fp32": os.path.basename(parts.in_graph), "int8": os.path.basename(job.out_graph)},
        "size": {"fp32": graph_size(conversion.input_graph), "int8": _size(parts.int8_graph)},
        "inputs": [_tensor(info) for info in conversion.inputs],
        "outputs": [_tensor(info) for info in conversion.outputs],
        "ops": [{"op": op.op, "total": op.total, "int8": op.int8, "fp32": op.fp32} for op in conversion.op_table],
        "reasons": [
            {"node": decision.node, "op": decision.op, "reason": decision.reason}
            for decision in conversion.decisions
            if not decision.int8
        ],
        "others": _others(conversion.remaining),
        "accuracy": parts.accuracy,
        "blame": parts.blame,
        "tuning": parts.tuning,
        "samples": list(parts.samples),
        "tensors": tensor_ranges(conversion),
        "graph": graph_picture(conversion, parts.blame["layers"] if parts.blame else (), parts.times),
        "latency": parts.latency,
        "not_measured": parts.not_measured,
        "calibration": parts.calibration,
        "options": _options(job),
        "provenance": dict(
            parts.environment,
            made_for=list(conversion.made_for),
            numpy=np.__version__,
            platform=platform.platform(),
            sha256={"fp32": _sha256(parts.in_graph), "int8": sha256(parts.int8_graph)},
        ),
    }


def _options(job: Job) -> dict[str, Any]:
    """The options as the user knows them: of paths in the workspace only the files' names are the user's."""
    found = {option.name: getattr(job, option.name) for option in TOLD_OPTIONS}
    found["threads"] = job.threads
    for key in MOUNTED_FILES:
        if found[key] is not None:
            found[key] = os.path.basename(found[key])
    return found


def _others(remaining: Sequence[Decision]) -> list[dict[str, Any]]:
    nodes: dict[tuple[str, str], list[str]] = {}
    for decision in remaining:
        nodes.setdefault((decision.op, decision.reason), []).append(decision.node)
    return [
        {"op": op, "reason": reason, "count": len(names), "nodes": names[:_MOST_NODES]}
        for (op, reason), names in sorted(nodes.items())
    ]


def _sha256(path: str) -> str:
    """Of a file; of a folder (a SavedModel) that of its files' names and digests."""
    if not os.path.isdir(path):
        return sha256(path)
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = os.path.join(folder, name)
            digest.update(("%s\0%s\n" % (os.path.relpath(file, path), sha256(file))).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _size(path: str) -> int:
    """Of a graph; of one in a SavedModel that of all of it."""
    if not path.endswith(SAVED_MODEL_FILE):
        return os.path.getsize(path)
    parts = os.walk(os.path.dirname(path))
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _folders, files in parts for name in files)


def _tensor(info: TensorInfo) -> dict[str, Any]:
    shape = None if info.shape is None else ["?" if size is None else size for size in info.shape]
    return {"name": info.name, "dtype": info.dtype, "shape": shape}
