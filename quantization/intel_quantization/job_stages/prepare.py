"""The prepare stage of a job: its data, divided, and what becomes of their pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

from tensorflow.core.framework.graph_pb2 import GraphDef

from intel_quantization.choosing.preprocess_choice import Candidate
from intel_quantization.choosing.preprocess_options import settle, warnings_about
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.preprocess import Preprocessing
from intel_quantization.errors import BadInputError
from intel_quantization.graph.explain import explained
from intel_quantization.job_data import open_data
from intel_quantization.job_stages.run_context import RunContext
from intel_quantization.reading.load import Loaded
from intel_quantization.transforms.convert_layout import in_nhwc


@dataclass(frozen=True)
class Prepared:
    """What a job runs its graphs on.

    Attributes:
        runnable: the FP32 graph, in NHWC: it runs in the process of the INT8 graph.
        outputs: names of its outputs.
        data: the samples; None where there are none to compare on.
        mode: what becomes of pixels; None where the data are fed as they are.
        doubt: why the preprocessing may be another; empty where it is not.
    """

    runnable: GraphDef = field(repr=False)
    outputs: tuple[str, ...]
    data: Dataset | None
    mode: Preprocessing | None
    doubt: str = ""


def prepare_data(run: RunContext, loaded: Loaded) -> Prepared:
    """Open the data, and choose what becomes of their pixels where the job does not say it.

    Raises:
        BadInputError: there are no data, or they do not fit the graph.
    """
    job = run.job
    outputs = tuple(info.name for info in loaded.outputs)
    with explained(loaded.graph_def):
        runnable = in_nhwc(loaded.graph_def, list(outputs))
    calibrates = job.callback is None and run.zoo is None and job.statistics is None and job.data is None
    data = _open_to_calibrate(run, loaded) if calibrates else _open_to_compare(run, loaded)
    if data is None:
        return Prepared(runnable, outputs, None, None)
    candidate = Candidate(runnable, list(outputs), loaded.inputs, job.threads)
    settled = settle(job, data, candidate, run.events)
    return Prepared(runnable, outputs, data, settled.preprocessing, settled.doubt)


def _open_to_calibrate(run: RunContext, loaded: Loaded) -> Dataset:
    job, events = run.job, run.events
    data = open_data(job, loaded.inputs, run.seed, job.samples)
    split = data.split
    if data.total is None:
        parts = f"{len(split.calibration)} samples to calibrate, the next {len(split.evaluation)} to compare on"
        events.log(f"{data.what}: {parts}")
    else:
        parts = f"{len(split.calibration)} to calibrate, {len(split.evaluation)} others to compare on"
        events.log(f"{data.what}: {parts} (seed {run.seed})")
    for text in (*warnings_about(job, data), *data.warnings):
        events.log(text, "warning")
    if job.samples is not None and data.total is not None and job.samples > data.total:
        events.log(f"--samples asks for {job.samples}, but there are {data.total}", "warning")
    if not split.evaluation and job.evaluate != 0:
        events.log(f"no {data.unit} are left to compare FP32 and INT8 on: give more, or fewer --samples", "warning")
    return data


def _open_to_compare(run: RunContext, loaded: Loaded) -> Dataset | None:
    """Where something else calibrates, data are there to compare on only, and may be missing.

    An earlier run, whose statistics are used, may have calibrated on some of them: those that this one would calibrate
    on, with the same options, are left out.
    """
    job, events = run.job, run.events
    why = "--evaluate is 0" if job.evaluate == 0 else "that needs images or other data, --data_location"
    if (job.data_location is not None or job.data_function is not None) and job.evaluate != 0:
        try:
            data = open_data(job, loaded.inputs, run.seed, 0 if job.statistics is None else job.samples)
        except BadInputError as error:
            why = error.message
        else:
            left = f" (seed {run.seed}, {len(data.split.calibration)} left out)" if data.split.calibration else ""
            events.log(f"{len(data.split.evaluation)} of {data.what} to compare FP32 and INT8 on{left}")
            return data
    events.log(f"the accuracy of FP32 and INT8 is not compared: {why}")
    return None
