"""Tuning as a part of a job: whether there is anything to do, and what is told."""

from __future__ import annotations

from typing import Any, Optional

from intel_quantization import evaluate
from intel_quantization import job as jobs
from intel_quantization.benchmark import Latency
from intel_quantization.blame.blame import Blame
from intel_quantization.conversion import Conversion
from intel_quantization.events import EventStream
from intel_quantization.measure.verdict import HELD, Verdict
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.tune.search import MOST, Outcome
from intel_quantization.tune.trial import Request, outcome_of
from intel_quantization.tune.tune import Tuning, tune


def tune_job(
    job: jobs.Job,
    conversion: Conversion,
    options: Options,
    blame: Optional[Blame],
    accuracy: Optional[evaluate.Accuracy],
    latency: Optional[Latency],
    verdict: Optional[Verdict],
    mode: Any,
    seed: int,
    events: EventStream,
) -> Optional[Tuning]:
    """Tune where the graph loses more than it may; None where it does not, or where that cannot be told.

    Args:
        job: as it was given.
        conversion, options: of the graph.
        blame: which layers lose.
        accuracy, latency, verdict: as they were measured.
        mode: the preprocessing, or None.
        seed: by which data are drawn.
        events: of the job.
    """
    if verdict is None or accuracy is None or (not accuracy.measures and accuracy.agreement is None):
        events.log("--tune: nothing tells what is lost: give labels, or a --metric", "warning")
        return None
    now = outcome_of(accuracy, 0.0 if latency is None else latency.int8_ms)
    if verdict.word == HELD or now.points <= verdict.max_drop:
        events.log(f"--tune: nothing to do, as no more than --max_drop {verdict.max_drop:g} points are lost")
        return None
    if blame is None or not blame.suspects:
        events.log("--tune: which layers lose is not known", "warning")
        return None
    inputs, outputs = conversion.inputs, tuple(info.name for info in conversion.outputs)
    tuning = tune(
        conversion,
        options,
        blame,
        Request(job, inputs, outputs, mode, seed),
        Outcome(now.points, now.low, now.high, now.ms),
        now.metric,
        verdict.max_drop,
        lambda text: events.log(f"--tune: {text}"),
        lambda done: events.progress("tune", done, MOST, "evaluations"),
    )
    events.log(tuning.text)
    if tuning.found.best is not None and tuning.found.best.excluded:
        events.log("--tune: the same without it: --excluded_nodes " + ",".join(tuning.found.best.excluded))
    return tuning
