"""Paths as the user types them, made absolute; what a link would hide is told apart."""

from __future__ import annotations

import os
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
