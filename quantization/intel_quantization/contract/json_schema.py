"""JSON Schemas of what crosses the wall and of what a user's programs read."""

from __future__ import annotations

from typing import Any, Callable, Dict

from .events import EVENTS
from .job import NEEDED, SCHEMA, THREADS
from .manifest import MANIFEST
from .option import Option, options_of
from .options import JobOptions
from .outputs import MANIFEST_SCHEMA, REPORT_SCHEMA
from .report import REPORT, TOLD_OPTIONS
from .shapes import object_schema, required_keys, schema_of
from .values import COUNT
from .words import TASKS

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def job_schema() -> Dict[str, Any]:
    """Of a job, as ``python3 -m intel_quantization --job`` takes it."""
    properties: Dict[str, Any] = {"schema": {"const": SCHEMA}}
    properties.update({option.name: _described(option) for option in options_of(JobOptions)})
    for key in NEEDED:
        properties[key] = dict({"description": properties[key]["description"]}, type="string", minLength=1)
    properties[THREADS] = _or_null(COUNT.schema)
    out_graph = properties["out_graph"]
    properties["out_graph"] = dict(out_graph, type=["string", "null"])
    whole = dict(object_schema(properties, ("schema",) + NEEDED), additionalProperties=False)
    # what only looks at graphs makes none
    whole["if"] = {"properties": {"task": {"enum": list(TASKS[1:])}}, "required": ["task"]}
    whole["else"] = {"properties": {"out_graph": {"type": "string"}}}
    return _titled("A job of launch_quantization", whole)


def event_schema() -> Dict[str, Any]:
    """Of one event: a line of ``launch_quantization --json``."""
    kinds = []
    for name, shape in EVENTS.items():
        properties: Dict[str, Any] = {"event": {"const": name}, "time": {"type": "number"}}
        properties.update({key: schema_of(item) for key, item in shape.fields.items()})
        if name == "result":  # added by the launcher: where the files are on the host
            properties["files"] = {"type": "array", "items": {"type": "string"}}
        kinds.append(object_schema(properties, ["event", "time"] + required_keys(shape)))
    return _titled("An event of launch_quantization", {"oneOf": kinds})


def report_schema() -> Dict[str, Any]:
    """Of NAME.report.json. Reports of before have fewer options, and fit, too."""
    whole = schema_of(REPORT)
    options = {option.name: _described(option) for option in TOLD_OPTIONS}
    whole["properties"]["options"] = object_schema(options, ())
    whole["properties"]["schema"] = {"const": REPORT_SCHEMA}
    whole["required"].append("options")
    return _titled("A report of launch_quantization", whole)


def manifest_schema() -> Dict[str, Any]:
    """Of NAME.manifest.json."""
    whole = schema_of(MANIFEST)
    whole["properties"]["schema"] = {"const": MANIFEST_SCHEMA}
    return _titled("A manifest of launch_quantization", whole)


SCHEMAS: Dict[str, Callable[[], Dict[str, Any]]] = {
    "job": job_schema,
    "event": event_schema,
    "report": report_schema,
    "manifest": manifest_schema,
}
"""Name of each -> what makes it; they are kept in ``schemas/NAME.schema.json``."""


def _described(option: Option) -> Dict[str, Any]:
    schema = option.value.schema if option.default is not None else _or_null(option.value.schema)
    return dict({"description": option.help}, **schema)


def _or_null(schema: Dict[str, Any]) -> Dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _titled(title: str, schema: Dict[str, Any]) -> Dict[str, Any]:
    return dict({"$schema": DRAFT, "title": title}, **schema)
