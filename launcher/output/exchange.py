"""Moves a folder to where another one may be, in one step: there is no moment at which neither is there."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

_HERE = -100
"""AT_FDCWD: paths are those of the process."""
_EXCHANGE = 2
"""RENAME_EXCHANGE, of Linux 3.15 and newer; Python has no call for it."""
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
"""What systems and file systems say that cannot."""


def move_folder(source: Path, final: Path) -> Callable[[], None]:
    """Move a folder; what was there is at ``source`` afterwards.

    Args:
        source: the folder, on the file system of ``final``.
        final: where it goes; nothing, or a folder that it replaces.

    Returns:
        What undoes it.

    Raises:
        OSError: it cannot be moved; all is as it was.
    """
    if not os.path.lexists(final):
        os.rename(source, final)
        return lambda: os.rename(final, source)
    _swap(source, final)
    return lambda: _swap(source, final)


def _swap(one: Path, other: Path) -> None:
    try:
        _exchange(one, other)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        _in_turns(one, other)


def _exchange(one: Path, other: Path) -> None:
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # glibc 2.28
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), os.fspath(one), None, os.fspath(other))
    if renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(one), None, os.fspath(other))


def _in_turns(one: Path, other: Path) -> None:
    """The same in three steps, undone where the second fails."""
    aside = one.with_name(f"{one.name}.aside")
    os.rename(other, aside)
    try:
        os.rename(one, other)
    except OSError:
        os.rename(aside, other)
        raise
    os.rename(aside, one)
