"""The tune stage of a job: layers go back to FP32 where more is lost than may be."""

from __future__ import annotations

from dataclasses import replace

from intel_quantization.contract.words import TUNE
from intel_quantization.job_stages.convert import Converted
from intel_quantization.job_stages.measure import Measured, measure_graphs
from intel_quantization.job_stages.prepare import Prepared
from intel_quantization.job_stages.run_context import RunContext, output_suffix
from intel_quantization.measure.verdict import HELD
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.tune.search import MOST, Outcome
from intel_quantization.tune.trial import Request, outcome_of
from intel_quantization.tune.tune import Tuning, tune
from intel_quantization.writing.write_result import write_result


def tune_graph(
    run: RunContext, prepared: Prepared, converted: Converted, measured: Measured
) -> tuple[Converted, Measured, Tuning | None]:
    """Tune, and measure what comes of it; all as it was where nothing is to be done, or nothing helps.

    Raises:
        QuantizationError: the graph that was chosen does not run.
    """
    tuning = _tune(run, prepared, converted, measured) if run.job.tune and not measured.obstacle else None
    if tuning is None or tuning.conversion is converted.conversion:
        return converted, measured, tuning
    write_result(tuning.conversion, run.publication.path(output_suffix(run.job)), run.job.allow_op)
    return (
        replace(converted, conversion=tuning.conversion),
        measure_graphs(run, prepared, tuning.conversion),
        tuning,
    )


def _tune(run: RunContext, prepared: Prepared, converted: Converted, measured: Measured) -> Tuning | None:
    events, accuracy, verdict = run.events, measured.accuracy, measured.verdict
    run.stages.enter(TUNE)
    if verdict is None or accuracy is None or (not accuracy.measures and accuracy.agreement is None):
        events.log("--tune: nothing tells what is lost: give labels, or a --metric", "warning")
        return None
    now = outcome_of(accuracy, 0.0 if measured.latency is None else measured.latency.int8_ms)
    if verdict.word == HELD or now.points <= verdict.max_drop:
        events.log(f"--tune: nothing to do, as no more than --max_drop {verdict.max_drop:g} points are lost")
        return None
    if measured.blame is None or not measured.blame.suspects:
        events.log("--tune: which layers lose is not known", "warning")
        return None
    conversion = converted.conversion
    samples = run.job.samples if run.job.callback is None and run.zoo is None else 0
    tuning = tune(
        conversion,
        Options.of_job(run.job, run.algo),
        measured.blame,
        Request(run.job, conversion.inputs, prepared.outputs, prepared.mode, run.seed, samples),
        Outcome(now.points, now.low, now.high, now.ms),
        now.metric,
        verdict.max_drop,
        lambda text: events.log(f"--tune: {text}"),
        lambda done: events.progress(TUNE, done, MOST, "evaluations"),
    )
    events.log(tuning.text)
    if tuning.found.best is not None and tuning.found.best.excluded:
        events.log("--tune: the same without it: --excluded_nodes " + ",".join(tuning.found.best.excluded))
    return tuning
