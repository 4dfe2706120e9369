"""From parsed options to a valid Job: every path checked and resolved once, before anything starts."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.words import BENCHMARK, COMPARE, QUANTIZE
from launch_quantization.errors import BadInputError, UsageError
from launch_quantization.job.callback import check_callback
from launch_quantization.job.data import check_data, data_location, labels_path, python_function, statistics_file
from launch_quantization.job.input_graph import input_graph
from launch_quantization.job.job import Job
from launch_quantization.job.output_graph import output_format, output_graph
from launch_quantization.job.paths import absolute, here, status
from launch_quantization.job.preprocessing import check_preprocessing
from launch_quantization.job.zoo import check_zoo, model_name, models_config


def checked_job(options: RunOptions[str]) -> Job:
    """Make the Job of the plain call.

    Args:
        options: what ``launch_quantization.commands.options.run_options`` read.

    Raises:
        UsageError: options are missing or exclude each other.
        BadInputError: an input is missing or cannot be used.
        OutputRefusedError: the output cannot be written there.
    """
    _check_combinations(options)
    in_graph = None if options.in_graph is None else input_graph(options.in_graph)
    out_graph = output_graph(options, in_graph)
    if out_graph is None:
        here()  # it becomes /workspace/output
    function_file, function_name = python_function(options.data_function, "--data_function")
    metric_file, metric_name = python_function(options.metric, "--metric")
    paths = {
        "in_graph": in_graph,
        "out_graph": out_graph,
        "data_location": data_location(options),
        "data_function": function_file,
        "labels": labels_path(options),
        "metric": metric_file,
        "other_graph": None if options.other_graph is None else input_graph(options.other_graph),
        "statistics": statistics_file(options),
        "models_zoo": _check_directory(options.models_zoo, "--models_zoo"),
        "models_source_dir": _check_directory(options.models_source_dir, "--models_source_dir"),
        "models_config": models_config(options),
    }
    given = {
        **vars(options),
        **paths,
        "format": output_format(options),
        "signature": options.signature or None,
        "model_name": model_name(options),
        "data_function_name": function_name,
        "metric_name": metric_name,
    }
    job = Job(**given)
    _check_names(job)
    return job


def _check_names(job: Job) -> None:
    """Refuse what cannot be said inside: names in TensorFlow and in the report are UTF-8, whatever the runtime."""
    for key, value in job.inside().items():
        text = json.dumps(value, ensure_ascii=False)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise BadInputError(
                f"--{key}: {os.path.basename(text.strip(chr(34)))} is not UTF-8, which TensorFlow cannot take",
                "rename it",
            ) from None


def _check_combinations(options: RunOptions[str]) -> None:
    if options.quiet and options.verbose:
        raise UsageError("--quiet and --verbose exclude each other", "drop one of them")
    if options.debug and options.json:
        raise UsageError("--debug is a terminal and has no events for --json", "drop one of them")
    check_callback(options)
    check_preprocessing(options)
    if options.debug:
        return
    if options.in_graph is None:
        raise UsageError("--in_graph is missing", "name the frozen FP32 graph: --in_graph FILE.pb")
    if options.other_graph is not None and options.task == QUANTIZE:
        raise UsageError("there is one graph to quantize, not two", "see evaluate, benchmark and compare")
    if options.task == COMPARE and options.other_graph is None:
        raise UsageError("there is only one graph to compare", "launch_quantization compare A.pb B.pb")
    if options.recipe and options.task != BENCHMARK:
        raise UsageError("--recipe is for benchmark", "launch_quantization benchmark GRAPH.pb --recipe")
    check_data(options)
    check_zoo(options)


def _check_directory(text: str | None, option: str) -> Path | None:
    if text is None:
        return None
    path = absolute(text, option)
    found = status(path, option)
    if found is not None and stat.S_ISLNK(found.st_mode):
        raise BadInputError(f"{option}: {path} is a symlink, which is refused", "name the directory itself")
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise BadInputError(f"{option}: {path} is not a directory", "check the path")
    return path
