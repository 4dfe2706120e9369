"""The locked virtual environment of the local runtime, made once and shared by all launchers.

It is made in place under a lock; a marker file, written last, is what makes it an environment. A
half-made one has no marker and is made anew, so it is never used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.building.context import supported_pythons
from launch_quantization.errors import BuildError
from launch_quantization.output.runs import cache_root
from launch_quantization.runtimes.local.installation import fill, pip_variables
from launch_quantization.runtimes.local.pythons import PYTHON_VARIABLE, Python, find_python
from launch_quantization.stream.lines import BuildLog

MARKER = "complete"
NEEDED_BYTES = 3_000_000_000
"""Room that an environment and pip's temporary copies take."""

_LAYOUT = "1"
"""Part of the key of an environment; raise it when environments are made in another way."""


@dataclass(frozen=True)
class Environment:
    """A place for an environment; it may not have been made yet.

    Attributes:
        path: its directory.
        base: the Python it is made with.
        lock: the requirements with hashes.
    """

    path: Path
    base: Python
    lock: Path

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.path / "bin" / "python3"

    @property
    def complete(self) -> bool:
        """Whether it can be used."""
        return (self.path / MARKER).is_file()


def environments_root() -> Path:
    """The directory that holds all environments."""
    return cache_root() / "environments"


def find_environment(lock: Path) -> Environment:
    """The environment for a lock file on this machine.

    Raises:
        BuildError: no Python here serves; the message names those that were looked at.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise BuildError(
            f"the local runtime needs Linux on x86-64; this is {platform.system()} on {platform.machine()}",
            "use --runtime docker with an engine on such a machine",
        )
    wanted = supported_pythons(lock)
    base, rejected = find_python(wanted)
    if base is None:
        raise BuildError(_no_python(wanted, rejected), _python_remedy(wanted))
    content = lock.read_bytes() + f"\0{base.full}\0{os.path.realpath(base.path)}\0{_LAYOUT}".encode()
    digest = hashlib.sha256(content).hexdigest()[:12]
    variant = lock.stem.removeprefix("tensorflow-")
    return Environment(environments_root() / f"{variant}-py{base.minor}-{digest}", base, lock)


def _no_python(wanted: tuple[str, ...], rejected: list[Python]) -> str:
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        problem = rejected[0].problem if rejected else "does not start: it is no Python, or not there"
        return f"{PYTHON_VARIABLE}={named} {problem}; the local runtime needs Python {' or '.join(wanted)}"
    looked = "; ".join(f"{python.path} {python.problem}" for python in rejected)
    return f"the local runtime needs Python {' or '.join(wanted)} and found none" + (f" ({looked})" if looked else "")


def _python_remedy(wanted: tuple[str, ...]) -> str:
    if os.environ.get(PYTHON_VARIABLE):
        return f"name another Python in {PYTHON_VARIABLE}, or unset it to have one looked for"
    best = wanted[0]
    return (
        f"install one: apt install python{best} python{best}-venv, pyenv install {best}, or uv python install {best}; "
        f"or name one in {PYTHON_VARIABLE}"
    )


def make_environment(
    environment: Environment, log: BuildLog, ca_bundle: Path | None = None, *, force: bool = False
) -> None:
    """Make it unless it is complete. Of several launchers one makes it and the others wait.

    Args:
        environment: from ``find_environment``.
        log: takes pip's output, line by line.
        ca_bundle: certificates pip is to trust; None: what the environment variables name.
        force: make it anew.

    Raises:
        BuildError: pip failed, or there is no room.
    """
    if environment.complete and not force:
        touch(environment)
        return
    variables = pip_variables(ca_bundle)
    try:
        environments_root().mkdir(mode=0o700, parents=True, exist_ok=True)
        with _only_one(environment, log) as lock:
            if not environment.complete or force:
                _make(environment, variables, log, lock)
    except OSError as error:
        raise BuildError(
            f"cannot make the environment {environment.path}: {error.strerror}: {error.filename}",
            "make room and see to the permissions there, or set XDG_CACHE_HOME to another directory",
        ) from error


def _make(environment: Environment, variables: dict[str, str], log: BuildLog, lock: int) -> None:
    _check_room(environment.path.parent)
    if environment.path.exists():
        remove_environment(environment.path)
    log(f"making the environment {environment.path} with Python {environment.base.full}")
    try:
        fill(environment.path, environment.base.path, environment.lock, variables, log, lock)
    except BaseException:
        shutil.rmtree(environment.path, ignore_errors=True)
        raise
    (environment.path / MARKER).touch()


def remove_environment(path: Path) -> None:
    """Remove an environment whose lock is held; its marker first, since half-removed it must not look complete."""
    (path / MARKER).unlink(missing_ok=True)
    shutil.rmtree(path)


@contextlib.contextmanager
def in_use(environment: Environment) -> Iterator[None]:
    """Keep ``clean`` and ``build --no-cache`` off the environment while the body runs.

    Raises:
        BuildError: it was removed before this began.
    """
    held = _open_lock(environment)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        if not environment.complete:
            raise BuildError(f"the environment {environment.path} was removed meanwhile", "run again")
        yield
    finally:
        os.close(held)


def _open_lock(environment: Environment) -> int:
    return os.open(f"{environment.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def touch(environment: Environment) -> None:
    """Note that it was used, for ``clean``."""
    with contextlib.suppress(PermissionError, FileNotFoundError):
        os.utime(environment.path / MARKER)


@contextlib.contextmanager
def _only_one(environment: Environment, log: BuildLog) -> Iterator[int]:
    """Hold the lock of an environment; yields its descriptor."""
    held = _open_lock(environment)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another launcher is making or using the environment; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield held
    finally:
        os.close(held)


def _check_room(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        raise BuildError(
            f"{directory} has {free / 1e9:.1f} GB free; an environment needs {NEEDED_BYTES / 1e9:.0f} GB",
            "make room, or set XDG_CACHE_HOME to a larger disk",
        )
