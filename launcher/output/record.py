"""What a manifest says of a run, beside its files: what was done, to what, where, and how long it took."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from launch_quantization.contract.manifest import PLACE
from launch_quantization.contract.repeatable import repeatable_digest
from launch_quantization.job.job import Job
from launch_quantization.output.arguments import arguments_of

_DEFAULT_SEED = 0


def run_record(
    job: Job,
    inputs: Sequence[Mapping[str, Any]],
    place: Mapping[str, Any],
    inside: Mapping[str, Any] | None,
    stages: Sequence[tuple[str, float]],
    ended: float,
    report: dict[str, Any],
    version: str,
) -> dict[str, Any]:
    """The ``run`` of a manifest, JSON-ready: ``contract.manifest.RUN``.

    Args:
        job: what was done.
        inputs: as ``inputs.told`` gives them.
        place: as ``Runtime.identity`` gives it.
        inside: fields of the start event; None where none came.
        stages: the names of the stages, and when each began, in unix seconds.
        ended: when the last one ended.
        report: NAME.report.json.
        version: of the launcher.
    """
    ends = [*(began for _name, began in stages), ended][1:]
    started = stages[0][1] if stages else ended
    return {
        "version": version,
        "revision": place.get("revision"),
        "command_line": list(sys.argv),
        "directory": _here(),
        "arguments": arguments_of(job),
        "seed": _DEFAULT_SEED if job.seed is None else job.seed,
        "inputs": list(inputs),
        "place": {key: place.get(key) for key in PLACE.fields},
        "inside": None if inside is None else dict(inside),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started)),
        "seconds": round(ended - started, 3),
        "stages": [
            {"name": name, "seconds": round(end - began, 3)} for (name, began), end in zip(stages, ends, strict=True)
        ],
        "report": repeatable_digest(report),
    }


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
