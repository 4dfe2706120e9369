"""Moves checked results beside the output, the graph last; if that fails half-way, all is as it was before."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from launch_quantization.errors import Interrupted, OutputRefusedError
from launch_quantization.output.exchange import move_folder
from launch_quantization.signals import shield


def place(source: Path, target: Path, names: Sequence[str]) -> None:
    """Move files and folders from one directory to another of the same file system.

    Args:
        source: where they are; what they replace is kept beside this directory meanwhile.
        target: where they go.
        names: relative to both, in the order in which they are moved; files, and folders, which are moved whole.

    Raises:
        OutputRefusedError: one could not be moved; nothing was changed.
        Interrupted: a signal came; ``in_place`` says that it came too late to change anything.
    """
    done = False
    try:
        with shield():
            _Move(source, target).all(names)
            done = True
    except Interrupted as interruption:
        interruption.in_place = done
        raise


class _Move:
    """Moves files into place, and back out again when one of them cannot be."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source = source
        self._target = target
        self._undo: list[tuple[Path, Path | None]] = []
        self._made: list[Path] = []
        self._folders: list[Callable[[], None]] = []

    def all(self, names: Sequence[str]) -> None:
        """Move every file, or none.

        Raises:
            OutputRefusedError: one could not be moved; the files before it are as they were.
        """
        backup = self._source.parent / "previous"
        try:
            backup.mkdir(mode=0o700)
            for name in names:
                self._place_one(name, backup)
            self._sync()
        except OSError as error:
            self._put_back()
            raise OutputRefusedError(
                f"cannot move the results into {self._target}: {error.strerror}: {error.filename2 or error.filename}",
                "free the name or make room, and run again",
            ) from error

    def _place_one(self, name: str, backup: Path) -> None:
        final = self._target / name
        if (self._source / name).is_dir():
            self._folders.append(move_folder(self._source / name, final))
            return
        if "/" in name:
            self._intermediate_folder(final.parent)
        kept: Path | None = backup / name.replace("/", "|")
        try:
            os.link(final, backup / name.replace("/", "|"), follow_symlinks=False)
        except FileNotFoundError:
            kept = None  # nothing was there: undoing means removing
        except OSError:
            # No hard links here (FAT, some network disks): without a copy of the old file there is
            # nothing to put back, and it is replaced atomically all the same.
            os.replace(self._source / name, final)
            return
        os.replace(self._source / name, final)
        self._undo.append((final, kept))

    def _intermediate_folder(self, folder: Path) -> None:
        try:
            folder.mkdir()
            self._made.append(folder)
        except FileExistsError:
            if folder.is_symlink():
                raise NotADirectoryError(errno.ENOTDIR, "is a symlink", os.fspath(folder)) from None

    def _put_back(self) -> None:
        for undo in reversed(self._folders):
            undo()
        for final, kept in reversed(self._undo):
            if kept is None:
                final.unlink(missing_ok=True)
            else:
                os.replace(kept, final)
        for folder in self._made:
            folder.rmdir()

    def _sync(self) -> None:
        """Make the renames durable."""
        descriptor = os.open(self._target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
