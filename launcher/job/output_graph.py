"""Where ``--out_graph`` may lead: a file, or the folder of a SavedModel; no links, nothing that is not replaced whole.

The rules on links are the seed tool's: neither graph may be one, since what is mounted or replaced would not be what
the name says.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.outputs import GRAPH, LONGEST_SUFFIX
from launch_quantization.contract.words import PB, QUANTIZE, SAVED_MODEL
from launch_quantization.errors import OutputRefusedError, UsageError
from launch_quantization.job.paths import absolute, status

_OPTION = "--out_graph"
_NAME_MAX = 255
_PARTS = frozenset(
    ("saved_model.pb", "saved_model.pbtxt", "variables", "assets", "assets.extra")
    + ("fingerprint.pb", "keras_metadata.pb", "debug")
)
"""All that a SavedModel's folder may hold."""


def output_format(options: RunOptions[str]) -> str:
    """What is written: as ``--format`` says, or else the path.

    Raises:
        UsageError: the two contradict each other.
    """
    text = options.out_graph
    is_folder = text is not None and text.endswith("/")
    if options.format is None:
        return SAVED_MODEL if is_folder else PB
    if options.format == PB and is_folder:
        raise UsageError(f"{_OPTION} {text} is a folder, and --format {PB} a file", "drop one of them")
    if options.format == SAVED_MODEL and text is not None and not is_folder and text.endswith(GRAPH):
        raise UsageError(
            f"{_OPTION} {text} is a file, and --format {SAVED_MODEL} a folder", f"name a folder: {text[: -len(GRAPH)]}/"
        )
    return options.format


def output_graph(options: RunOptions[str], in_graph: Path | None) -> Path | None:
    """The absolute path of the result; None where there is none.

    Raises:
        UsageError: the name is not that of such a graph, too long, or leads to the input.
        OutputRefusedError: it cannot be written there, or what is there must not be replaced.
    """
    if options.task != QUANTIZE:
        if options.out_graph is not None or options.format is not None:
            raise UsageError(f"{options.task} makes no graph, so that there is no {_OPTION}, no --format", "drop it")
        return None
    form = output_format(options)
    suffix = GRAPH if form == PB else ""
    if options.out_graph is not None:
        path = absolute(options.out_graph, _OPTION)
    elif in_graph is not None:
        # a folder's name has no suffix: what looks like one in "net.v2" is part of it
        path = in_graph.with_name(f"{in_graph.name if in_graph.is_dir() else in_graph.stem}_int8{suffix}")
    else:
        return None
    if form == PB and path.suffix != GRAPH:
        raise UsageError(
            f"{_OPTION}: {path.name!r} does not end in .pb",
            f"name a frozen graph, NAME.pb, or a folder for a SavedModel: {path.name}/",
        )
    if form == SAVED_MODEL and path.suffix == GRAPH:
        raise UsageError(f"{_OPTION}: {path.name!r} ends in .pb, which a folder must not", "choose another name")
    if len(os.fsencode(path.name)) + len(LONGEST_SUFFIX) > _NAME_MAX:
        raise UsageError(f"{_OPTION}: the name {path.name!r} is too long", "choose a name of fewer than 230 bytes")
    if path == in_graph:
        raise UsageError(f"{_OPTION} is the same file as --in_graph: {path}", "choose another name for the output")
    if in_graph is not None and in_graph in path.parents:
        raise UsageError(f"{_OPTION}: {path} lies inside of --in_graph", "choose a place outside of that folder")
    _check_target(path, form)
    return path


def _check_target(path: Path, form: str) -> None:
    found = status(path, _OPTION)
    if found is not None:
        if stat.S_ISLNK(found.st_mode):
            raise OutputRefusedError(
                f"{_OPTION}: {path} is a symlink, which is refused", "remove it, or name another file"
            )
        if form == PB and not stat.S_ISREG(found.st_mode):
            raise OutputRefusedError(f"{_OPTION}: {path} exists and is no regular file", "name a file")
        if form == SAVED_MODEL:
            _check_replaceable(path, found)
    if not path.parent.is_dir():
        raise OutputRefusedError(
            f"{_OPTION}: the directory {path.parent} does not exist", f"mkdir -p {shlex.quote(str(path.parent))}"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputRefusedError(
            f"{_OPTION}: the directory {path.parent} is not writable", "choose another --out_graph"
        )


def _check_replaceable(path: Path, found: os.stat_result) -> None:
    """The whole folder is replaced: nothing may be in it but an older SavedModel."""
    if not stat.S_ISDIR(found.st_mode):
        raise OutputRefusedError(f"{_OPTION}: {path} exists and is no folder", "name a folder")
    try:
        strange = sorted(set(os.listdir(path)) - _PARTS)
    except OSError as error:
        raise OutputRefusedError(
            f"{_OPTION}: {path} cannot be read: {error.strerror}", "name another folder"
        ) from error
    if strange:
        raise OutputRefusedError(
            f"{_OPTION}: the folder {path} holds {strange[0]!r}, which is not part of a SavedModel",
            f"it would be replaced whole: name a new folder, such as {shlex.quote(str(path / 'int8'))}/",
        )
