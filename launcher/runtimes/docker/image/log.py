"""Runs one image build and passes its log on as it comes; says what failed and what helps."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from launch_quantization.building.context import DOCKERFILE
from launch_quantization.errors import BuildError, EngineUnreachableError
from launch_quantization.runtimes.docker.engine import Engine, explanation, translated
from launch_quantization.stream.lines import BuildLog
from launch_quantization.stream.sanitize import safe_text

_LINE_LIMIT = 4000

_NO_INDEX = (
    r"Name or service not known|Temporary failure in name resolution|Network is unreachable|ProxyError"
    r"|Connection refused|ConnectTimeout|Could not find a version|No matching distribution"
)
_REMEDIES = {
    "CERTIFICATE_VERIFY_FAILED": (
        "name your company's CA with --ca-bundle FILE, or in PIP_CERT, REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
    ),
    "DO NOT MATCH THE HASHES": "the package index serves other files than the lock; use another index",
    "No space left on device": "free space where the engine keeps its images (docker system df)",
    "ensurepip is not": "the base image needs Python's venv module; choose another with --base-image",
    "python3: not found": "the base image has no python3; choose another with --base-image",
    _NO_INDEX: "the build reaches no package index: set HTTPS_PROXY, or PIP_INDEX_URL to an index of yours",
}
"""A pattern in the last lines of a failed build, and what helps; the first that matches counts."""


@dataclass(frozen=True)
class Build:
    """What the engine is to build.

    Attributes:
        context: the tar.
        tag: of the image, once it is complete.
        arguments: build arguments.
        labels: of the image.
        network: network mode of its steps; None: the engine's default.
        fresh: take no step from the engine's cache.
    """

    context: bytes
    tag: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    network: str | None
    fresh: bool = False


def run_build(engine: Engine, wanted: Build, log: BuildLog) -> None:
    """Build and tag an image from a context; each line goes to ``log``.

    Raises:
        BuildError: a step failed, or the engine broke off.
    """
    recent: deque[str] = deque(maxlen=200)

    def keep(line: str) -> None:
        recent.append(line)
        log(line)

    import docker.errors

    try:
        with translated("building", wanted.tag):
            try:
                entries = _start(engine, wanted)
                try:
                    _follow(entries, keep)
                finally:
                    # Closing the connection is what makes the engine give up a build.
                    entries.close()
            except docker.errors.APIError as error:
                raise BuildError(f"building {wanted.tag}: {explanation(error)}") from error
    except _StepError as failure:
        step = next((line for line in reversed(recent) if re.match(r"Step \d+/\d+ : ", line)), "")
        where = f" at {safe_text(step, 120)}" if step else ""
        raise BuildError(
            f"building {wanted.tag} failed{where}: {failure}", _find_remedy([*recent, str(failure)])
        ) from failure
    except EngineUnreachableError as error:
        raise BuildError(f"the engine broke off: {error.message}", error.remedy) from error


class _StepError(Exception):
    """The engine reports that a step failed."""


def _start(engine: Engine, wanted: Build) -> Any:
    client: Any = engine.client
    # The SDK would send every registry credential of the user along. The base is pulled already.
    client._set_auth_headers = lambda _headers: None
    try:
        return client.build(
            fileobj=io.BytesIO(wanted.context),
            custom_context=True,
            dockerfile=DOCKERFILE,
            tag=wanted.tag,
            buildargs=dict(wanted.arguments),
            labels=dict(wanted.labels),
            network_mode=wanted.network,
            nocache=wanted.fresh,
            decode=True,
            rm=True,
            forcerm=True,
        )
    finally:
        del client._set_auth_headers


def _follow(entries: Iterator[Any], log: BuildLog) -> None:
    rest = ""
    for entry in entries:
        if entry.get("error"):
            if rest:
                log(rest)
            raise _StepError(safe_text(str(entry["error"]), 500))
        *lines, rest = (rest + str(entry.get("stream", ""))).split("\n")
        rest = rest[-_LINE_LIMIT:]
        for line in lines:
            if line.strip():
                log(line[:_LINE_LIMIT])
    if rest.strip():
        log(rest)


def _find_remedy(lines: list[str]) -> str:
    for pattern, remedy in _REMEDIES.items():
        if any(re.search(pattern, line) for line in lines):
            return remedy
    return "the step's own messages are above (with --quiet: leave it out to see them)"
