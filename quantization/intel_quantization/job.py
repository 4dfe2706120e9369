"""The job as it arrives inside: one JSON object, parsed strictly."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from intel_quantization.errors import BadInputError
from intel_quantization.quantize.target_cpu import TARGET_CPUS
from intel_quantization.resizing import parse_resizing

SCHEMA = 1
ALGORITHMS = ("AUTO", "DIRECT", "MA", "KL", "PERCENTILE", "MSE")
_WORKSPACE = re.compile(r"(?<![\w./-])/workspace(?![\w.-])")
PREPROCESS = ("tf", "caffe", "torch", "vgg", "unit", "none")
CHANNEL_ORDERS = ("rgb", "bgr")


@dataclass(frozen=True)
class Job:
    """What to do. Paths are POSIX and relative to the workspace; see ``path``."""

    in_graph: str
    out_graph: str
    data_location: str | None = None
    data_function: str | None = None
    labels: str | None = None
    statistics: str | None = None
    models_zoo: str | None = None
    models_source_dir: str | None = None
    model_name: str | None = None
    models_config: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    signature: str | None = None
    per_channel: bool = True
    equalize: bool = True
    bias_correction: bool = True
    adaptive_rounding: bool = True
    excluded_ops: tuple[str, ...] = ()
    excluded_nodes: tuple[str, ...] = ()
    allow_op: tuple[str, ...] = ()
    callback: str | None = None
    samples: int | None = None
    batch_size: int | None = None
    preprocess: str | None = None
    scale: tuple[float, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str | None = None
    resize: str | None = None
    evaluate: int | None = None
    seed: int | None = None
    algo: str | None = None
    target_tensorflow: str | None = None
    target_cpu: str | None = None
    intermediate: bool = False
    threads: int | None = None

    @property
    def stem(self) -> str:
        """The output graph's name without ``.pb``; every output file's name starts with it."""
        name = PurePosixPath(self.out_graph).name
        return name[:-3] if name.endswith(".pb") else name


def workspace() -> str:
    """The directory that the job's paths are relative to."""
    return os.environ.get("WORKSPACE", "/workspace")


def path(relative: str) -> str:
    """``relative`` as an absolute path in the workspace."""
    return os.path.join(workspace(), *PurePosixPath(relative).parts)


def here(text: str) -> str:
    """``text`` with ``/workspace``, where it begins a path, as the workspace is called here."""
    return _WORKSPACE.sub(lambda _match: workspace(), text)


def parse(text: str) -> Job:
    """The job in ``text``.

    Raises:
        BadInputError: ``text`` is no JSON object, or a key is unknown, missing, of the wrong type or out of range.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"the job is not valid JSON: {error}", "let launch_quantization write it") from None
    if not isinstance(data, dict):
        raise BadInputError(f"the job is a JSON {type(data).__name__}, not an object", "see --help")
    schema = data.pop("schema", None)
    if schema != SCHEMA:
        raise BadInputError(
            f"the job has schema {schema!r}; this is version {SCHEMA}",
            "use an image that was built from the same checkout as the launcher",
        )
    known = {field.name for field in fields(Job)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise BadInputError(
            "the job has unknown keys: {}".format(", ".join(unknown)),
            "use an image that was built from the same checkout as the launcher",
        )
    for key in ("in_graph", "out_graph"):
        if data.get(key) is None:
            raise BadInputError(f"the job has no {key}", f"give --{key}")
    job = Job(**{key: _checked(key, value) for key, value in data.items()})
    if job.preprocess is not None and any(getattr(job, key) is not None for key in _NUMBERS):
        raise BadInputError("the job has numbers besides a preprocess", "give --preprocess, or --mean, --std, --scale")
    return job


_PATHS = (
    "in_graph",
    "out_graph",
    "data_location",
    "labels",
    "statistics",
    "models_zoo",
    "models_source_dir",
    "models_config",
)
_LISTS = ("inputs", "outputs", "excluded_ops", "excluded_nodes", "allow_op")
_FLAGS = ("per_channel", "equalize", "bias_correction", "adaptive_rounding", "intermediate")
_NUMBERS = ("scale", "mean", "std")
_COUNTS = {"samples": 1, "batch_size": 1, "threads": 1, "evaluate": 0, "seed": 0}


def _checked(key: str, value):
    if key in _FLAGS:
        return _require(key, value, isinstance(value, bool), "true or false")
    if key in _LISTS:
        ok = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
        return tuple(_require(key, value, ok, "a list of names"))
    if value is None:
        return None
    if key in _COUNTS:
        least = _COUNTS[key]
        ok = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return _require(key, value, ok, f"a whole number from {least}")
    if key in _NUMBERS:
        ok = isinstance(value, list) and len(value) in (1, 3) and all(map(_is_number, value))
        _require(
            key,
            value,
            ok and (key == "mean" or all(value)),
            "one or three numbers" + (", none of them 0" if key != "mean" else ""),
        )
        return tuple(float(number) for number in value)
    _require(key, value, isinstance(value, str) and bool(value) and "\0" not in value, "a text")
    if key in _PATHS:
        return _require(key, value, _inside(value), "a path inside the workspace")
    if key == "data_function":
        path, _colon, name = value.rpartition(":")
        return _require(key, value, _inside(path) and name.isidentifier(), "FILE.py:FUNCTION inside the workspace")
    if key == "preprocess":
        return _require(key, value, value in PREPROCESS, "one of " + ", ".join(PREPROCESS))
    if key == "channel_order":
        return _require(key, value, value in CHANNEL_ORDERS, "one of " + ", ".join(CHANNEL_ORDERS))
    if key == "resize":
        parse_resizing(value)
    if key == "target_cpu":
        return _require(key, value, value in TARGET_CPUS, "one of " + ", ".join(TARGET_CPUS))
    if key == "algo":
        return _require(key, value, value in ALGORITHMS, "one of " + ", ".join(ALGORITHMS))
    return value


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _inside(value: str) -> bool:
    pure = PurePosixPath(value)
    return not pure.is_absolute() and ".." not in pure.parts and bool(pure.parts)


def _require(key: str, value, ok: bool, expected: str):
    if not ok:
        raise BadInputError(f"the job's {key} is {value!r}; expected {expected}", "see --help")
    return value
