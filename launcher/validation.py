"""From parsed options to a valid Job: every path checked and resolved once, before anything starts.

The rules on links are the seed tool's: neither graph may be one, since what is mounted or replaced
would not be what the name says.
"""

from __future__ import annotations

import argparse
import os
import shlex
import stat
from pathlib import Path

from launcher.errors import BadInputError, OutputRefusedError, UsageError
from launcher.job import Job

GRAPH_LIMIT = 2 << 30
"""Bytes; protobuf cannot parse a larger message."""

_NAME_MAX = 255
_LONGEST_SUFFIX = ".statistics.json"


def checked_job(options: argparse.Namespace) -> Job:
    """Make the Job of the plain call.

    Args:
        options: what ``launcher.options.run_parser`` read.

    Raises:
        UsageError: options are missing or exclude each other.
        BadInputError: an input is missing or cannot be used.
        OutputRefusedError: the output cannot be written there.
    """
    _check_combinations(options)
    in_graph = None if options.in_graph is None else _input_graph(options.in_graph)
    out_graph = _output_graph(options, in_graph)
    if out_graph is None:
        _here()  # it becomes /workspace/output
    return Job(
        in_graph=in_graph,
        out_graph=out_graph,
        data_location=_dataset(options),
        models_zoo=_directory(options.models_zoo, "--models_zoo"),
        models_source_dir=_directory(options.models_source_dir, "--models_source_dir"),
        model_name=options.model_name,
        inputs=options.inputs,
        outputs=options.outputs,
        excluded_ops=options.excluded_ops,
        excluded_nodes=options.excluded_nodes,
        per_channel=options.per_channel,
        samples=options.samples,
        batch_size=options.batch_size,
        preprocess=options.preprocess,
        evaluate=options.evaluate,
        intermediate=options.intermediate,
        debug=options.debug,
        cpus=options.cpus,
        memory=options.memory,
        timeout=options.timeout,
        tensorflow=options.tensorflow,
    )


def _check_combinations(options: argparse.Namespace) -> None:
    if options.quiet and options.verbose:
        raise UsageError("--quiet and --verbose exclude each other", "drop one of them")
    if options.debug and options.json:
        raise UsageError("--debug is a terminal and has no events for --json", "drop one of them")
    _check_callback(options.callback)
    if options.debug:
        return
    if options.in_graph is None:
        raise UsageError("--in_graph is missing", "name the frozen FP32 graph: --in_graph FILE.pb")
    if options.data_location is None and not options.dry_run:
        raise UsageError(
            "--data_location is missing: without images the ranges of the activations cannot be measured",
            "name a folder of typical images, 100 are plenty: --data_location DIR",
        )
    if options.model_name is not None and options.models_zoo is None:
        raise UsageError(
            "--model_name is a name in the Model Zoo and needs --models_zoo",
            "add --models_zoo DIR or drop --model_name",
        )
    if options.models_zoo is not None and options.model_name is None:
        raise UsageError("--models_zoo needs --model_name", "add --model_name NAME or drop --models_zoo")
    if options.models_source_dir is not None and options.models_zoo is None:
        raise UsageError(
            "--models_source_dir serves the Model Zoo and needs --models_zoo", "add --models_zoo DIR or drop it"
        )


def _check_callback(callback: str | None) -> None:
    if callback is None:
        return
    try:
        words = shlex.split(callback)
    except ValueError as error:
        raise UsageError(f"--callback is no command line: {error}", "check its quotes") from error
    if not words:
        raise UsageError("--callback is empty", "give a command")
    raise UsageError(
        "--callback is not yet available; this version calibrates on a folder of images only",
        "drop --callback and use --data_location DIR",
    )


def _absolute(text: str, option: str) -> Path:
    """The path with its parent's links resolved, itself not: whether it is a link matters later."""
    if not text or "\0" in text:
        raise UsageError(f"{option} is empty", f"give a path: {option} PATH")
    path = Path(text) if os.path.isabs(text) else _here() / text
    if path.name in ("", ".."):
        return _resolved(path, option)
    return _resolved(path.parent, option) / path.name


def _resolved(path: Path, option: str) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError until Python 3.13
        raise BadInputError(f"{option}: cannot follow the links of {path}: {error}", "check the path") from error


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current directory was removed", "cd to one that exists") from None


def _status(path: Path, option: str) -> os.stat_result | None:
    """lstat, or None where nothing is."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInputError(
            f"{option}: cannot look at {path}: {error.strerror}", "check the path and its permissions"
        ) from error


def _input_graph(text: str) -> Path:
    path = _absolute(text, "--in_graph")
    found = _status(path, "--in_graph")
    if found is None:
        raise BadInputError(f"--in_graph: {path} does not exist", "check the path")
    if stat.S_ISLNK(found.st_mode):
        raise BadInputError(
            f"--in_graph: {path} is a link, which is refused", f"name the file itself: {os.path.realpath(path)}"
        )
    if stat.S_ISDIR(found.st_mode):
        raise BadInputError(f"--in_graph: {path} is a directory", "name a frozen graph, one .pb file")
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"--in_graph: {path} is no regular file", "name a frozen graph, one .pb file")
    if found.st_nlink > 1:
        raise BadInputError(
            f"--in_graph: {path} has {found.st_nlink} hard links, which is refused", "use a copy of the file"
        )
    if found.st_size == 0:
        raise BadInputError(f"--in_graph: {path} is empty", "check how it was made or copied")
    if found.st_size >= GRAPH_LIMIT:
        raise BadInputError(
            f"--in_graph: {path} is larger than 2 GiB, more than a GraphDef can be", "check how it was made"
        )
    if not os.access(path, os.R_OK):
        raise BadInputError(f"--in_graph: {path} is not readable", f"chmod u+r {shlex.quote(str(path))}")
    return path


def _output_graph(options: argparse.Namespace, in_graph: Path | None) -> Path | None:
    if options.out_graph is not None:
        path = _absolute(options.out_graph, "--out_graph")
    elif in_graph is not None:
        path = in_graph.with_name(f"{in_graph.stem}_int8.pb")
    else:
        return None
    if path.suffix != ".pb":
        raise UsageError(f"--out_graph: {path.name!r} does not end in .pb", "the output is a frozen graph: NAME.pb")
    if len(os.fsencode(path.name)) + len(_LONGEST_SUFFIX) > _NAME_MAX:
        raise UsageError(f"--out_graph: the name {path.name!r} is too long", "choose a name of fewer than 230 bytes")
    if path == in_graph:
        raise UsageError(f"--out_graph is the same file as --in_graph: {path}", "choose another name for the output")
    _check_writable(path)
    return path


def _check_writable(path: Path) -> None:
    found = _status(path, "--out_graph")
    if found is not None:
        if stat.S_ISLNK(found.st_mode):
            raise OutputRefusedError(
                f"--out_graph: {path} is a link, which is refused", "remove it, or name another file"
            )
        if not stat.S_ISREG(found.st_mode):
            raise OutputRefusedError(f"--out_graph: {path} exists and is no regular file", "name a file")
    if not path.parent.is_dir():
        raise OutputRefusedError(
            f"--out_graph: the directory {path.parent} does not exist", f"mkdir -p {shlex.quote(str(path.parent))}"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputRefusedError(
            f"--out_graph: the directory {path.parent} is not writable", "choose another --out_graph"
        )


def _dataset(options: argparse.Namespace) -> Path | None:
    if options.data_location is None:
        return None
    path = _resolved(_absolute(options.data_location, "--data_location"), "--data_location")
    if _status(path, "--data_location") is None:
        raise BadInputError(f"--data_location: {path} does not exist", "check the path")
    if options.debug:
        return path
    if not path.is_dir():
        raise BadInputError(
            f"--data_location: {path} is a file", "this version calibrates on a folder of images; name the folder"
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise BadInputError(f"--data_location: {path} is not readable", f"chmod u+rx {shlex.quote(str(path))}")
    if not _holds_a_file(path):
        raise BadInputError(
            f"--data_location: {path} holds no files", "put some images there, directly or in class folders"
        )
    return path


def _holds_a_file(root: Path) -> bool:
    """Whether any file is below root; stops at the first one."""
    return any(
        files or any(os.path.islink(os.path.join(directory, folder)) for folder in folders)
        for directory, folders, files in os.walk(root)
    )


def _directory(text: str | None, option: str) -> Path | None:
    if text is None:
        return None
    path = _absolute(text, option)
    found = _status(path, option)
    if found is not None and stat.S_ISLNK(found.st_mode):
        raise BadInputError(f"{option}: {path} is a link, which is refused", "name the directory itself")
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise BadInputError(f"{option}: {path} is not a directory", "check the path")
    return path
