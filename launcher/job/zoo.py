"""The options of the Model Zoo: which go together, and the user's own file of models."""

from __future__ import annotations

import json
from pathlib import Path

from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.words import DEFAULT_MODEL
from launch_quantization.errors import BadInputError, UsageError
from launch_quantization.job.data import regular_file
from launch_quantization.job.paths import absolute, resolved


def check_zoo(options: RunOptions[str]) -> None:
    """Check that the options of the Model Zoo go together.

    Raises:
        UsageError: one is missing, or has nothing to work on.
    """
    if options.model_name is not None and options.models_zoo is None:
        raise UsageError(
            "--model_name is a name in the Model Zoo and needs --models_zoo",
            "add --models_zoo DIR or drop --model_name",
        )
    if options.models_config is not None and options.models_zoo is None:
        raise UsageError(
            "--models_config says what the names of zoo models mean, and there is no --models_zoo",
            "add --models_zoo DIR or drop it",
        )
    if options.callback is not None:
        return  # its command may read all of them
    if options.data_function is not None and options.models_zoo is not None:
        raise UsageError(
            f"--data_function and the zoo model {model_name(options)} exclude each other: each calibrates",
            "drop --data_function, or --models_zoo and what goes with it",
        )
    if options.models_source_dir is not None and options.models_zoo is None:
        raise UsageError(
            "--models_source_dir serves the Model Zoo and needs --models_zoo", "add --models_zoo DIR or drop it"
        )


def model_name(options: RunOptions[str]) -> str | None:
    """The name of the zoo model that calibrates; None where none does."""
    if options.models_zoo is None or options.model_name is not None or options.callback is not None:
        return options.model_name
    return DEFAULT_MODEL


def models_config(options: RunOptions[str]) -> Path | None:
    """The user's file of models, links resolved. What is in it is checked inside.

    Raises:
        BadInputError: it is not there, is not readable, or is no JSON.
    """
    if options.models_config is None:
        return None
    path = regular_file(
        resolved(absolute(options.models_config, "--models_config"), "--models_config"), "--models_config"
    )
    try:
        json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInputError(f"--models_config: cannot read {path}: {error.strerror}", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"--models_config: {path} is not valid JSON: {error}", "compare it with quantization/config/models.json"
        ) from error
    return path
