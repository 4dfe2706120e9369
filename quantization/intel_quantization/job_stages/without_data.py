"""``--data none``: calibrate on made-up samples, and say what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict

from intel_quantization.calibration.made_up_ranges import made_up_ranges
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.choosing.norms import find_norms
from intel_quantization.choosing.preprocess_choice import Candidate
from intel_quantization.choosing.preprocess_options import is_chosen, settle
from intel_quantization.data import preprocess
from intel_quantization.data.given import as_feed
from intel_quantization.data.made_up import made_up_data
from intel_quantization.graph import tensors
from intel_quantization.graph.explain import explained
from intel_quantization.graph.graph import Graph
from intel_quantization.job_stages.prepare import Prepared
from intel_quantization.job_stages.run_context import RunContext
from intel_quantization.reading.load import Loaded
from intel_quantization.stages.calibrate import calibrate_on_feed
from intel_quantization.stages.optimize import Optimized

EXPECTED = "on six real classifiers 2 to 20 of 100 answers were other than FP32's"
"""What is lost, for people; see docs/how-to/data.md."""


@dataclass(frozen=True)
class MadeUp:
    """What came of it.

    Attributes:
        statistics: with the ranges that real data may have.
        told: what the report says of the calibration.
    """

    statistics: Statistics
    told: Dict[str, Any]


def calibrate_without_data(run: RunContext, loaded: Loaded, prepared: Prepared, optimized: Optimized) -> MadeUp:
    """Calibrate on made-up samples; ranges come from activations and batch norms where they suffice.

    Raises:
        BadInputError: nothing can be made up for an input.
    """
    job, events = run.job, run.events
    data = made_up_data(loaded.inputs, run.seed, job.samples)
    candidate = Candidate(prepared.runnable, list(prepared.outputs), loaded.inputs, job.threads)
    mode = settle(job, data, candidate, events).preprocessing
    feed = data.feed(data.split.calibration, mode, job.batch_size)
    total = len(data.split.calibration)

    def on_batch(batches: int) -> None:
        events.progress("calibrate", min(batches * feed.batch_size, total), total, data.unit)

    batches = as_feed(feed, loaded.inputs)
    statistics = calibrate_on_feed(optimized, batches, on_batch, job.threads or 0, {"made_up": data.what})
    with explained(loaded.graph_def):
        norms = find_norms(Graph(loaded.graph_def, list(prepared.outputs)))
    known = {tensors.node_of(norm.output): (norm.beta, norm.gamma) for norm in norms}
    counts = made_up_ranges(statistics, optimized.graph_def, known)
    ranges = (
        f"{counts['activation']} ranges from bounded activations, {counts['norm']} from batch norms, "
        f"{counts['room']} from made-up input, widened"
    )
    text = f"no data: {ranges}; for a first look only, {EXPECTED}"
    events.log(f"--data none: {data.what}; {text}", "warning")
    return MadeUp(
        statistics,
        {
            "samples": total,
            "unit": data.unit,
            "algorithm": run.algo,
            "preprocess": None if mode is None else str(preprocess.preprocessing(mode)),
            "preprocess_details": None if mode is None else mode.details(),
            "preprocess_chosen": is_chosen(job) and data.layout is not None,
            "batch_size": feed.batch_size,
            "seed": run.seed,
            "function": None,
            "made_up": text,
        },
    )
