"""SHA-256 of files and folders; what was hashed once and has not changed is not read again."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launch_quantization.errors import UsageError
from launch_quantization.output.runs import cache_root

MOST_LISTED = 20_000
"""Files of a folder that a manifest lists; of a larger folder it has one digest, of all of them."""

LINK, NO_FILE, UNREADABLE = "link", "no file", "unreadable"
"""Before the digest of where a link leads, which is not followed; in place of that of a pipe or the like, and of what
cannot be read, or is gone while it is looked at."""

_CHUNK = 1 << 20
_WORTH_KEEPING = 64 << 20
"""Bytes; less is hashed in a moment."""
_MOST_KEPT = 200_000
_MOST_FOLDERS = 20
_JUST_NOW_SECONDS = 2.0
"""A file that changed so lately may change again without another time."""


@dataclass(frozen=True)
class Digest:
    """What a path holds.

    Attributes:
        sha256: of a file; of a folder: of the names and digests of all files in it, as reports have it.
        size: bytes of all of it.
        files: of a folder: name relative to it, with ``/`` -> digest; None for a file.
    """

    sha256: str
    size: int
    files: Mapping[str, str] | None = field(default=None, repr=False)


class StoppedError(Exception):
    """Nobody waits for the digest any more."""


def digest_of(path: Path, stop: threading.Event | None = None) -> Digest:
    """Hash a file, or a folder with all that is in it.

    Args:
        path: links in it are followed, those within a folder are not.
        stop: ends it when set.

    Raises:
        StoppedError: it was stopped.
    """
    if path.is_dir():
        return _of_folder(path, stop)
    try:
        return Digest(_sha256(path, stop), path.stat().st_size)
    except OSError:
        return Digest(UNREADABLE, 0)


def _of_folder(folder: Path, stop: threading.Event | None) -> Digest:
    known = _load(folder)
    total, size = hashlib.sha256(), 0
    files: dict[str, str] = {}
    seen: dict[str, list[object]] = {}
    before_now = time.time_ns() - int(_JUST_NOW_SECONDS * 1e9)
    for path in _walk(folder):
        name = os.path.relpath(path, folder)
        try:
            found = os.lstat(path)
            mark = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
            before = known.get(name, [])
            files[name] = str(before[-1]) if before[:-1] == mark else _of_entry(path, found.st_mode, stop)
        except OSError:
            files[name] = UNREADABLE
            continue
        finally:
            total.update(f"{name}\0{files.get(name)}\n".encode("utf-8", "surrogateescape"))
        size += found.st_size
        if found.st_ctime_ns < before_now:
            seen[name] = [*mark, files[name]]
    if size >= _WORTH_KEEPING and len(seen) <= _MOST_KEPT and seen != known:
        _save(folder, seen)
    return Digest(total.hexdigest(), size, files)


def _walk(folder: Path) -> Iterator[str]:
    """The files in an order that depends on their names alone: as reports hash a SavedModel."""

    closed: list[str] = []
    for place, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            yield os.path.join(place, name)
    yield from closed  # folders, which cannot be opened as files either


def _of_entry(path: str, mode: int, stop: threading.Event | None) -> str:
    if stat.S_ISLNK(mode):
        return f"{LINK} {hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()}"
    if stat.S_ISDIR(mode):
        return UNREADABLE
    return _sha256(path, stop) if stat.S_ISREG(mode) else NO_FILE  # to open a pipe would wait for ever


def _sha256(path: str | os.PathLike[str], stop: threading.Event | None) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            if stop is not None and stop.is_set():
                raise StoppedError
            digest.update(chunk)
    return digest.hexdigest()


def digests_root() -> Path:
    """Where the digests of large folders are kept; may not be there yet."""
    return cache_root() / "digests"


def _kept(folder: Path) -> Path:
    return digests_root() / f"{hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32]}.json"


def _load(folder: Path) -> dict[str, list[object]]:
    """Name -> size, times and inode, digest; empty where nothing usable is kept."""
    try:
        found = json.loads(_kept(folder).read_bytes())
    except (OSError, ValueError, UsageError):
        return {}
    return {name: entry for name, entry in found.items() if isinstance(entry, list)} if isinstance(found, dict) else {}


def _save(folder: Path, entries: Mapping[str, list[object]]) -> None:
    """Only a cache: where it cannot be written, the next run reads the files again."""
    path = _kept(folder)
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps(entries), "ascii")
        os.replace(fresh, path)
        others = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime)
        for old in others[:-_MOST_FOLDERS]:
            old.unlink(missing_ok=True)
    except OSError:
        fresh.unlink(missing_ok=True)
