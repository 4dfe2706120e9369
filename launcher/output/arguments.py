"""A job's options as a command line that says all of them, wherever it is given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from launch_quantization.contract.option import Option, options_of
from launch_quantization.contract.options import RunOptions, ViewOptions
from launch_quantization.contract.values import FUNCTION
from launch_quantization.job.job import Job

NOT_OF_THE_JOB = {
    *(option.name for option in options_of(ViewOptions)),
    "dry_run",
    "debug",
    "resume",  # the same comes out
    "ca_bundle",  # of this site, for a build
    "other_graph",
}
"""What only concerns the view, or a build: no arguments of a job."""


def arguments_of(job: Job) -> list[str]:
    """The options that are not as by default, each as ``--name=value``; paths are absolute.

    What only concerns the view, or a build, is left out.
    """
    return [
        word
        for option in options_of(RunOptions)
        if option.name not in NOT_OF_THE_JOB
        for word in _words(option, getattr(job, option.name), job)
    ]


def _words(option: Option, value: object, job: Job) -> Iterator[str]:
    if value == option.default or value is None:
        return
    if option.value.is_flag:
        yield f"--{option.name}"
    elif option.value.is_switch:
        yield f"--{option.name}={str(value).lower()}"
    elif option.value is FUNCTION:
        yield f"--{option.name}={os.fspath(_path(value))}:{getattr(job, f'{option.name}_name')}"
    elif isinstance(value, tuple):
        yield f"--{option.name}={','.join(str(item) for item in value)}"
    else:
        yield f"--{option.name}={_path(value)}"


def _path(value: object) -> str:
    return os.fspath(value) if isinstance(value, Path) else str(value)
