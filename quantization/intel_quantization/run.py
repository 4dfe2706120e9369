"""One job from beginning to end; what each stage does is in :mod:`intel_quantization.stages`."""

from __future__ import annotations

import os
from typing import Callable, List

from intel_quantization import environment
from intel_quantization import job as jobs
from intel_quantization.contract.cpu import what_int8_can_win
from intel_quantization.contract.words import TUNE
from intel_quantization.events import EventStream, Stages
from intel_quantization.job_stages.convert import convert_graph
from intel_quantization.job_stages.finish import finish_job
from intel_quantization.job_stages.measure import measure_graphs
from intel_quantization.job_stages.prepare import prepare_data
from intel_quantization.job_stages.run_context import RunContext
from intel_quantization.job_stages.tune import tune_graph
from intel_quantization.measure.verdict import BROKEN, EXIT_CODE
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.publish import Publication
from intel_quantization.reading.load import load_graph
from intel_quantization.zoo_job import with_entry, zoo_entry


def run_job(job: jobs.Job, events: EventStream, clean_ups: List[Callable[[], None]]) -> int:
    """Do ``job``, tell ``events``, and leave the results in the workspace's output folder.

    Args:
        clean_ups: gets what is to be called if a signal ends the process.

    Returns:
        0, or measure.verdict.EXIT_CODE where the INT8 graph lost more than is allowed; the results are there then, too.

    Raises:
        QuantizationError: or one of its subclasses, with nothing left behind.
    """
    surroundings = environment.describe(job.threads)
    events.emit("start", **surroundings)
    with Publication(os.path.dirname(jobs.path(job.out_graph)), job.stem) as publication:
        clean_ups.append(publication.discard)
        zoo = zoo_entry(job)
        job = job if zoo is None else with_entry(job, zoo)
        run = RunContext(job, zoo, events, Stages(events, (TUNE,) if job.tune else ()), surroundings, publication)
        run.stages.enter("read")
        events.log(what_int8_can_win(surroundings["cpu"]))
        Capabilities(job.target_tensorflow)  # it is known
        loaded = load_graph(
            jobs.path(job.in_graph), job.inputs, job.outputs, signature=job.signature or "", allow_op=job.allow_op
        )
        if loaded.signature:
            events.log(f"SavedModel, signature {loaded.signature}")
        prepared = prepare_data(run, loaded)
        converted = convert_graph(run, loaded, prepared)
        measured = measure_graphs(run, prepared, converted.conversion)
        converted, measured, tuning = tune_graph(run, prepared, converted, measured)
        finish_job(run, prepared, converted, measured, tuning)
    return EXIT_CODE if measured.verdict is not None and measured.verdict.word == BROKEN else 0
