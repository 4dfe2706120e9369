"""NAME.manifest.json: what a run left, and what it was made of. The job lists its files; the launcher says the rest."""

from __future__ import annotations

from .events import SURROUNDINGS
from .report import MOST
from .shapes import Integer, ListOf, Nullable, Number, Object, Text

_TEXT = Text(MOST)
_DIGEST = Text(64)

FILE = Object({"name": _TEXT, "size": Integer(), "sha256": _DIGEST})

INPUT = Object(
    {
        "option": Text(64),
        "path": _TEXT,
        "size": Integer(),
        "sha256": _DIGEST,  # of a folder: of the names and digests of its files
        "files": Nullable(ListOf(Object({"name": _TEXT, "sha256": _DIGEST}), MOST)),
    }
)
"""A path that an option names; of a folder with its files, unless there are too many of them to list."""

PLACE = Object(
    {
        "runtime": Text(32),
        "tensorflow": Text(32),  # the variant
        "python": Nullable(_TEXT),
        "wall": Nullable(_TEXT),
        "engine": Nullable(_TEXT),
        "image": Nullable(_TEXT),
        "image_id": Nullable(_TEXT),
        "image_content": Nullable(_DIGEST),  # the same on every engine
        "lock": Nullable(_DIGEST),
        "package": Nullable(_DIGEST),
        "packages": ListOf(_TEXT, MOST),
    }
)
"""What a job runs in. Of an image that somebody else built, neither lock nor package is known."""

RUN = Object(
    {
        "version": _TEXT,
        "revision": Nullable(_TEXT),
        "command_line": ListOf(_TEXT, MOST),
        "directory": _TEXT,
        "arguments": ListOf(_TEXT, MOST),  # the same options, complete and with absolute paths
        "seed": Integer(),
        "inputs": ListOf(INPUT, MOST),
        "place": PLACE,
        "inside": Nullable(Object(SURROUNDINGS)),
        "started": _TEXT,
        "seconds": Number(),
        "stages": ListOf(Object({"name": Text(32), "seconds": Number()}), 100),
        "report": _DIGEST,  # without times: contract/repeatable.py
    }
)

MANIFEST = Object({"schema": Integer(), "files": ListOf(FILE, 1000), "run": Nullable(RUN)})
"""Runs of before, and what a job leaves before the launcher has looked at it, have no ``run``."""
