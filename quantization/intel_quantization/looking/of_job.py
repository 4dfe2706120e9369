"""``evaluate``, ``benchmark`` and ``compare`` as jobs: they tell, and leave no files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from intel_quantization import environment
from intel_quantization import job as jobs
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.choosing.preprocess_choice import Candidate
from intel_quantization.choosing.preprocess_options import settle
from intel_quantization.contract.words import BENCHMARK, COMPARE, EVALUATE
from intel_quantization.data.dataset import Dataset, batch_of
from intel_quantization.errors import BadInputError
from intel_quantization.events import EventStream
from intel_quantization.graph import tensors
from intel_quantization.job_data import open_data
from intel_quantization.looking.differences import SAMPLES, faults, op_differences, tensor_errors
from intel_quantization.looking.instances import Setting, serve, served_graph
from intel_quantization.looking.pair import Looked, read_graphs
from intel_quantization.looking.recipe import (
    find_recipe,
    free_memory,
    has_openmp,
    lines_of,
    own_cpus,
    splits,
    variables_to_try,
)
from intel_quantization.looking.speed import THROUGHPUT_BATCH, measure_loading, measure_speed
from intel_quantization.measure.evaluate import Accuracy, compare
from intel_quantization.measure.of_job import metric_of, verdict_of
from intel_quantization.measure.paired import Paired
from intel_quantization.measure.synthetic import synthetic_feed
from intel_quantization.measure.verdict import BROKEN, EXIT_CODE, told

_WORST = 20


def look(job: jobs.Job, events: EventStream) -> int:
    """Do the job's task; returns the exit code.

    Raises:
        QuantizationError: or one of its subclasses.
    """
    surroundings = environment.describe(job.threads)
    events.emit("start", **surroundings)
    events.emit("stage", name="read", index=1, total=2)
    graphs = read_graphs(job)
    events.emit("stage", name="measure", index=2, total=2)
    looker = _Looker(job, events, graphs, surroundings)
    return {EVALUATE: looker.evaluate_graphs, BENCHMARK: looker.benchmark, COMPARE: looker.compare_graphs}[job.task]()


class _Looker:
    """What the tasks share."""

    def __init__(
        self, job: jobs.Job, events: EventStream, graphs: Sequence[Looked], surroundings: Dict[str, Any]
    ) -> None:
        self._job, self._events, self._graphs, self._surroundings = job, events, list(graphs), surroundings

    def evaluate_graphs(self) -> int:
        """How good the graph is, or how much worse the other one."""
        accuracy = self._measure_accuracy(*self._open_data())
        lines = [self._tell_figures(paired, accuracy.unit) for paired in accuracy.measures]
        if not accuracy.measures and len(self._graphs) == 1:
            raise BadInputError("there is nothing to judge by", "give --labels that fit the graph, or a --metric")
        if len(self._graphs) == 2:
            if accuracy.agreement is not None:
                lines.append(f"same answer for {accuracy.agreement:.2f} % of {accuracy.images} {accuracy.unit}")
            lines += [f"{', '.join(each.outputs)}: {each.text}" for each in accuracy.findings]
        return self._finish(lines, accuracy)

    def benchmark(self) -> int:
        """How fast the graphs are, or how to serve one."""
        if self._job.recipe:
            return self._tell_recipe()
        lines = [self._tell_rules()]
        data = self._open_data() if self._has_data() else None
        feeds = [feed for feed in (self._feed(data, 1), self._feed(data, THROUGHPUT_BATCH)) if feed is not None]
        if len(feeds) == 2 and feeds[0][1] == feeds[1][1]:
            feeds.pop()  # the graph fixes it
        labels = [each.label for each in self._graphs]
        with ExitStack() as stack:
            runners = [stack.enter_context(each.runner(self._job.threads)) for each in self._graphs]
            for feed, batch in feeds:
                found = measure_speed(runners, labels, feed, batch)
                for each in found:
                    lines.append(
                        f"{each.label}: batch {batch}: {each.median:.2f} ms ({each.low:.2f} to {each.high:.2f}, "
                        f"{each.runs} runs), {1000 * batch / each.median:.0f} samples a second"
                    )
                if len(found) == 2:
                    ratio = found[0].median / found[1].median
                    lines.append(f"batch {batch}: {labels[1]} is {ratio:.2f} times as fast as {labels[0]}")
        for looked in self._graphs:
            loading = measure_loading(looked, feeds[0][0], self._job.threads)
            if loading is not None:
                lines.append(
                    f"{loading.label}: {loading.size / 1e6:.1f} MB, {loading.ms:.0f} ms to load and first run, "
                    f"{loading.peak / 1e6:.0f} MB of memory"
                )
        return self._finish(lines, None)

    def _tell_recipe(self) -> int:
        looked = self._graphs[-1]
        data = self._open_data() if self._has_data() else None
        feeds = [feed for feed in (self._feed(data, 1), self._feed(data, THROUGHPUT_BATCH)) if feed is not None]
        by_batch = {batch: feed for feed, batch in feeds}
        cpus = own_cpus()[: self._job.threads]
        loading = measure_loading(looked, feeds[0][0], self._job.threads)
        shapes = splits(len(cpus), free_memory(), 0.0 if loading is None else loading.peak)
        variables, untried = variables_to_try(has_openmp())
        total = len(shapes) * len(by_batch) + len(variables) + 1
        with served_graph(looked, by_batch) as folder_of:

            def attempt(setting: Setting) -> Any:
                done[0] += 1
                self._events.progress("measure", min(done[0], total), total, "settings")
                return serve(folder_of(setting.batch), setting, cpus)

            done = [0]
            found = find_recipe(attempt, shapes, sorted(by_batch), variables)
        rules = f"{looked.label} on CPUs {','.join(map(str, cpus))}, one of each core; {self._tell_rules()}"
        return self._finish([rules, *lines_of(found._replace(untried=untried), cpus)], None)

    def compare_graphs(self) -> int:
        """What tells two graphs apart."""
        if len(self._graphs) < 2:
            raise BadInputError("there is only one graph to compare", "name two")
        first, second = self._graphs
        lines = [f"ops, {first.label} -> {second.label}:"]
        lines += [f"  {op}: {before} -> {after}" for op, before, after in op_differences(first.graph, second.graph)]
        for looked in self._graphs:
            lines += [f"{looked.label}: {text}" for text in faults(looked.graph)]
        accuracy = None
        if self._has_data():
            data, mode = self._open_data()
            part = data.split.evaluation[:SAMPLES]
            feeds = [batch.feed for batch in data.feed(part, mode, 1).batches()]
            found = tensor_errors(first, second, feeds, self._job.threads)
            lines.append(f"{len(found)} common tensors on {len(feeds)} {data.unit}, the {_WORST} that differ most:")
            worst = sorted(found, key=lambda each: each.decibels)[:_WORST]
            lines += [f"  {each.decibels:6.1f} dB  {each.op}  {tensors.node_of(each.name)}" for each in worst]
            accuracy = self._measure_accuracy(data, mode)
            lines += [self._tell_figures(paired, accuracy.unit) for paired in accuracy.measures]
        return self._finish(lines, accuracy)

    def _has_data(self) -> bool:
        return self._job.data_location is not None or self._job.data_function is not None

    def _open_data(self) -> Tuple[Dataset, Any]:
        """The data, and what becomes of their pixels."""
        job, first = self._job, self._graphs[0]
        data = open_data(job, first.inputs, job.seed or 0, 0)
        candidate = Candidate(first.graph, first.outputs, first.inputs, job.threads)
        settled = settle(job, data, candidate, self._events)
        for text in data.warnings:
            self._events.log(text, "warning")
        return data, settled.preprocessing

    def _feed(self, data: Optional[Tuple[Dataset, Any]], batch: int) -> Optional[Tuple[Dict[str, Any], int]]:
        """A feed of so many samples, of the data or made up, and how many it holds."""
        if data is not None:
            found = next(iter(data[0].feed(data[0].split.evaluation[:batch], data[1], batch)), None)
            return None if found is None else (found, batch_of(found))
        inputs = [
            replace(info, shape=(batch, *info.shape[1:])) if info.shape and info.shape[0] is None else info
            for info in self._graphs[0].inputs
        ]
        return synthetic_feed(inputs, Statistics())

    def _measure_accuracy(self, data: Dataset, mode: Any) -> Accuracy:
        """Of both graphs, or of one against itself."""
        first, second = self._graphs[0], self._graphs[-1]
        part, job = data.split.evaluation, self._job
        with first.runner(job.threads) as one, second.runner(job.threads) as other:
            found = compare(
                one,
                other,
                data.feed(part, mode, job.batch_size),
                data.labelling,
                lambda done: self._events.progress("measure", min(done, len(part)), len(part), data.unit),
                first.outputs,
                metric_of(job, first.outputs),
            )
        if not found.images:
            raise BadInputError("there is nothing to judge on", "give more data")
        return replace(found, unit=data.unit)

    def _tell_figures(self, paired: Paired, unit: str) -> str:
        if len(self._graphs) == 1:
            return f"{paired.metric} {paired.fp32:.2f} on {paired.samples} {unit}"
        names = f"{self._graphs[0].label} -> {self._graphs[1].label}"
        return f"{names}: {told(paired).replace('INT8', 'the second', 1)} on {paired.samples} {unit}"

    def _tell_rules(self) -> str:
        cpu = ", ".join(self._surroundings["cpu"]) or "no AVX"
        return (
            f"TensorFlow {self._surroundings['tensorflow']}, {cpu}, {self._surroundings['threads']} threads; "
            "graphs in turns, after 3 runs to warm up; medians with the 10th and 90th percentile"
        )

    def _finish(self, lines: List[str], accuracy: Optional[Accuracy]) -> int:
        verdict = verdict_of(self._job, accuracy, "") if len(self._graphs) == 2 else None
        self._events.emit(
            "looked",
            task=self._job.task,
            graphs=[each.label for each in self._graphs],
            verdict=None if verdict is None else verdict.as_dict(),
            lines=lines,
            accuracy=None if accuracy is None else accuracy.as_dict(_WORST),
        )
        return EXIT_CODE if verdict is not None and verdict.word == BROKEN else 0
