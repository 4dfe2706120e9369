"""Checks --callback, the user's own inference command, before anything starts: it runs in the workspace."""

from __future__ import annotations

import re
import shlex

from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.words import WORKSPACE
from launch_quantization.errors import UsageError

_NEEDS = {"dataset": "data_location", "models_zoo": "models_zoo", "models_source_dir": "models_source_dir"}
"""Name below /workspace -> the option that puts something there."""
_NAME = re.compile(rf"(?<![\w./-]){WORKSPACE}/([\w-]+)")


def check_callback(options: RunOptions[str]) -> None:
    """Check that --callback is a command line whose paths in the workspace will be there.

    Raises:
        UsageError: it is none, an option that it needs is missing, or --model-name names another command.
    """
    callback: str | None = options.callback
    if callback is None:
        return
    try:
        words = shlex.split(callback)
    except ValueError as error:
        raise UsageError(f"--callback is no command line: {error}", "check its quotes") from error
    if not words:
        raise UsageError("--callback is empty", "give a command, such as --callback 'python infer.py --in-graph {}'")
    if options.model_name is not None:
        raise UsageError(
            "--callback and --model_name exclude each other: each names a command that calibrates", "drop one of them"
        )
    for name in (name for word in words for name in _NAME.findall(word)):
        option = _NEEDS.get(name)
        if option is not None and getattr(options, option) is None:
            raise UsageError(f"--callback reads {WORKSPACE}/{name}, but there is no --{option}", f"add --{option} DIR")
