"""One job from beginning to end: read, choose, convert, compare, report, publish."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from typing import Any, Dict, List, Optional, Sequence

from intel_quantization import benchmark, environment, evaluate, int8_kernels, preprocess
from intel_quantization import job as jobs
from intel_quantization.calibration.callback import DEFAULT_SAMPLES
from intel_quantization.calibration.command import command_words, display
from intel_quantization.calibration.dataset import Dataset, batch_of
from intel_quantization.calibration.datasets import open_dataset
from intel_quantization.calibration.function_data import function_data
from intel_quantization.comparison.alarms import NOT_COMPARED, Settings, alarms_of
from intel_quantization.comparison.other_modes import guessed_mode, judge_mode
from intel_quantization.contract import outputs
from intel_quantization.contract.cpu import INT8_FLAGS, has_int8
from intel_quantization.contract.words import ALGORITHMS, TARGET_CPUS
from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.events import EventStream, Stages
from intel_quantization.graph.capabilities import Capabilities
from intel_quantization.graph.explain import explained
from intel_quantization.graph.load import load_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.preprocess_choice import Candidate
from intel_quantization.preprocess_options import is_chosen, settle, warnings_about
from intel_quantization.publish import Publication
from intel_quantization.report import write_report
from intel_quantization.report.content import build
from intel_quantization.runner import Runner
from intel_quantization.synthetic import synthetic_feed
from intel_quantization.transforms.convert_layout import in_nhwc
from intel_quantization.zoo_job import with_entry, zoo_entry, zoo_model

DEFAULT_SEED = 0
ALGORITHM = ALGORITHMS[0]
"""The default; measured best, see docs/explanation/calibration.md."""
_MOST_REASONS = 200
_MOST_OUTPUTS = 20
_TRIED = 16  # images, to see whether another preprocessing fits better
_SMALL = 320 * 320  # pixels of images of which many may be tried in every mode


def run_job(job: jobs.Job, events: EventStream, clean_ups: list) -> None:
    """Do ``job``, tell ``events``, and leave the results in the workspace's output folder.

    Args:
        clean_ups: gets what is to be called if a signal ends the process.

    Raises:
        QuantizationError: or one of its subclasses, with nothing left behind.
    """
    surroundings = environment.describe(job.threads)
    events.emit("start", **surroundings)
    out = jobs.path(job.out_graph)
    with Publication(os.path.dirname(out), job.stem) as publication:
        clean_ups.append(publication.discard)
        _Run(job, events, surroundings, publication).everything()


class _Run:
    """The state that the steps of one job share."""

    def __init__(self, job: jobs.Job, events: EventStream, surroundings: dict, publication: Publication) -> None:
        self._zoo = zoo_entry(job)
        self._job = job if self._zoo is None else with_entry(job, self._zoo)
        self._events = events
        self._stages = Stages(events)
        self._surroundings = surroundings
        self._publication = publication
        self._algo = job.algo or ALGORITHM
        self._seed = DEFAULT_SEED if job.seed is None else job.seed
        self._data: Dataset | None = None
        self._guess = ""  # why the preprocessing may be another

    def everything(self) -> None:
        job, stages = self._job, self._stages
        stages.enter("read")
        Capabilities(job.target_tensorflow)  # it is known
        loaded = load_graph(
            jobs.path(job.in_graph), job.inputs, job.outputs, signature=job.signature or "", allow_op=job.allow_op
        )
        self._graph = loaded.graph_def
        self._inputs = [info.name for info in loaded.inputs]
        self._outputs = [info.name for info in loaded.outputs]
        with explained(self._graph):
            self._runnable = in_nhwc(self._graph, self._outputs)
        if loaded.signature:
            self._events.log(f"SavedModel, signature {loaded.signature}")
        self._tensors = loaded.inputs
        if job.callback is None and self._zoo is None:
            data = self._dataset()
            self._mode = self._preprocessing(data)
            conversion, calibration = self._by_data(data)
            self._data = data
        else:
            self._data = self._dataset_to_compare()
            self._mode = self._preprocessing(self._data) if self._data is not None else None
            conversion, calibration = self._by_zoo() if job.callback is None else self._by_callback(job.callback)
        if job.target_tensorflow is not None:
            self._events.log(
                "the INT8 graph has what these TensorFlow versions know: " + ", ".join(conversion.made_for)
            )
        stages.enter("measure")
        obstacle = self._obstacle()
        accuracy, latency = (None, None) if obstacle else self._compare(conversion)
        self._finish(conversion, calibration, accuracy, latency, obstacle)

    def _dataset(self) -> Dataset:
        job = self._job
        data = self._open(job.samples)
        split = data.split
        if data.total is None:
            parts = f"{len(split.calibration)} samples to calibrate, the next {len(split.evaluation)} to compare on"
            self._events.log(f"{data.what}: {parts}")
        else:
            parts = f"{len(split.calibration)} to calibrate, {len(split.evaluation)} others to compare on"
            self._events.log(f"{data.what}: {parts} (seed {self._seed})")
        for text in (*warnings_about(job, data), *data.warnings):
            self._events.log(text, "warning")
        if job.samples is not None and data.total is not None and job.samples > data.total:
            self._events.log(f"--samples asks for {job.samples}, but there are {data.total}", "warning")
        if not split.evaluation and job.evaluate != 0:
            self._events.log(
                f"no {data.unit} are left to compare FP32 and INT8 on: give more, or fewer --samples", "warning"
            )
        return data

    def _dataset_to_compare(self) -> Dataset | None:
        """Where a command calibrates, data are there to compare on only, and may be missing."""
        job = self._job
        why = "--evaluate is 0" if job.evaluate == 0 else "that needs images or other data, --data_location"
        if (job.data_location is not None or job.data_function is not None) and job.evaluate != 0:
            try:
                data = self._open(0)
            except BadInputError as error:
                why = error.message
            else:
                self._events.log(f"{len(data.split.evaluation)} of {data.what} to compare FP32 and INT8 on")
                return data
        self._events.log(f"the accuracy of FP32 and INT8 is not compared: {why}")
        return None

    def _open(self, samples: int | None) -> Dataset:
        job = self._job
        where = None if job.data_location is None else jobs.path(job.data_location)
        labels = None if job.labels is None else jobs.path(job.labels)
        if job.data_function is not None:
            path, name = job.data_function.rsplit(":", 1)
            return function_data(jobs.path(path), name, self._tensors, samples, job.evaluate, where)
        if where is None:
            raise BadInputError("no calibration data: --data_location is missing", "give it a folder of images")
        return open_dataset(where, self._tensors, samples, job.evaluate, self._seed, labels)

    def _preprocessing(self, data: Dataset):
        candidate = Candidate(self._runnable, self._outputs, self._tensors, self._job.threads)
        settled = settle(self._job, data, candidate, self._events)
        self._guess = settled.doubt
        return settled.preprocessing

    def _by_data(self, data: Dataset):
        """(Conversion, what the report says of the calibration)."""
        part = data.split.calibration
        feed = data.feed(part, self._mode, self._job.batch_size)
        total = len(part)

        def on_progress(batches):
            self._events.progress("calibrate", min(batches * (feed.batch_size or 1), total), total, data.unit)

        conversion = self._converter(calibration_data=feed, on_progress=on_progress).convert()
        return conversion, {
            "samples": total if feed.batch_size else conversion.statistics.samples,
            "unit": data.unit,
            "function": self._job.data_function and os.path.basename(self._job.data_function),
            "algorithm": self._algo,
            # None: no pixels, the data are fed as they are
            "preprocess": None if data.layout is None else str(preprocess.preprocessing(feed.mode)),
            "preprocess_details": None if self._mode is None else self._mode.details(),
            "preprocess_chosen": is_chosen(self._job) and data.layout is not None,
            "batch_size": feed.batch_size,
            "seed": None if data.total is None else self._seed,  # of a function, the first samples are taken
        }

    def _by_callback(self, command: str):
        return self._by_command([jobs.here(word) for word in command_words(command)], command)

    def _by_zoo(self):
        assert self._zoo is not None
        with zoo_model(self._job, self._zoo) as model:
            shown = display(model.command)
            self._events.log(f"Model Zoo {model.zoo}: {shown}")
            return self._by_command(model.words, shown)

    def _by_command(self, words: Sequence[str], shown: str):
        """(Conversion, what the report says of the calibration)."""
        total = self._job.samples or DEFAULT_SAMPLES

        def on_progress(samples):
            self._events.progress("calibrate", samples, total)

        converter = self._converter(samples=total, on_progress=on_progress, on_output=_show)
        converter.gen_calib_data_cmds = list(words)
        conversion = converter.convert()
        samples = conversion.statistics.samples
        if samples < total:
            self._events.log(f"the calibration command fed {samples} samples, not {total}", "warning")
        return conversion, {"samples": samples, "unit": "samples", "algorithm": self._algo, "command": shown}

    def _converter(self, **options) -> GraphConverter:
        job = self._job
        return GraphConverter(
            self._graph,
            self._publication.path(outputs.GRAPH),
            self._inputs,
            self._outputs,
            excluded_ops=job.excluded_ops,
            excluded_nodes=job.excluded_nodes,
            per_channel=job.per_channel,
            equalize=job.equalize,
            bias_correction=job.bias_correction,
            adaptive_rounding=job.adaptive_rounding,
            algo=self._algo,
            on_stage=self._stages.enter,
            intermediate_dir=self._publication.path(outputs.INTERMEDIATE) if job.intermediate else None,
            threads=job.threads or 0,
            target_tensorflow=job.target_tensorflow,
            target_cpu=job.target_cpu or TARGET_CPUS[0],
            allow_op=job.allow_op,
            **options,
        )

    def _obstacle(self) -> str:
        """Why the INT8 graph cannot be run here; empty where it can."""
        version = self._surroundings["tensorflow"]
        why = int8_kernels.obstacle() if int8_kernels.may_fail(version) else ""
        if why:
            self._events.log(
                f"not measured: the INT8 kernels of TensorFlow {version} do not run on this CPU: {why}; the graph is "
                "whole: measure it on another CPU, or convert with --tensorflow 2.14, whose kernels run everywhere",
                "warning",
            )
        return why

    def _compare(self, conversion):
        """(Accuracy | None, Latency | None)."""
        threads, outputs = self._job.threads, self._outputs
        with Runner(self._runnable, outputs, threads, "the FP32 graph") as fp32, Runner(
            conversion.graph, outputs, threads, "the INT8 graph"
        ) as int8:
            latency = self._latency(conversion, fp32, int8)
            accuracy = self._accuracy(self._data, fp32, int8) if self._data is not None else None
        if latency is not None and latency.speedup < 1:
            self._events.log(_slower_text(latency, self._surroundings["cpu"]), "warning")
        return accuracy, latency

    def _latency(self, conversion, fp32, int8):
        if self._data is not None:
            part = (self._data.split.evaluation or self._data.split.calibration)[:1]
            feed = next(iter(self._data.feed(part, self._mode, 1)), None)
            if feed is not None:
                return benchmark.measure(fp32, int8, feed, batch_of(feed))
        try:
            feed, batch = synthetic_feed(conversion.inputs, conversion.statistics)
            return benchmark.measure(fp32, int8, feed, batch)
        except QuantizationError as error:  # the graph may refuse what we make up; the result stands
            self._events.log(f"the latency was not measured: {error.message}", "warning")
            return None

    def _accuracy(self, data: Dataset, fp32, int8):
        part, labelling = data.split.evaluation, data.labelling
        if not part:
            return None
        feed = data.feed(part, self._mode, self._job.batch_size)

        def on_progress(done):
            self._events.progress("measure", min(done, len(part)), len(part), data.unit)

        accuracy = evaluate.compare(fp32, int8, feed, labelling, on_progress, self._outputs)
        if not accuracy.images:
            self._events.log("nothing was left to compare FP32 and INT8 on", "warning")
            return None
        given = f"{labelling.classes} classes" if labelling.classes else "the labels" if self._job.labels else ""
        if given and not accuracy.labelled:
            self._events.log(
                f"top-1 is not known: {given} do not fit the classes that the graph tells apart", "warning"
            )
        return replace(accuracy, unit=data.unit, concerns=accuracy.concerns + self._doubts(data, fp32))

    def _doubts(self, data: Dataset, fp32: Runner):
        """Whether the preprocessing was guessed, or FP32 does better under another than the one that was given."""
        mode, layout = self._job.preprocess, data.layout
        if mode is None or layout is None:
            return (guessed_mode(self._guess),) if self._guess else ()
        small = layout.size is not None and layout.size[0] * layout.size[1] <= _SMALL
        part, most = data.split.evaluation, _TRIED if small else _TRIED // 4
        some = part[:: max(len(part) // most, 1)][:most]  # their order may be that of the classes

        def run(other: str) -> list:
            tried = replace(preprocess.preprocessing(self._mode or other), mode=other)
            return [list(fp32.run(feed)) for feed in data.feed(some, tried, self._job.batch_size)]

        return judge_mode(mode, preprocess.modes_for(layout.dtype, layout.channels), run, self._outputs)

    def _finish(self, conversion, calibration: Dict[str, Any], accuracy, latency, obstacle: str) -> None:
        job, publication = self._job, self._publication
        conversion.statistics.save(publication.path(outputs.STATISTICS))
        in_graph = jobs.path(job.in_graph)
        alarms = [] if obstacle else self._alarms(accuracy, calibration)
        report = build(
            job,
            conversion,
            in_graph=in_graph,
            int8_graph=publication.path(outputs.GRAPH),
            accuracy=None if accuracy is None else accuracy.as_dict(),
            alarms=alarms,
            latency=None if latency is None else asdict(latency),
            not_measured=obstacle,
            calibration=calibration,
            environment=self._surroundings,
        )
        write_report(report, publication.path(outputs.REPORT_HTML), publication.path(outputs.REPORT_JSON))
        names = publication.commit()
        self._events.emit(
            "result",
            alarms=report["alarms"],
            ops=report["ops"],
            reasons=report["reasons"][:_MOST_REASONS],
            accuracy=accuracy and accuracy.as_dict(_MOST_OUTPUTS),
            latency=report["latency"],
            size=report["size"],
            calibration=report["calibration"],
            outputs=names,
        )

    def _alarms(self, accuracy: Optional[evaluate.Accuracy], calibration: Dict[str, Any]) -> List[Dict[str, Any]]:
        """What is wrong with the answers, and what of the options is left to try."""
        pixels = self._data is not None and self._data.layout is not None
        settings = Settings(
            self._algo,
            ALGORITHMS,
            calibration["samples"],
            self._job.per_channel,
            self._job.equalize,
            self._mode.mode if pixels and self._mode is not None and self._mode.mode != preprocess.CUSTOM else None,
            is_chosen(self._job),
        )
        if accuracy is None:
            return alarms_of((), () if self._job.evaluate == 0 else (NOT_COMPARED,), settings)
        return alarms_of(accuracy.findings, accuracy.concerns, settings)


def _slower_text(latency, cpu) -> str:
    text = f"INT8 is slower than FP32 here: {latency.int8_ms:.2f} ms against {latency.fp32_ms:.2f} ms"
    if not has_int8(cpu):
        text += f"; this CPU has no INT8 dot products ({', '.join(INT8_FLAGS)}; it has {', '.join(cpu)})"
    return text


def _show(line: str) -> None:
    """A line of the calibration command, among the log of the job."""
    print(line, file=sys.stderr, flush=True)
