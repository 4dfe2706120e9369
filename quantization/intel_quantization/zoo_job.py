"""A job that names a model of the Model Zoo: what the zoo's entry adds to it, and its calibration command."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import replace

from intel_quantization import job as jobs
from intel_quantization.zoo.bridge import ZooModel, find_entry, prepared
from intel_quantization.zoo.config import Entry


def zoo_entry(job: jobs.Job) -> Entry | None:
    """The entry of the job's zoo model; None where the job names none, or a command of its own.

    Raises:
        BadInputError: the file of models is broken, or this zoo lacks the model.
    """
    if job.models_zoo is None or job.model_name is None or job.callback is not None:
        return None
    config = None if job.models_config is None else jobs.path(job.models_config)
    return find_entry(job.model_name, jobs.path(job.models_zoo), config)


def with_entry(job: jobs.Job, entry: Entry) -> jobs.Job:
    """The job with the entry's names; those that the user gave count instead, or, if excluded, besides.

    Both must allow ``per_channel``.
    """
    return replace(
        job,
        inputs=job.inputs or entry.inputs,
        outputs=job.outputs or entry.outputs,
        excluded_ops=tuple(dict.fromkeys(job.excluded_ops + entry.excluded_ops)),
        excluded_nodes=tuple(dict.fromkeys(job.excluded_nodes + entry.excluded_nodes)),
        per_channel=job.per_channel and entry.per_channel,
    )


def zoo_model(job: jobs.Job, entry: Entry) -> AbstractContextManager[ZooModel]:
    """The model, ready to run in the job's workspace.

    Raises:
        BadInputError: on entering: the entry needs what the job has not.
    """
    data = None if job.data_location is None else jobs.path(job.data_location)
    sources = None if job.models_source_dir is None else jobs.path(job.models_source_dir)
    zoo = os.path.realpath(jobs.path(job.models_zoo or ""))
    return prepared(entry, zoo, data, sources, batch_size=job.batch_size, threads=job.threads)
