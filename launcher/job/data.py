"""The data that a job calibrates on: folder or file, labels, and a function of the user's."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.words import BENCHMARK, COMPARE, DATA_FORMATS, NO_DATA, QUANTIZE
from launch_quantization.errors import BadInputError, UsageError
from launch_quantization.job.paths import absolute, resolved, status

_WITHOUT_DATA = (BENCHMARK, COMPARE)
_MAPS = (".png", ".npy")


def check_data(options: RunOptions[str]) -> None:
    """Check that there are data where they are needed, and labels only for data that may have them.

    Raises:
        UsageError: an option is missing, or has nothing to work on.
    """
    if options.metric is not None and options.data_location is None and options.data_function is None:
        raise UsageError("--metric needs samples to judge on", "add --data_location or --data_function")
    if options.tune and not options.blame:
        raise UsageError("--tune asks which layers lose, which --blame false leaves out", "drop one of them")
    if not options.measure and (options.tune or options.max_drop is not None):
        limit = "--tune" if options.tune else "--max_drop"
        raise UsageError(f"{limit} asks what is lost, which --measure false leaves out", "drop one of them")
    if options.tune and options.evaluate == 0:
        raise UsageError("--tune compares on images that --evaluate 0 leaves out", "drop one of them")
    _check_no_data(options)
    sources = (options.data_location, options.data_function, options.callback, options.statistics, options.data)
    if all(source is None for source in sources) and not options.dry_run and options.task not in _WITHOUT_DATA:
        raise UsageError(
            "--data_location is missing: without images the ranges of the activations cannot be measured",
            "name a folder of typical images, 100 are plenty: --data_location DIR; or give a --callback; "
            f"or, for a first look, --data {NO_DATA}",
        )
    if options.data_function is not None and options.callback is not None:
        raise UsageError("--data_function and --callback exclude each other: each calibrates", "drop one of them")
    if options.statistics is not None and options.callback is not None:
        raise UsageError(
            "--statistics and --callback exclude each other: with statistics nothing is calibrated", "drop one of them"
        )
    if options.labels is None:
        return
    if options.data_location is None:
        raise UsageError("--labels are those of --data_location", "add --data_location DIR or drop --labels")
    if options.data_function is not None:
        raise UsageError("--labels are not for a --data_function", "let the function give 'labels' in its feed dicts")


def _check_no_data(options: RunOptions[str]) -> None:
    if options.data != NO_DATA:
        return
    for name in ("callback", "statistics", "models_zoo"):
        if getattr(options, name) is not None:
            raise UsageError(f"--data {NO_DATA} and --{name} exclude each other: each calibrates", "drop one of them")
    if options.task != QUANTIZE:
        raise UsageError(f"--data {NO_DATA} is how to calibrate, and {options.task} does not", "drop it")


def data_location(options: RunOptions[str]) -> Path | None:
    """The folder or file of data, links resolved.

    Raises:
        BadInputError: it is not there, is not readable, or holds nothing.
    """
    if options.data_location is None:
        return None
    path = resolved(absolute(options.data_location, "--data_location"), "--data_location")
    if status(path, "--data_location") is None:
        raise BadInputError(f"--data_location: {path} does not exist", "check the path")
    if options.debug:
        return path
    if not path.is_dir():
        return regular_file(path, "--data_location")
    if not os.access(path, os.R_OK | os.X_OK):
        raise BadInputError(f"--data_location: {path} is not readable", f"chmod u+rx {shlex.quote(str(path))}")
    if not _holds_a_file(path):
        raise BadInputError(f"--data_location: {path} holds no files", f"it takes {', '.join(DATA_FORMATS.values())}")
    return path


def labels_path(options: RunOptions[str]) -> Path | None:
    """The file of labels, or the folder of maps of pixels, links resolved.

    Raises:
        BadInputError: it is not there, or cannot be read.
    """
    if options.labels is None:
        return None
    path = resolved(absolute(options.labels, "--labels"), "--labels")
    if not path.is_dir():
        return regular_file(path, "--labels")
    try:
        names = os.listdir(path)
    except OSError as error:
        raise BadInputError(
            f"--labels: {path} is not readable: {error.strerror}", f"chmod u+rx {shlex.quote(str(path))}"
        ) from None
    if not any(name.lower().endswith(_MAPS) for name in names):
        raise BadInputError(
            f"--labels: {path} is no regular file, nor a folder of maps with a class for each pixel",
            "put a .png or .npy there for each image, of the same name",
        )
    return path


def statistics_file(options: RunOptions[str]) -> Path | None:
    """The file of statistics, links resolved.

    Raises:
        BadInputError: it is not there, or cannot be read.
    """
    if options.statistics is None:
        return None
    return regular_file(resolved(absolute(options.statistics, "--statistics"), "--statistics"), "--statistics")


def python_function(value: str | None, option: str) -> tuple[Path | None, str | None]:
    """The file of an option FILE.py:FUNCTION, links resolved, and the name of the function.

    Raises:
        UsageError: the value is not FILE.py:FUNCTION.
        BadInputError: the file is not there, or cannot be read.
    """
    if value is None:
        return None, None
    file, _colon, name = value.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise UsageError(
            f"{option}: {value!r} names no function in a file", "write FILE.py:FUNCTION, such as feed.py:batches"
        )
    return regular_file(resolved(absolute(file, option), option), option), name


def regular_file(path: Path, option: str) -> Path:
    """The path, which is a regular file that can be read and holds something.

    Raises:
        BadInputError: it is none.
    """
    found = status(path, option)
    if found is None:
        raise BadInputError(f"{option}: {path} does not exist", "check the path")
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"{option}: {path} is no regular file", "check the path")
    if found.st_size == 0:
        raise BadInputError(f"{option}: {path} is empty", "check how it was made or copied")
    if not os.access(path, os.R_OK):
        raise BadInputError(f"{option}: {path} is not readable", f"chmod u+r {shlex.quote(str(path))}")
    return path


def _holds_a_file(root: Path) -> bool:
    """Whether any file is below root; stops at the first one."""
    return any(
        files or any(os.path.islink(os.path.join(directory, folder)) for folder in folders)
        for directory, folders, files in os.walk(root)
    )
