"""A folder that is there complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import Iterator

from intel_quantization.errors import BadInputError
from intel_quantization.places import output_error

_PARTS = frozenset(
    ["saved_model.pb", "saved_model.pbtxt", "variables", "assets", "assets.extra", "fingerprint.pb"]
    + ["keras_metadata.pb", "debug"]
)


def check_replaceable(path: str) -> None:
    """Refuse to replace a folder that holds anything but a SavedModel.

    Raises:
        BadInputError: it does, or is no folder.
    """
    if not os.path.lexists(path):
        return
    if os.path.islink(path.rstrip("/")) or not os.path.isdir(path):
        raise BadInputError("%s exists and is no folder" % path, "name another folder for the SavedModel")
    strange = sorted(set(os.listdir(path)) - _PARTS)
    if strange:
        raise BadInputError(
            "the folder %s holds '%s', which is not part of a SavedModel" % (path, strange[0]),
            "name a new folder, an empty one or an older SavedModel, which is replaced",
        )


@contextmanager
def new_folder(path: str) -> Iterator[str]:
    """An empty folder beside ``path``, which takes its place at the end; gone where the block raises.

    Raises:
        BadInputError: what is there is no SavedModel.
        OutputError: the folder cannot be made, or moved there.
    """
    final = os.path.abspath(path)
    check_replaceable(final)
    parent = os.path.dirname(final)
    holder = ""
    try:
        os.makedirs(parent, exist_ok=True)
        holder = tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=parent)
        fresh, old = os.path.join(holder, "new"), os.path.join(holder, "old")
        os.mkdir(fresh, 0o755)
        yield fresh
        if os.path.isdir(final):
            os.rename(final, old)
        os.rename(fresh, final)
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        if holder:
            shutil.rmtree(holder, ignore_errors=True)
