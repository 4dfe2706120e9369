"""Outputs appear whole or not at all: written in a hidden folder, then renamed into place, the manifest last."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import Any, Optional

from intel_quantization.contract.outputs import GRAPH, INTERMEDIATE, MANIFEST, MANIFEST_SCHEMA, SAVED_MODEL
from intel_quantization.errors import OutputError
from intel_quantization.places import is_about_writing, output_error, partial_folder

_BLOCK = 1 << 20


class Publication:
    """Collects the output files of one job; a context manager that discards what was not committed.

    Args:
        folder: where the files are to appear; must exist.
        stem: what all their names begin with.

    Raises:
        OutputError: ``folder`` cannot be written to.
    """

    def __init__(self, folder: str, stem: str) -> None:
        self._folder = folder
        self._stem = stem
        self._partial = partial_folder(folder, stem)
        try:
            os.mkdir(self._partial, 0o700)
        except OSError as error:
            raise OutputError(
                f"cannot write to {folder}: {error.strerror}", "give an --out_graph in a folder that you can write to"
            ) from None

    def __enter__(self) -> Publication:
        return self

    def __exit__(self, _kind: Any, error: Optional[BaseException], _trace: Any) -> None:
        self.discard()
        # Python says which file it cannot open, but not which it cannot write to.
        if isinstance(error, OSError) and error.filename is None and is_about_writing(error):
            raise output_error(error, os.path.join(self._folder, self._stem + GRAPH)) from error

    def path(self, suffix: str) -> str:
        """Where to write the output ``<stem><suffix>`` for now."""
        return os.path.join(self._partial, self._stem + suffix)

    def discard(self) -> None:
        """Remove everything that was not committed."""
        shutil.rmtree(self._partial, ignore_errors=True)

    def commit(self) -> list[str]:
        """Move all files into place and write ``<stem>.manifest.json`` last.

        Returns:
            Names relative to the folder, sorted, the manifest's included.
        """
        names = self._names()
        manifest = self._stem + MANIFEST
        files = [_entry(self._partial, name) for name in names]
        with open(os.path.join(self._partial, manifest), "w") as stream:
            json.dump({"schema": MANIFEST_SCHEMA, "files": files}, stream, indent=1)
        _sync(os.path.join(self._partial, manifest))
        # an older manifest would vouch for files that are about to change
        _remove(os.path.join(self._folder, manifest))
        _remove(os.path.join(self._folder, self._stem + INTERMEDIATE))
        if any(name.startswith(self._stem + SAVED_MODEL) for name in names):
            _remove(os.path.join(self._folder, self._stem))
        for name in [*names, manifest]:
            target = os.path.join(self._folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(os.path.join(self._partial, name), target)
        self.discard()
        _sync(self._folder)
        return sorted([*names, manifest])

    def _names(self) -> list[str]:
        names: list[str] = []
        for folder, _folders, files in os.walk(self._partial):
            names.extend(os.path.relpath(os.path.join(folder, name), self._partial) for name in files)
        return sorted(names)


def _entry(folder: str, name: str) -> dict[str, Any]:
    path = os.path.join(folder, name)
    digest = sha256(path)
    _sync(path)
    return {"name": name, "size": os.path.getsize(path), "sha256": digest}


def sha256(path: str) -> str:
    """The hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
