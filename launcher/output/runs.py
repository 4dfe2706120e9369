"""Records of runs, so that what a killed launcher left is found, whichever output it was writing.

One small file per run under the user's cache directory. Its launcher holds a lock on it; a record
without a lock belongs to a launcher that is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.errors import UsageError
from launch_quantization.output.staging import abandoned, remove_stale
from launch_quantization.signals import shield

_ABANDONED_SECONDS = 60
_VARIABLE = "XDG_CACHE_HOME"
_NAME = "launch_quantization"


@dataclass(frozen=True)
class DeadRun:
    """What the record of a launcher that is gone says.

    Attributes:
        id: 12 hexadecimal digits.
        staging: the directory it was using, which may be gone.
        path: the record itself.
    """

    id: str
    staging: Path
    path: Path


def cache_root() -> Path:
    """This tool's directory in the user's cache; may not exist yet.

    A user who has no home, or a home that cannot be written to, as a random uid in a container, has it in a
    private directory below the one for temporary files.

    Raises:
        UsageError: somebody else has taken that.
    """
    from platformdirs import user_cache_path

    try:
        usual = user_cache_path(_NAME)
    except RuntimeError:  # neither HOME nor an entry in the user database
        return _private_root()
    return usual if os.environ.get(_VARIABLE) or _can_be_made(usual) else _private_root()


def _can_be_made(path: Path) -> bool:
    """Whether we may write there, or make it."""
    there = next(folder for folder in (path, *path.parents) if os.path.exists(folder))
    return os.access(there, os.W_OK | os.X_OK)


def _private_root() -> Path:
    path = Path(tempfile.gettempdir(), f"{_NAME}-{os.getuid()}")
    with _writing(path):
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    # Everybody may write below /tmp, and whoever owns this directory decides what our environments run.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UsageError(
            f"uid {os.getuid()} has no home directory to keep a cache in, and {path} is not a private one of its own",
            f"set HOME or {_VARIABLE} to one",
        )
    return path


def runs_root() -> Path:
    """Where the records are; made on the way."""
    return _make_folder("runs")


def shells_root() -> Path:
    """Where the workspaces of --debug shells are; made on the way."""
    return _make_folder("shells")


def _make_folder(name: str) -> Path:
    root = cache_root() / name
    with _writing(root):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot write to the cache, {path}: {error.strerror}", f"make room there, or set {_VARIABLE} to another"
        ) from error


@contextmanager
def recorded(staging: Path) -> Iterator[str]:
    """Keep a record of this run while the body runs.

    Args:
        staging: the directory the run is going to use.

    Yields:
        The id of the run, 12 hexadecimal digits.

    Raises:
        UsageError: the cache cannot be written to.
    """
    run_id = secrets.token_hex(6)
    path = runs_root() / f"{run_id}.json"
    record = json.dumps({"id": run_id, "pid": os.getpid(), "staging": os.fspath(staging)})
    # Written and locked under another name: a record that can be seen is always complete and held.
    hidden = path.with_suffix(".new")
    with _writing(path.parent):
        held = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with shield(), _writing(path.parent):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(held, record.encode("utf-8", errors="surrogateescape"))
            os.replace(hidden, path)
        yield run_id
    finally:
        with shield():
            hidden.unlink(missing_ok=True)
            if not abandoned(staging):  # what could not be removed must be found again
                path.unlink(missing_ok=True)
            os.close(held)


def dead_runs() -> list[DeadRun]:
    """The runs whose launcher is gone; a record that nobody can read is removed on the way."""
    found = []
    for path in sorted(runs_root().iterdir()):
        if path.suffix not in (".json", ".new") or (path.suffix == ".new" and not _is_old(path)):
            continue
        text = _read_if_free(path)
        if text is None:
            continue
        staging = _staging_of(text)
        if staging is None:
            path.unlink(missing_ok=True)
        else:
            found.append(DeadRun(path.stem, staging, path))
    return found


def remove_leftovers(first: Callable[[Path], None] = lambda _staging: None) -> list[str]:
    """Remove the staging directories and records of launchers that are gone; returns their paths.

    Args:
        first: called with each directory before that.
    """
    removed = []
    for run in dead_runs():
        with shield():
            first(run.staging)
            if remove_stale(run.staging):
                run.path.unlink(missing_ok=True)
                removed.append(str(run.staging))
    return removed


def _is_old(path: Path) -> bool:
    """Whether a record under its first name was left there, rather than being written just now."""
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except FileNotFoundError:
        return False


def _read_if_free(path: Path) -> bytes | None:
    """The record's bytes, or None while its launcher lives."""
    try:
        held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(held).st_mode):
            return None  # a fifo would never be read to its end
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return os.read(held, 65536)
    except BlockingIOError:
        return None
    finally:
        os.close(held)


def _staging_of(text: bytes) -> Path | None:
    try:
        record = json.loads(text)
    except ValueError:
        return None
    staging = record.get("staging") if isinstance(record, dict) else None
    return Path(staging) if isinstance(staging, str) and os.path.isabs(staging) else None
