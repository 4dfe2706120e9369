"""Where outputs wait until they are complete, and what a user is told of such a place."""

from __future__ import annotations

import errno
import os
import re
import tempfile

from intel_quantization.errors import OutputError

_PARTIAL = re.compile(r"/\.[^/]+\.partial-[0-9]+(?=/|$)")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def partial_folder(folder: str, stem: str) -> str:
    """The hidden folder in which the outputs of this process are made that are to appear in ``folder``."""
    return os.path.join(folder, ".%s.partial-%d" % (stem, os.getpid()))


def final_path(path: str) -> str:
    """Where the user will find what is made at ``path``."""
    return _PARTIAL.sub("", path)


def output_error(error: OSError, path: str = "") -> OutputError:
    """What the user is told when something cannot be written; ``path`` where the error does not say which."""
    name = os.fspath(error.filename) if isinstance(error.filename, (str, os.PathLike)) else path
    reason = error.strerror or str(error)
    if name and _is_temporary(name):
        return OutputError(
            "cannot write the temporary file %s: %s" % (name, reason),
            "temporary files have a quarter of the memory: give more --memory",
        )
    what = "cannot write %s: %s" % (final_path(name), reason) if name else "cannot write the results: %s" % reason
    if error.errno == errno.EFBIG:
        return OutputError(what, "allow more with --output_limit")
    return OutputError(what, "make room there, see to the permissions, or choose another --out_graph")


def _is_temporary(path: str) -> bool:
    """Whether it lies where a job of the launcher has its temporary files, which is its home, too."""
    folder = tempfile.gettempdir()
    return folder == os.environ.get("HOME") and path.startswith(folder + os.sep)


def is_about_writing(error: OSError) -> bool:
    """Whether an error without a name tells that something cannot be written."""
    return error.filename is not None or error.errno in _NO_ROOM
