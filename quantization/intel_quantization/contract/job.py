"""The job: the one object that crosses the wall, written by the launcher as JSON and parsed strictly inside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Dict, Optional

from .option import options_of
from .options import JobOptions
from .outputs import stem_of
from .values import COUNT, BadValueError
from .words import QUANTIZE

SCHEMA = 1
"""Version of the JSON; the inside refuses any other."""

NEEDED = ("in_graph", "out_graph")
THREADS = "threads"
"""The only key that is no option: the launcher makes it of --cpus."""

_REBUILD = "use an image that was built from the same checkout as the launcher"


class BadJobError(ValueError):
    """A text that is no job.

    Args:
        message: one line, what is wrong.
        remedy: one line, what to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Job(JobOptions[str]):
    """What to do: the options of ``JobOptions``. Paths are POSIX and relative to the workspace.

    Attributes:
        threads: threads for TensorFlow within an op; None: as many as there are CPUs.
    """

    in_graph: str = ""
    out_graph: str = ""
    threads: Optional[int] = None

    @property
    def stem(self) -> str:
        """The output graph's name without ``.pb``; every output file's name starts with it."""
        return stem_of(PurePosixPath(self.out_graph).name)


def as_json(values: Dict[str, Any]) -> Dict[str, Any]:
    """What a job's JSON holds, by the values of its keys."""
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return dict({"schema": SCHEMA}, **listed)


def parse(text: str) -> Job:
    """The job in ``text``.

    Raises:
        BadJobError: it is no JSON object, or a key is unknown, missing, of the wrong type or out of range.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadJobError("the job is not valid JSON: %s" % error, "let launch_quantization write it") from None
    if not isinstance(data, dict):
        raise BadJobError("the job is a JSON %s, not an object" % type(data).__name__, "see --help")
    schema = data.pop("schema", None)
    if schema != SCHEMA:
        raise BadJobError("the job has schema %r; this is version %d" % (schema, SCHEMA), _REBUILD)
    known = {one.name: one for one in options_of(JobOptions)}
    unknown = sorted(set(data) - set(known) - {THREADS})
    if unknown:
        raise BadJobError("the job has unknown keys: %s" % ", ".join(unknown), _REBUILD)
    for key in NEEDED if data.get("task", QUANTIZE) == QUANTIZE else NEEDED[:1]:
        if data.get(key) is None:
            raise BadJobError("the job has no %s" % key, "give --%s" % key)
    threads = _checked(THREADS, data.pop(THREADS, None), COUNT, None)
    job = Job(threads=threads, **{key: _checked(key, data[key], known[key].value, known[key].default) for key in data})
    if job.preprocess is not None and (job.scale or job.mean or job.std) is not None:
        raise BadJobError("the job has numbers besides a preprocess", "give --preprocess, or --mean, --std, --scale")
    return job


def _checked(key: str, value: Any, kind: Any, default: Any) -> Any:
    """The value as its type takes it; null is nothing, where nothing is the default."""
    if value is None and default is None:
        return None
    try:
        return kind.check(value)
    except BadValueError as error:
        raise BadJobError("the job's %s is %r; expected %s" % (key, value, error), "see --help") from None
