"""The measure stage of a job: both graphs on samples that did not calibrate, in turns."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Sequence

import numpy as np

from intel_quantization.blame.blame import Blame
from intel_quantization.blame.of_job import blame_of_job
from intel_quantization.comparison.findings import Concern
from intel_quantization.comparison.other_modes import guessed_mode, judge_mode
from intel_quantization.contract.cpu import INT8_FLAGS, has_int8
from intel_quantization.conversion import Conversion
from intel_quantization.data import preprocess
from intel_quantization.data.dataset import Dataset, batch_of
from intel_quantization.data.thumbnail import Thumbnails
from intel_quantization.errors import QuantizationError
from intel_quantization.job_stages.prepare import Prepared
from intel_quantization.job_stages.run_context import RunContext
from intel_quantization.measure import benchmark, evaluate, int8_kernels
from intel_quantization.measure.benchmark import Latency
from intel_quantization.measure.differing import Differing
from intel_quantization.measure.evaluate import Accuracy
from intel_quantization.measure.how_many import count_multiplications, samples_to_blame, samples_to_compare, spread
from intel_quantization.measure.of_job import metric_of, verdict_of
from intel_quantization.measure.runner import Runner
from intel_quantization.measure.synthetic import synthetic_feed
from intel_quantization.measure.verdict import Verdict
from intel_quantization.quantize.quantize_graph import Options

_TRIED = 16  # images, to see whether another preprocessing fits better
_SMALL = 320 * 320  # pixels of images of which many may be tried in every mode


@dataclass(frozen=True)
class Measured:
    """What both graphs showed.

    Attributes:
        accuracy: how INT8 compares with FP32; None where that was not looked at.
        latency: of both; None where it could not be measured.
        obstacle: why the INT8 graph cannot be run here; empty where it can.
        verdict: what is said of the limit; None without one.
        blame: which layers lose; None where that was not measured.
    """

    accuracy: Accuracy | None = None
    latency: Latency | None = None
    obstacle: str = ""
    verdict: Verdict | None = None
    blame: Blame | None = None


def measure_graphs(run: RunContext, prepared: Prepared, conversion: Conversion) -> Measured:
    """Run both graphs, where the INT8 graph runs here.

    Raises:
        QuantizationError: a graph does not run, or gives what cannot be compared.
    """
    run.stages.enter("measure")
    if not run.job.measure:
        return Measured()
    obstacle = _find_obstacle(run)
    if obstacle:
        return Measured(obstacle=obstacle, verdict=verdict_of(run.job, None, obstacle))
    threads, outputs, work = run.job.threads, list(prepared.outputs), count_multiplications(conversion)
    with Runner(prepared.runnable, outputs, threads, "the FP32 graph") as fp32, Runner(
        conversion.graph, outputs, threads, "the INT8 graph"
    ) as int8:
        latency = _measure_latency(run, prepared, conversion, fp32, int8)
        accuracy = _measure_accuracy(run, prepared, work, fp32, int8)
    blame = _find_blame(run, prepared, conversion, samples_to_blame(work)) if run.job.blame else None
    if latency is not None and latency.speedup < 1:
        run.events.log(_slower_text(latency, run.surroundings["cpu"]), "warning")
    return Measured(accuracy, latency, "", verdict_of(run.job, accuracy, ""), blame)


def _find_blame(run: RunContext, prepared: Prepared, conversion: Conversion, samples: int) -> Blame | None:
    data = prepared.data
    if data is None or not data.split.calibration:
        return None
    # one by one: each run is a draw of how far errors move the outputs
    feed = data.feed(spread(data.split.calibration, samples), prepared.mode, 1)
    options = Options.of_job(run.job, run.algo)
    one = next(iter(data.feed(data.split.calibration[:1], prepared.mode, 1)), None)
    return blame_of_job(conversion, options, feed, run.job.threads, run.events, one)


def _find_obstacle(run: RunContext) -> str:
    version = run.surroundings["tensorflow"]
    why = int8_kernels.obstacle() if int8_kernels.may_fail(version) else ""
    if why:
        run.events.log(
            f"not measured: the INT8 kernels of TensorFlow {version} do not run on this CPU: {why}; the graph is "
            "whole: measure it on another CPU, or convert with --tensorflow 2.14, whose kernels run everywhere",
            "warning",
        )
    return why


def _measure_latency(
    run: RunContext, prepared: Prepared, conversion: Conversion, fp32: Runner, int8: Runner
) -> Latency | None:
    data = prepared.data
    if data is not None:
        part = (data.split.evaluation or data.split.calibration)[:1]
        feed = next(iter(data.feed(part, prepared.mode, 1)), None)
        if feed is not None:
            return benchmark.measure(fp32, int8, feed, batch_of(feed))
    try:
        feed, batch = synthetic_feed(conversion.inputs, conversion.statistics)
        return benchmark.measure(fp32, int8, feed, batch)
    except QuantizationError as error:  # the graph may refuse what we make up; the result stands
        run.events.log(f"the latency was not measured: {error.message}", "warning")
        return None


def _measure_accuracy(run: RunContext, prepared: Prepared, work: float, fp32: Runner, int8: Runner) -> Accuracy | None:
    data = prepared.data
    if data is None or not data.split.evaluation:
        return None
    part, labelling, there = data.split.evaluation, data.labelling, len(data.split.evaluation)
    count = samples_to_compare(run.job, work, there)
    if count < there:
        part = spread(part, count)
        run.events.log(
            f"compared on {count} of {there} {data.unit}, so as to take no longer than converting did; "
            f"--evaluate {there}, or a --max_drop, compares on all"
        )
    feed = data.feed(part, prepared.mode, run.job.batch_size)

    def on_progress(done: int) -> None:
        run.events.progress("measure", min(done, len(part)), len(part), data.unit)

    custom = metric_of(run.job, prepared.outputs)
    flipped = prepared.mode is not None and prepared.mode.details()["channel_order"] == "bgr"
    with ExitStack() as stack:
        thumbnails = stack.enter_context(Thumbnails()) if run.job.thumbnails else None
        differing = Differing(thumbnails, flipped)
        accuracy = evaluate.compare(fp32, int8, feed, labelling, on_progress, list(prepared.outputs), custom, differing)
    if not accuracy.images:
        run.events.log("nothing was left to compare FP32 and INT8 on", "warning")
        return None
    given = f"{labelling.classes} classes" if labelling.classes else "the labels" if run.job.labels else ""
    if given and not accuracy.labelled and not accuracy.measures:
        run.events.log(f"top-1 is not known: {given} do not fit the classes that the graph tells apart", "warning")
    return replace(accuracy, unit=data.unit, concerns=accuracy.concerns + _find_doubts(run, prepared, data, fp32))


def _find_doubts(run: RunContext, prepared: Prepared, data: Dataset, fp32: Runner) -> tuple[Concern, ...]:
    """Whether the preprocessing was guessed, or FP32 does better under another than the one that was given."""
    mode, layout = run.job.preprocess, data.layout
    if mode is None or layout is None:
        return (guessed_mode(prepared.doubt),) if prepared.doubt else ()
    small = layout.size is not None and layout.size[0] * layout.size[1] <= _SMALL
    part, most = data.split.evaluation, _TRIED if small else _TRIED // 4
    some = part[:: max(len(part) // most, 1)][:most]  # their order may be that of the classes

    def try_mode(other: str) -> list[list[np.ndarray]]:
        tried = replace(preprocess.preprocessing(prepared.mode or other), mode=other)
        return [list(fp32.run(feed)) for feed in data.feed(some, tried, run.job.batch_size)]

    return judge_mode(mode, preprocess.modes_for(layout.dtype, layout.channels), try_mode, list(prepared.outputs))


def _slower_text(latency: Latency, cpu: Sequence[str]) -> str:
    text = f"INT8 is slower than FP32 here: {latency.int8_ms:.2f} ms against {latency.fp32_ms:.2f} ms"
    if not has_int8(cpu):
        text += f"; this CPU has no INT8 dot products ({', '.join(INT8_FLAGS)}; it has {', '.join(cpu)})"
    return text
