"""Paths as the user types them, made absolute; what a link would hide is told apart."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from launch_quantization.errors import BadInputError, UsageError


def absolute(text: str, option: str) -> Path:
    """The path with its parent's links resolved, itself not: whether it is a link matters later."""
    if not text or "\0" in text:
        raise UsageError(f"{option} is empty", f"give a path: {option} PATH")
    path = Path(text) if os.path.isabs(text) else here() / text
    if path.name in ("", ".."):
        return resolved(path, option)
    return resolved(path.parent, option) / path.name


def resolved(path: Path, option: str) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError until Python 3.13
        raise BadInputError(f"{option}: cannot follow the symlinks of {path}: {error}", "check the path") from error


def here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current directory was removed", "cd to one that exists") from None


def status(path: Path, option: str) -> os.stat_result | None:
    """lstat, or None where nothing is."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInputError(
            f"{option}: cannot look at {path}: {error.strerror}", "check the path and its permissions"
        ) from error


def check_readable(path: Path) -> None:
    """Root without capabilities is a user like any other; outside, its capabilities hide that.

    Raises:
        BadInputError: it is closed to such a user.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return  # creating the container says so
    wanted = 0o5 if stat.S_ISDIR(found.st_mode) else 0o4
    if found.st_uid == 0:
        granted = found.st_mode >> 6
    elif found.st_gid in (os.getgid(), *os.getgroups()):
        granted = found.st_mode >> 3
    else:
        granted = found.st_mode
    if granted & wanted != wanted:
        raise BadInputError(
            f"{path} belongs to uid {found.st_uid} and is closed to others (mode {found.st_mode & 0o777:03o}); "
            "root inside a container, or behind bubblewrap, has no capabilities and cannot read it",
            "run as that user, or give others the right to read it",
        )
