"""The last stage of a job: report, publish, and tell."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Dict, List

from intel_quantization import job as jobs
from intel_quantization.blame.blame import Blame
from intel_quantization.calibration.statistics_file import save_statistics
from intel_quantization.choosing.preprocess_options import is_chosen
from intel_quantization.comparison.alarms import NOT_COMPARED, Settings, alarms_of
from intel_quantization.contract import outputs
from intel_quantization.contract.words import ALGORITHMS
from intel_quantization.data import preprocess
from intel_quantization.job_stages.convert import Converted
from intel_quantization.job_stages.measure import Measured
from intel_quantization.job_stages.prepare import Prepared
from intel_quantization.job_stages.run_context import RunContext
from intel_quantization.measure.of_job import points_lost
from intel_quantization.report import write_report
from intel_quantization.report.content import Parts, build_report
from intel_quantization.report.model_explorer import node_data
from intel_quantization.tune.tune import Tuning

_MOST_REASONS = 200
_MOST_OUTPUTS = 20
_MOST_SUSPECTS = 10


def finish_job(
    run: RunContext, prepared: Prepared, converted: Converted, measured: Measured, tuning: Tuning | None = None
) -> None:
    """Write statistics and reports, move all files into place, and tell the result.

    Raises:
        OutputError: a file cannot be written.
    """
    job, publication = run.job, run.publication
    accuracy, latency, blame = measured.accuracy, measured.latency, measured.blame
    save_statistics(converted.conversion.statistics, publication.path(outputs.STATISTICS))
    if job.intermediate:
        save_statistics(converted.conversion.statistics, publication.path(outputs.WITH_PATCHES))
    parts = Parts(
        in_graph=jobs.path(job.in_graph),
        int8_graph=publication.path(outputs.graph_suffix(job.format)),
        accuracy=None if accuracy is None else accuracy.as_dict(),
        alarms=[] if measured.obstacle else _alarms(run, prepared, measured, converted.calibration),
        latency=None if latency is None else asdict(latency),
        not_measured=measured.obstacle,
        calibration=converted.calibration,
        environment=run.surroundings,
        verdict=None if measured.verdict is None else measured.verdict.as_dict(),
        blame=None if blame is None else blame.as_dict(points_lost(accuracy)),
        tuning=None if tuning is None else tuning.as_dict(),
        samples=() if accuracy is None else [each.as_dict() for each in accuracy.differing],
        times=_times(blame),
    )
    report = build_report(job, converted.conversion, parts)
    suffixes = (outputs.REPORT_HTML, outputs.REPORT_JSON, outputs.REPORT_MARKDOWN)
    pictures = () if accuracy is None else [each.jpeg for each in accuracy.differing]
    html, data, markdown = map(publication.path, suffixes)
    write_report(report, html, data, markdown, pictures)
    overlay = node_data(converted.conversion, report["blame"])
    if overlay is not None:
        with open(publication.path(outputs.MODEL_EXPLORER), "w", encoding="utf-8") as stream:
            json.dump(overlay, stream, indent=1, allow_nan=False)
    names = publication.commit()
    run.events.emit(
        "result",
        verdict=report["verdict"],
        alarms=report["alarms"],
        ops=report["ops"],
        reasons=report["reasons"][:_MOST_REASONS],
        blame=blame and blame.as_dict(points_lost(accuracy), _MOST_SUSPECTS)["opportunities"],
        tuning=report["tuning"],
        accuracy=accuracy and accuracy.as_dict(_MOST_OUTPUTS),
        latency=report["latency"],
        size=report["size"],
        calibration=report["calibration"],
        outputs=names,
    )


def _times(blame: Blame | None) -> Dict[str, Dict[str, float]]:
    """Milliseconds of the nodes of both graphs, as far as they were measured."""
    traces = () if blame is None else blame.traces
    return {which: {name: node.ms for name, node in trace.items()} for which, trace in zip(("fp32", "int8"), traces)}


def _alarms(
    run: RunContext, prepared: Prepared, measured: Measured, calibration: Dict[str, Any]
) -> List[Dict[str, Any]]:
    """What is wrong with the answers, and what of the options is left to try."""
    pixels = prepared.data is not None and prepared.data.layout is not None
    mode = prepared.mode.mode if pixels and prepared.mode is not None else None
    settings = Settings(
        run.algo,
        ALGORITHMS,
        calibration["samples"],
        run.job.per_channel,
        run.job.equalize,
        None if mode == preprocess.CUSTOM else mode,
        is_chosen(run.job),
    )
    if measured.accuracy is None:
        return alarms_of((), () if run.job.evaluate == 0 or not run.job.measure else (NOT_COMPARED,), settings)
    return alarms_of(measured.accuracy.findings, measured.accuracy.concerns, settings)
