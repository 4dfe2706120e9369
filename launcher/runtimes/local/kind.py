"""A locked environment of this machine, as one kind of runtime among others."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from launch_quantization.building.context import lock_file, variants
from launch_quantization.building.site import ca_path
from launch_quantization.contract.command_options import BuildOptions, CleanOptions, DoctorOptions
from launch_quantization.contract.options import RunOptions
from launch_quantization.errors import BuildError, LauncherError
from launch_quantization.runtimes.kind import OK, PROBLEM, WARNING, Finding, Kind, Told
from launch_quantization.runtimes.local import environment
from launch_quantization.runtimes.local.runtime import LocalRuntime, check_limits
from launch_quantization.runtimes.local.wall import find_wall
from launch_quantization.runtimes.runtime import Runtime
from launch_quantization.stream.lines import BuildLog


class Local(Kind):
    """A virtual environment made of a variant's lock file."""

    name = "local"
    where = "in a local environment"
    makes = "a local environment"
    need = "local python"
    exit_code = BuildError.exit_code
    insist: ClassVar[bool] = False
    """On a wall: without one, no job runs."""

    def open(self, options: RunOptions[str], run_id: str | None, told: Told) -> Runtime:
        """Says that an image has no meaning here."""
        if options.docker_image is not None:
            told.note(f"without a container, --docker-image {options.docker_image} is not used")
        check_limits(options.cpus, options.memory)
        return LocalRuntime(options.tensorflow, ca_path(options), insist=self.insist)

    def build(self, options: BuildOptions, log: BuildLog) -> str:
        """The environment; its path."""
        runtime = LocalRuntime(options.tensorflow, ca_path(options))
        runtime.ensure(log, force=options.no_cache)
        return str(runtime.environment.path)

    def examine(self, options: DoctorOptions) -> Iterator[Finding]:
        """The Python that serves the variant, and what walls in a job that runs without an engine."""
        try:
            found = environment.find_environment(lock_file(options.tensorflow))
        except LauncherError as error:
            yield Finding("local python", PROBLEM, error.message, error.remedy)
            level = PROBLEM if options.runtime == "bwrap" else WARNING
            yield Finding("wall", level, f"none without an engine: {error.message}", error.remedy)
            return
        state = "environment ready" if found.complete else "environment not made yet; the first local run makes it"
        yield Finding("local python", OK, f"{found.base.full} at {found.base.path}; {state}")
        yield _check_wall(found, options.runtime)

    def list_variants(self, options: DoctorOptions) -> Mapping[str, str]:
        """The environment of each."""
        return {variant: _describe_variant(lock_file(variant)) for variant in variants()}

    def clean(self, options: CleanOptions, told: Told) -> Iterator[str]:
        """Environments, on request."""
        if options.environments or options.all:
            yield from _remove_environments(keep_current=not options.all, dry_run=options.dry_run)


KIND = Local()


def _check_wall(found: environment.Environment, runtime: str) -> Finding:
    wall = find_wall(found)
    if wall.holds:
        return Finding("wall", OK, f"bubblewrap {wall.version} at {wall.program} walls local jobs in")
    level = PROBLEM if runtime == "bwrap" else WARNING
    return Finding("wall", level, f"local jobs have your rights, as {wall.problem}", wall.remedy)


def _describe_variant(lock: Path) -> str:
    try:
        found = environment.find_environment(lock)
    except LauncherError as error:
        return f"no local environment: {error.message}"
    state = "ready" if found.complete else "not made yet"
    return f"local environment {state}, Python {found.base.full}"


def _remove_environments(*, keep_current: bool, dry_run: bool) -> Iterator[str]:
    """Remove those that no launcher is making; yields their paths."""
    root = environment.environments_root()
    if not root.is_dir():
        return
    current = _find_current() if keep_current else frozenset()
    for path in sorted(root.iterdir()):
        if path.is_dir() and path not in current and _remove_environment(path, dry_run=dry_run):
            yield str(path)


def _find_current() -> frozenset[Path]:
    """Those that this launcher would use."""
    found = set()
    for variant in variants():
        try:
            found.add(environment.find_environment(lock_file(variant)).path)
        except BuildError:
            continue  # no Python here serves it, so no environment of it is in use
    return frozenset(found)


def _remove_environment(path: Path, *, dry_run: bool) -> bool:
    """False while a launcher is making it."""
    lock = Path(f"{path}.lock")
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        if not dry_run:
            environment.remove_environment(path)
        return True
    finally:
        os.close(held)
