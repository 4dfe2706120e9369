"""What calibrations saw, kept between runs in the user's cache: a folder for each graph in each environment.

A job is only shown what jobs on the very same graph left, and only adds to that: no graph misleads another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from launch_quantization.contract.outputs import KEPT_NAME
from launch_quantization.errors import UsageError
from launch_quantization.job.job import Job
from launch_quantization.output.digests import digest_of
from launch_quantization.output.runs import cache_root
from launch_quantization.output.staging import OUTPUT
from launch_quantization.signals import shield

LIMIT = 2 << 30
"""Bytes of all that is kept; what was used longest ago goes first."""
MARKER = "kept"
"""In a staging directory: names the folder that is to get what the job leaves there, also if its launcher is killed."""

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ENVIRONMENT = ("tensorflow", "lock", "package", "image_content", "python")


def kept_root() -> Path:
    """Where they are; may not be there yet."""
    return cache_root() / "statistics"


@contextlib.contextmanager
def kept_for(
    job: Job, place: Mapping[str, object], staging: Path, warn: Callable[[str], None]
) -> Iterator[Path | None]:
    """The folder that a job may read from; afterwards, however the body ends, what it left is moved there.

    Args:
        job: what is done; it has a graph.
        place: as ``Runtime.identity`` gives it.
        staging: of this run.
        warn: told why nothing can be kept, and None is given.
    """
    if job.in_graph is None:
        yield None
        return
    names = {key: place.get(key) for key in _ENVIRONMENT} | {"graph": digest_of(job.in_graph).sha256}
    try:
        folder = kept_root() / hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()[:32]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.iterdir():
            os.utime(path)
        (staging / MARKER).write_bytes(os.fsencode(folder))
    except (OSError, UsageError) as error:
        warn(f"what calibration sees is not kept for later runs: {error}")
        yield None
        return
    try:
        yield folder
    finally:
        with shield():
            rescue(staging)


def rescue(staging: Path) -> None:
    """Move what a job left for later runs out of its staging directory, whose launcher may be gone."""
    with contextlib.suppress(OSError, UsageError):
        folder = Path(os.fsdecode((staging / MARKER).read_bytes()))
        if folder.parent != kept_root():
            return
        for path in (staging / OUTPUT).iterdir():
            if KEPT_NAME.fullmatch(path.name):
                _move(path, folder)
        trim(LIMIT)


def _move(path: Path, folder: Path) -> None:
    """Copied, as the cache may be on another disk; the job is not trusted to have left a plain file."""
    descriptor = os.open(path, _FILE)
    with os.fdopen(descriptor, "rb") as source:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > LIMIT:
            return
        fresh = folder / f"{path.name}.{os.getpid()}"
        try:
            with fresh.open("xb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.replace(fresh, folder / path.name)
        finally:
            fresh.unlink(missing_ok=True)


def trim(limit: int, *, dry_run: bool = False) -> list[Path]:
    """Remove files until the others have no more bytes than that; returns those that went, or would."""
    found = []
    for path in kept_root().glob("*/*"):
        with contextlib.suppress(OSError):
            seen = path.lstat()
            found.append((seen.st_mtime, seen.st_size, path))
    room = limit
    gone = []
    for _time, size, path in sorted(found, reverse=True):
        room -= size
        if room < 0:
            gone.append(path)
    if not dry_run:
        for path in gone:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others are in it
                path.parent.rmdir()
    return gone
