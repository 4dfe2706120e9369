"""The folder of a SavedModel that a job left: all of it is known by the manifest, and nothing else is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from launch_quantization.stream.sanitize import safe_text

_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def open_folder(path: str, directory: int) -> int:
    """A descriptor of a folder below another; a link in any part of the path is refused.

    Args:
        path: relative, parts separated by ``/``; empty: the folder itself.
        directory: descriptor of the other.

    Raises:
        OSError: it is not there, or no folder.
    """
    descriptor = os.dup(directory)
    for part in filter(None, path.split("/")):
        try:
            deeper = os.open(part, _DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = deeper
    return descriptor


def check_folder(
    directory: int, name: str, files: Iterable[str], mode: int, refuse: Callable[[str], Exception]
) -> None:
    """Check that a folder holds these files and the folders that lead to them; then durable, and with a mode.

    Args:
        directory: descriptor of the folder that it is in.
        name: its name.
        files: what the manifest lists in it, relative to ``directory``, each checked.
        mode: that folders get.
        refuse: makes the error of what is wrong.

    Raises:
        Exception: what ``refuse`` makes.
    """
    known: dict[str, set[str]] = {name: set()}
    for file in files:
        parts = file.split("/")
        for depth in range(1, len(parts)):
            known.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
    for folder, names in known.items():
        try:
            descriptor = open_folder(folder, directory)
        except OSError as error:
            raise refuse(f"{safe_text(folder, 300)} cannot be opened: {error.strerror}") from error
        try:
            _check_one(descriptor, folder, names, mode, refuse)
        finally:
            os.close(descriptor)


def _check_one(descriptor: int, folder: str, names: set[str], mode: int, refuse: Callable[[str], Exception]) -> None:
    owner = os.fstat(descriptor).st_uid
    if owner != os.getuid():
        raise refuse(f"{safe_text(folder, 300)} belongs to uid {owner} instead of {os.getuid()}")
    os.fchmod(descriptor, 0o700)
    strange = sorted(set(os.listdir(descriptor)) - names)
    if strange:
        raise refuse(f"{safe_text(folder, 300)} holds {safe_text(strange[0], 300)!r}, which its manifest does not list")
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)
