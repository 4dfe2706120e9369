"""The data that a job names, opened."""

from __future__ import annotations

from typing import Any

from intel_quantization import job as jobs
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.datasets import open_dataset
from intel_quantization.data.function_data import function_data
from intel_quantization.errors import BadInputError


def open_data(job: jobs.Job, inputs: Any, seed: int, samples: int | None) -> Dataset:
    """The data that a job names.

    Args:
        job: as it was given.
        inputs: the graph's, TensorInfos.
        seed: which samples are drawn.
        samples: to calibrate on; None: as many as suffice.

    Raises:
        BadInputError: there are none, or they do not fit the graph.
    """
    where = None if job.data_location is None else jobs.path(job.data_location)
    labels = None if job.labels is None else jobs.path(job.labels)
    if job.data_function is not None:
        path, name = job.data_function.rsplit(":", 1)
        return function_data(jobs.path(path), name, inputs, samples, job.evaluate, where)
    if where is None:
        raise BadInputError("no calibration data: --data_location is missing", "give it a folder of images")
    return open_dataset(where, inputs, samples, job.evaluate, seed, labels)
