"""What ``--in_graph`` may name: a file with a graph or a Keras model, or the folder of a SavedModel; no links."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from launch_quantization.errors import BadInputError
from launch_quantization.job.paths import absolute, status

GRAPH_LIMIT = 2 << 30
"""Bytes; protobuf cannot parse a larger message."""

_OPTION = "--in_graph"
_FORMS = "name a frozen graph (.pb, .pbtxt), a Keras file (.keras, .h5) or a SavedModel folder"
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
_NO_MESSAGE = (".keras", ".h5", ".hdf5", ".pbtxt", ".prototxt")
"""Suffixes of files that are no binary protobuf message, so that their size does not tell the graph's."""


def input_graph(text: str) -> Path:
    """The absolute path of the input.

    Raises:
        BadInputError: it does not exist, is of another kind, a link, empty, too large or not readable; or a
            file of a SavedModel is.
    """
    path = absolute(text, _OPTION)
    found = status(path, _OPTION)
    if found is None:
        raise BadInputError(f"{_OPTION}: {path} does not exist", "check the path")
    if stat.S_ISDIR(found.st_mode):
        return _saved_model(path)
    _check_file(path, found)
    if found.st_size >= GRAPH_LIMIT and path.suffix.lower() not in _NO_MESSAGE:
        raise BadInputError(
            f"{_OPTION}: {path} is larger than 2 GiB, more than a GraphDef can be", "check how it was made"
        )
    return path


def _check_file(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise BadInputError(
            f"{_OPTION}: {path} is a symlink, which is refused", f"name the file itself: {os.path.realpath(path)}"
        )
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"{_OPTION}: {path} is no regular file", _FORMS)
    if found.st_nlink > 1:
        raise BadInputError(
            f"{_OPTION}: {path} has {found.st_nlink} hard links, which is refused", "use a copy of the file"
        )
    if found.st_size == 0:
        raise BadInputError(f"{_OPTION}: {path} is empty", "check how it was made or copied")
    if not os.access(path, os.R_OK):
        raise BadInputError(f"{_OPTION}: {path} is not readable", f"chmod u+r {shlex.quote(str(path))}")


def _saved_model(path: Path) -> Path:
    if not os.access(path, os.R_OK | os.X_OK):
        raise BadInputError(f"{_OPTION}: {path} is not readable", f"chmod u+rx {shlex.quote(str(path))}")
    if not any((path / name).is_file() for name in _SAVED_MODEL):
        raise BadInputError(f"{_OPTION}: {path} is a directory without a saved_model.pb", _FORMS)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            _check_part(Path(folder, name))
    return path


def _check_part(path: Path) -> None:
    """A link inside leads nowhere in a container, or elsewhere than it says."""
    found = status(path, _OPTION)
    if found is None:
        raise BadInputError(f"{_OPTION}: {path} has just gone", "do not change the folder meanwhile")
    if stat.S_ISLNK(found.st_mode):
        raise BadInputError(f"{_OPTION}: {path} is a symlink, which is refused", "use a copy of the folder: cp -rL")
    if not stat.S_ISDIR(found.st_mode) and not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"{_OPTION}: {path} is no regular file", "use a copy of the folder: cp -rL")
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise BadInputError(
            f"{_OPTION}: {path} has {found.st_nlink} hard links, which is refused", "use a copy of the folder: cp -rL"
        )
