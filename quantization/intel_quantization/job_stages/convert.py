"""The stages between a job's preparation and its measurements: calibrate in the way that it asks for, and quantize."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Dict, Sequence

from intel_quantization import job as jobs
from intel_quantization.calibration.by_command.callback import DEFAULT_SAMPLES
from intel_quantization.calibration.by_command.command import command_words, display
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.calibration.statistics_file import load_statistics
from intel_quantization.choosing.preprocess_options import is_chosen
from intel_quantization.contract import outputs
from intel_quantization.contract.words import NO_DATA
from intel_quantization.conversion import Conversion
from intel_quantization.data import preprocess
from intel_quantization.data.given import as_feed
from intel_quantization.graph_files import GraphFiles
from intel_quantization.job_stages.kept import Kept
from intel_quantization.job_stages.prepare import Prepared
from intel_quantization.job_stages.run_context import RunContext, output_suffix
from intel_quantization.job_stages.without_data import calibrate_without_data
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.reading.load import Loaded
from intel_quantization.stages.calibrate import calibrate_by, calibrate_on_feed, use_statistics
from intel_quantization.stages.optimize import Optimized, optimize_graph
from intel_quantization.stages.quantize import quantize_optimized, verify_result
from intel_quantization.transforms.widen_half import narrow_types
from intel_quantization.zoo_job import zoo_model


@dataclass(frozen=True)
class Converted:
    """What came of a job's graph.

    Attributes:
        conversion: the graphs, the decisions and the statistics.
        calibration: what the report says of the calibration.
    """

    conversion: Conversion
    calibration: Dict[str, Any]


@dataclass(frozen=True)
class _Calibrated:
    statistics: Statistics
    told: Dict[str, Any]


def convert_graph(run: RunContext, loaded: Loaded, prepared: Prepared) -> Converted:
    """Optimize, calibrate, quantize and verify; the INT8 graph is left in the publication.

    Raises:
        BadInputError: the names, the data or the statistics cannot be used.
        QuantizationError: the conversion failed, or nothing could become INT8.
    """
    job, publication = run.job, run.publication
    saved = None if job.statistics is None else load_statistics(jobs.path(job.statistics))
    capabilities = Capabilities(job.target_tensorflow)
    files = GraphFiles(None, publication.path(outputs.INTERMEDIATE) if job.intermediate else None)
    run.stages.enter("optimize")
    optimized = optimize_graph(loaded, job.excluded_ops, job.excluded_nodes, capabilities, files)
    narrow = narrow_types(loaded.graph_def)
    if narrow and not narrow_types(optimized.graph_def):
        run.events.log("the graph computes in %s: what does not become INT8 computes in float32 now" % narrow)
    run.stages.enter("calibrate")
    calibrated = _calibrate(run, loaded, prepared, optimized, saved)
    statistics = calibrated.statistics
    run.stages.enter("quantize")
    quantized = quantize_optimized(optimized, statistics, Options.of_job(job, run.algo), capabilities, files)
    run.stages.enter("verify")
    conversion = verify_result(
        loaded,
        optimized,
        statistics,
        quantized,
        capabilities,
        files,
        publication.path(output_suffix(job)),
        job.allow_op,
    )
    for text in conversion.notes:
        run.events.log(text, "warning")
    if job.target_tensorflow is not None:
        run.events.log("the INT8 graph has what these TensorFlow versions know: " + ", ".join(conversion.made_for))
    return Converted(conversion, calibrated.told)


def _calibrate(
    run: RunContext, loaded: Loaded, prepared: Prepared, optimized: Optimized, saved: Statistics | None
) -> _Calibrated:
    if saved is not None:
        return _by_statistics(run, optimized, saved)
    if run.job.callback is not None:
        words = [jobs.here(word) for word in command_words(run.job.callback)]
        return _by_command(run, loaded, optimized, words, run.job.callback)
    if run.zoo is not None:
        with zoo_model(run.job, run.zoo) as model:
            shown = display(model.command)
            run.events.log(f"Model Zoo {model.zoo}: {shown}")
            return _by_command(run, loaded, optimized, model.words, shown)
    if run.job.data == NO_DATA:
        made_up = calibrate_without_data(run, loaded, prepared, optimized)
        return _Calibrated(made_up.statistics, made_up.told)
    return _by_data(run, loaded, prepared, optimized)


def _by_data(run: RunContext, loaded: Loaded, prepared: Prepared, optimized: Optimized) -> _Calibrated:
    job, data, mode = run.job, prepared.data, prepared.mode
    assert data is not None  # prepare_data opened them
    part = data.split.calibration
    feed = data.feed(part, mode, job.batch_size)
    total = len(part)

    def on_batch(batches: int) -> None:
        run.events.progress("calibrate", min(batches * (feed.batch_size or 1), total), total, data.unit)

    told = {
        "samples": total,
        "unit": data.unit,
        "function": job.data_function and os.path.basename(job.data_function),
        "algorithm": run.algo,
        # None: no pixels, the data are fed as they are
        "preprocess": None if data.layout is None else str(preprocess.preprocessing(feed.mode)),
        "preprocess_details": None if mode is None else mode.details(),
        "preprocess_chosen": is_chosen(job) and data.layout is not None,
        "batch_size": feed.batch_size,
        "seed": None if data.total is None else run.seed,  # of a function, the first samples are taken
    }
    kept = Kept.of_job(job, optimized, lambda: as_feed(data.feed(part, mode, job.batch_size), loaded.inputs))
    earlier = None if kept is None or data.total is None else kept.find(_for_the_record(run, told))
    if earlier is not None:
        run.events.log("calibrated by an earlier run, which fed the same to the same graph")
        return _Calibrated(earlier, told if feed.batch_size else dict(told, samples=earlier.samples))
    batches = as_feed(feed, loaded.inputs)
    statistics = calibrate_on_feed(optimized, batches, on_batch, job.threads or 0, _for_the_record(run, told))
    if kept is not None and data.total is not None:
        kept.keep(statistics)
    if statistics.unmeasured:
        run.events.log("layers are judged by their own outputs alone: " + statistics.unmeasured)
    return _Calibrated(statistics, told if feed.batch_size else dict(told, samples=statistics.samples))


def _by_command(run: RunContext, loaded: Loaded, optimized: Optimized, words: Sequence[str], shown: str) -> _Calibrated:
    total = run.job.samples or DEFAULT_SAMPLES

    def on_samples(samples: int) -> None:
        run.events.progress("calibrate", samples, total)

    told = {"samples": total, "unit": "samples", "algorithm": run.algo, "command": shown}
    options = _for_the_record(run, told)
    statistics = calibrate_by(optimized, loaded, words, total, on_samples, _show, options=options)
    if statistics.samples < total:
        run.events.log(f"the calibration command fed {statistics.samples} samples, not {total}", "warning")
    return _Calibrated(statistics, dict(told, samples=statistics.samples))


def _by_statistics(run: RunContext, optimized: Optimized, saved: Statistics) -> _Calibrated:
    """What an earlier run saw, and what cannot be redone with that."""
    name = os.path.basename(run.job.statistics or "")
    statistics = use_statistics(optimized, saved)
    run.events.log(f"no calibration: what {statistics.samples} samples showed an earlier run is in {name}")
    if not statistics.patches:
        lost = ["AUTO takes MSE for each tensor"] if run.algo == "AUTO" else []
        lost += ["equalization"] if run.job.equalize else []
        lost += ["adaptive rounding"] if run.job.adaptive_rounding else []
        if lost:
            run.events.log(
                f"{name} has no patches of what layers read, so without: {', '.join(lost)}; a run with --intermediate "
                f"keeps them, in NAME{outputs.WITH_PATCHES}",
                "warning",
            )
    return _Calibrated(
        statistics, {"samples": statistics.samples, "unit": "samples", "algorithm": run.algo, "statistics": name}
    )


def _for_the_record(run: RunContext, told: Dict[str, Any]) -> Dict[str, Any]:
    """What of a job decides what calibration sees, beside the data."""
    job = run.job
    options = {key: value for key, value in told.items() if key not in ("algorithm", "samples")}
    return dict(
        options, excluded_ops=list(job.excluded_ops), excluded_nodes=list(job.excluded_nodes), samples=job.samples
    )


def _show(line: str) -> None:
    """A line of the calibration command, among the log of the job."""
    print(line, file=sys.stderr, flush=True)
