"""One job from beginning to end: read, choose, convert, compare, report, publish."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

from intel_quantization import benchmark, environment, evaluate, int8_kernels, preprocess_choice
from intel_quantization import job as jobs
from intel_quantization.calibration import images
from intel_quantization.calibration.callback import DEFAULT_SAMPLES
from intel_quantization.calibration.command import command_words
from intel_quantization.calibration.feeds import ImageFeed, image_input, layout_of
from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.events import EventStream, Stages
from intel_quantization.graph.capabilities import Capabilities
from intel_quantization.graph.load import load_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.publish import Publication
from intel_quantization.report import write_report
from intel_quantization.report.content import build
from intel_quantization.runner import Runner
from intel_quantization.synthetic import synthetic_feed

SEED = 0
ALGORITHM = "MSE"
"""The default; measured best, see the README."""
_MOST_REASONS = 200


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
        self._job = job
        self._events = events
        self._stages = Stages(events)
        self._surroundings = surroundings
        self._publication = publication
        self._algo = job.algo or ALGORITHM
        self._images: images.Images | None = None
        self._split = images.Split((), ())

    def everything(self) -> None:
        job, stages = self._job, self._stages
        stages.enter("read")
        Capabilities(job.target_tensorflow)  # it is known
        loaded = load_graph(jobs.path(job.in_graph), job.inputs, job.outputs, signature=job.signature or "")
        self._graph = loaded.graph_def
        self._inputs = [info.name for info in loaded.inputs]
        self._outputs = [info.name for info in loaded.outputs]
        if loaded.signature:
            self._events.log(f"SavedModel, signature {loaded.signature}")
        if job.callback is None:
            self._image_input, self._constants = image_input(loaded.inputs)
            self._split_images()
        else:
            self._find_images_to_compare(loaded.inputs)
        self._mode = job.preprocess or (self._chosen_mode() if self._images else None)
        conversion, calibration = self._by_images() if job.callback is None else self._by_command(job.callback)
        if job.target_tensorflow is not None:
            self._events.log(
                "the INT8 graph has what these TensorFlow versions know: " + ", ".join(conversion.made_for)
            )
        stages.enter("measure")
        obstacle = self._obstacle()
        accuracy, latency = (None, None) if obstacle else self._compare(conversion)
        self._finish(conversion, calibration, accuracy, latency, obstacle)

    def _split_images(self) -> None:
        job = self._job
        if job.data_location is None:
            raise BadInputError("no calibration data: --data_location is missing", "give it a folder of images")
        self._images = images.discover(jobs.path(job.data_location))
        self._split = images.split(self._images.files, job.samples, job.evaluate, SEED)
        found, split = self._images, self._split
        kind = f"in {len(found.classes)} class folders" if found.classes else "in a flat folder"
        self._events.log(
            f"{len(found.files)} images {kind}: {len(split.calibration)} to calibrate, "
            f"{len(split.evaluation)} others to compare on (seed {SEED})"
        )
        if found.ignored:
            self._events.log(f"{found.ignored} sub-folders are ignored, as there are images beside them", "warning")
        if job.samples is not None and job.samples > len(found.files):
            self._events.log(f"--samples asks for {job.samples}, but there are {len(found.files)}", "warning")
        if not split.evaluation and job.evaluate != 0:
            self._events.log("no images are left to compare FP32 and INT8 on: give more, or fewer --samples", "warning")

    def _find_images_to_compare(self, inputs) -> None:
        """Where a command calibrates, images are there to compare on only, and may be missing."""
        job = self._job
        why = "--evaluate is 0" if job.evaluate == 0 else "that needs a folder of images, --data_location"
        if job.data_location is not None and job.evaluate != 0:
            try:
                self._image_input, self._constants = image_input(inputs)
                self._images = images.discover(jobs.path(job.data_location))
            except BadInputError as error:
                why = error.message
            else:
                self._split = images.split(self._images.files, 0, job.evaluate, SEED)
                self._events.log(f"{len(self._split.evaluation)} images to compare FP32 and INT8 on (seed {SEED})")
                return
        self._events.log(f"the accuracy of FP32 and INT8 is not compared: {why}")

    def _class_folders(self) -> int:
        return len(self._images.classes) if self._images else 0

    def _feed(self, files, batch_size, mode: str | None = None) -> ImageFeed:
        return ImageFeed(None, self._image_input, mode or self._mode, batch_size, files, self._constants)

    def _chosen_mode(self) -> str:
        files = (self._split.calibration or self._split.evaluation)[: preprocess_choice.IMAGES]
        with Runner(self._graph, self._outputs, self._job.threads, "the FP32 graph") as runner:
            choice = preprocess_choice.choose_by_trying(
                runner,
                lambda mode: self._feed(files, self._job.batch_size, mode),
                layout_of(self._image_input),
                self._class_folders(),
            )
        self._events.log(choice.message, "info" if choice.certain else "warning")
        return choice.mode

    def _by_images(self):
        """(Conversion, what the report says of the calibration)."""
        feed = self._feed(self._split.calibration, self._job.batch_size)
        total = len(feed.files)

        def on_progress(batches):
            self._events.progress("calibrate", min(batches * feed.batch_size, total), total)

        conversion = self._converter(calibration_data=feed, on_progress=on_progress).convert()
        return conversion, {
            "samples": total,
            "algorithm": self._algo,
            "preprocess": feed.mode,
            "preprocess_chosen": self._job.preprocess is None,
            "batch_size": feed.batch_size,
            "seed": SEED,
        }

    def _by_command(self, command: str):
        """(Conversion, what the report says of the calibration)."""
        total = self._job.samples or DEFAULT_SAMPLES

        def on_progress(samples):
            self._events.progress("calibrate", samples, total)

        converter = self._converter(samples=total, on_progress=on_progress, on_output=_show)
        converter.gen_calib_data_cmds = [jobs.here(word) for word in command_words(command)]
        conversion = converter.convert()
        samples = conversion.statistics.samples
        if samples < total:
            self._events.log(f"the calibration command fed {samples} samples, not {total}", "warning")
        return conversion, {"samples": samples, "algorithm": self._algo, "command": command}

    def _converter(self, **options) -> GraphConverter:
        job = self._job
        return GraphConverter(
            self._graph,
            self._publication.path(".pb"),
            self._inputs,
            self._outputs,
            excluded_ops=job.excluded_ops,
            excluded_nodes=job.excluded_nodes,
            per_channel=job.per_channel,
            algo=self._algo,
            on_stage=self._stages.enter,
            intermediate_dir=self._publication.path(".intermediate") if job.intermediate else None,
            threads=job.threads or 0,
            target_tensorflow=job.target_tensorflow,
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
        with Runner(self._graph, outputs, threads, "the FP32 graph") as fp32, Runner(
            conversion.graph, outputs, threads, "the INT8 graph"
        ) as int8:
            latency = self._latency(conversion, fp32, int8)
            accuracy = self._accuracy(fp32, int8) if self._split.evaluation else None
        if latency is not None and latency.speedup < 1:
            self._events.log(_slower_text(latency, self._surroundings["cpu"]), "warning")
        return accuracy, latency

    def _latency(self, conversion, fp32, int8):
        if self._images:
            single = self._feed((self._split.evaluation or self._split.calibration)[:1], 1)
            return benchmark.measure(fp32, int8, next(iter(single)), single.layout.batch or 1)
        try:
            feed, batch = synthetic_feed(conversion.inputs, conversion.statistics)
            return benchmark.measure(fp32, int8, feed, batch)
        except QuantizationError as error:  # the graph may refuse what we make up; the result stands
            self._events.log(f"the latency was not measured: {error.message}", "warning")
            return None

    def _accuracy(self, fp32, int8):
        feed = self._feed(self._split.evaluation, self._job.batch_size)
        folders = self._class_folders()
        accuracy = evaluate.compare(
            fp32, int8, feed, folders, lambda done: self._events.progress("measure", done, len(feed.files))
        )
        if folders and not accuracy.labelled:
            self._events.log(
                f"top-1 is not known: {folders} class folders do not fit the number of classes the graph tells apart",
                "warning",
            )
        return accuracy

    def _finish(self, conversion, calibration: dict, accuracy, latency, obstacle: str) -> None:
        job, publication = self._job, self._publication
        conversion.statistics.save(publication.path(".statistics.json"))
        in_graph = jobs.path(job.in_graph)
        report = build(
            job,
            conversion,
            in_graph=in_graph,
            int8_graph=publication.path(".pb"),
            accuracy=None if accuracy is None else asdict(accuracy),
            latency=None if latency is None else asdict(latency),
            not_measured=obstacle,
            calibration=calibration,
            environment=self._surroundings,
        )
        write_report(report, publication.path(".report.html"), publication.path(".report.json"))
        names = publication.commit()
        self._events.emit(
            "result",
            ops=report["ops"],
            reasons=report["reasons"][:_MOST_REASONS],
            accuracy=report["accuracy"],
            latency=report["latency"],
            size=report["size"],
            calibration=report["calibration"],
            outputs=names,
        )


def _slower_text(latency, cpu) -> str:
    text = f"INT8 is slower than FP32 here: {latency.int8_ms:.2f} ms against {latency.fp32_ms:.2f} ms"
    if not environment.has_int8(cpu):
        text += f"; this CPU has no INT8 dot products (avx512_vnni, avx_vnni or amx_int8; it has {', '.join(cpu)})"
    return text


def _show(line: str) -> None:
    """A line of the calibration command, among the log of the job."""
    print(line, file=sys.stderr, flush=True)
