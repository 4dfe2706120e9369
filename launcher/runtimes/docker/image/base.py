"""A base image of Debian packages, where no registry gives one: what ``--runtime auto`` does before it gives up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import TypeVar

from launch_quantization.building.context import context_root, local_base, lock_file, supported_pythons
from launch_quantization.errors import BuildError, DeadlineError, OutOfMemoryError
from launch_quantization.processes.process import Limits, run_supervised
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.stream.lines import BuildLog
from launch_quantization.stream.sanitize import safe_line

DEBIAN_PYTHON = "3.11"
"""What make_base.sh finds among Debian's packages."""
SCRIPT = "image/base/make_base.sh"
_LONGEST_SECONDS = 900
"""Made in one to two minutes; a mirror that does not answer must not keep a job for ever."""

Made = TypeVar("Made")


class BaseUnavailableError(BuildError):
    """The engine lacks the base image that nobody has named, and cannot pull it.

    Attributes:
        engine: which one.
        variant: of TensorFlow, whose base it is.
    """

    elsewhere = True

    def __init__(self, message: str, remedy: str, engine: Engine, variant: str) -> None:
        super().__init__(message, remedy)
        self.engine = engine
        self.variant = variant


def with_base(build: Callable[[], Made], log: BuildLog) -> Made:
    """What ``build`` gives; where it lacks a base image, that is made of Debian packages first, if it can be.

    Args:
        build: builds an image.
        log: takes the lines of making the base.

    Raises:
        BaseUnavailableError: it cannot be made here, either; the message says what is missing.
        LauncherError: what ``build`` raises.
    """
    try:
        return build()
    except BaseUnavailableError as error:
        why = _find_obstacle(error.engine, error.variant) or _make_base(error.engine, error.variant, log)
        if why:
            message = f"{error.message}; and no base can be made of Debian packages here: {why}"
            raise BaseUnavailableError(message, error.remedy, error.engine, error.variant) from error
    return build()


def _find_obstacle(engine: Engine, variant: str) -> str:
    """Why the script cannot run here, in a few words; empty where it can. Nothing is installed on this machine."""
    python = supported_pythons(lock_file(variant))[0]
    if python != DEBIAN_PYTHON:
        return f"Debian has Python {DEBIAN_PYTHON}, and TensorFlow {variant} needs {python}"
    if engine.remote:
        return f"the engine at {engine.address} is on another machine"
    for command in ("docker", "debootstrap"):
        if shutil.which(command) is None:
            return f"the command {command} is missing"
    return "" if os.geteuid() == 0 else "that needs root"


def _make_base(engine: Engine, variant: str, log: BuildLog) -> str:
    """Run the script; returns why it failed, empty where it did not."""
    log(f"Making {local_base(lock_file(variant))} from Debian packages")
    last = ""

    def on_line(line: bytes, _stream: str) -> None:
        nonlocal last
        text = safe_line(line)
        log(text)
        last = text.strip() or last

    try:
        status = run_supervised(
            ["bash", os.fspath(context_root() / SCRIPT)],
            variables={**os.environ, "DOCKER_HOST": engine.address},
            directory=context_root(),
            on_line=on_line,
            limits=Limits(timeout=_LONGEST_SECONDS),
        )
    except (DeadlineError, OutOfMemoryError) as error:
        return error.message
    return last.removeprefix("base: error: ") or f"{SCRIPT} ended with status {status}" if status else ""
