"""What of a report has to be the same when a run is repeated: all but times, and what it ran on."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict

_OF_A_REPORT = (
    "created",
    "latency",
    "headline",  # repeats accuracy, and says how fast it is
    "tuning",  # weighs by times what it tries; what it chose is in the graph
)
_OF_BLAME = ("time", "opportunities")  # the suspects in another order: by what they cost in time
_OF_MACHINES = ("cpu", "platform", "python", "threads")
_MILLISECONDS = "_ms"


def repeatable(report: Dict[str, Any]) -> Dict[str, Any]:
    """A report, as ``NAME.report.json`` has it, without what differs between two runs that are the same."""
    found = {key: value for key, value in report.items() if key not in _OF_A_REPORT}
    if isinstance(found.get("blame"), dict):
        found["blame"] = {key: value for key, value in found["blame"].items() if key not in _OF_BLAME}
    for key in ("provenance", "options"):
        if isinstance(found.get(key), dict):
            found[key] = {name: value for name, value in found[key].items() if name not in _OF_MACHINES}
    return dict(_without_milliseconds(found))


def repeatable_digest(report: Dict[str, Any]) -> str:
    """The SHA-256 of that, hexadecimal."""
    text = json.dumps(repeatable(report), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_milliseconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_milliseconds(item) for key, item in value.items() if not key.endswith(_MILLISECONDS)}
    if isinstance(value, list):
        return [_without_milliseconds(item) for item in value]
    return value
