"""Valid graphs, converted: INT8 gives what FP32 gives, or the report says how far it is off.

A graph is valid when TensorFlow runs it on made-up data and what comes is finite. Its report speaks of the samples that
it compared; here it is held against others of the same distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import tensor_util

from intel_quantization.comparison.findings import INT8
from intel_quantization.comparison.noise import Noise
from intel_quantization.data.dataset import batch_of
from intel_quantization.data.images import Image
from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.graph.session import open_session
from intel_quantization.graph_converter import ALGORITHMS, GraphConverter
from intel_quantization.measure import evaluate
from intel_quantization.measure.runner import Runner
from intel_quantization.reading.load import load_graph
from intel_quantization.transforms.convert_layout import in_nhwc
from tests.fuzz import oddities
from tests.quantization import builders, random_nets

SAMPLES = 16
_LARGEST, _SMALLEST = 1e6, 1e-3
# FP32 rewrites change the order of sums only.
_FP32_TOLERANCE = 2e-3
# What a report without figures promises: some likeness.
_LEAST_DB = 15.0
# Between two draws of SAMPLES samples, where the second one is not near anyway.
_DRAWS_DB, _NEAR_DB = 9.0, 20.0
_POOLS = ("MaxPool", "AvgPool")


class NotValidError(BadInputError):
    """TensorFlow does not run the graph, or what comes of it is no numbers."""


@dataclass
class _Feed:
    """One batch, as ``evaluate.compare`` takes it from a data set."""

    feed: dict

    def batches(self):
        yield self

    @property
    def images(self):
        return (Image(""),) * batch_of(self.feed)


class _Reference(Runner):
    """Runs an FP32 graph as it is: Grappler fuses a Conv2D in NCHW with a BiasAdd in NHWC, and gives something else."""

    def __init__(self, graph_def, outputs) -> None:
        self._label = "the FP32 graph"
        self._session = open_session(graph_def, 1, as_it_is=True)
        self._fetches = [self._session.graph.get_tensor_by_name(name) for name in outputs]


def random_graph(rng):
    """A small network of supported layers, its channels of like sizes or not."""
    plan = [(rng.choice(random_nets.LAYERS), rng.randrange(8)) for _ in range(rng.randrange(1, 8))]
    try:
        graph_def = builders.build(random_nets.network, plan, rng.random() < 0.5, rng.random() < 0.5)
    except ValueError as error:  # a picture of no size
        raise NotValidError(str(error)) from None
    if rng.random() < 0.5:
        scale_weights(rng, graph_def)
    return graph_def


def changed_graph(rng, graph_def):
    """A graph as a file holds it, with oddities and other weights; valid or not."""
    changed = oddities.odd(rng, graph_def)
    if rng.random() < 0.3:
        scale_weights(rng, changed)
    return changed


def scale_weights(rng, graph_def) -> None:
    """Makes channels of some weights larger, smaller, zero, or constant."""
    for node in graph_def.node:
        if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum or rng.random() < 0.5:
            continue
        values = np.array(tensor_util.MakeNdarray(node.attr["value"].tensor))
        if not values.ndim or not values.size:
            continue
        factors = [rng.choice((1, 1, 1, 0.5, 2, 0.1, 5, 0.01, -1, 0)) for _ in range(values.shape[-1])]
        values = values * np.array(factors, np.float32)
        node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(values, tf.float32, values.shape))


def check(rng, graph_def) -> None:
    """Convert a graph, and hold the INT8 graph against what its report says.

    Raises:
        NotValidError: the graph is none to begin with.
        QuantizationError: the conversion says no.
        AssertionError: a finding.
    """
    loaded = load_graph(graph_def)
    fed = {info.name for info in loaded.inputs}
    draws = [_draw(graph_def, fed, number) for number in range(4)]
    outputs = [info.name for info in loaded.outputs]
    if any(_has_mixed_formats(function.node_def) for function in graph_def.library.function):
        raise NotValidError("functions are run with Grappler, whatever the session says")
    original = _runnable(graph_def, outputs)
    _check_valid(original, outputs, draws)
    options = {
        "per_channel": rng.random() < 0.6,
        "algo": rng.choice(("AUTO", "AUTO", *ALGORITHMS)),
        "equalize": rng.random() < 0.7,
        "bias_correction": rng.random() < 0.7,
    }
    conversion = GraphConverter(graph_def, calibration_data=draws[:2], threads=1, **options).convert()
    with _Reference(original, outputs) as fp32:
        with _Reference(conversion.fp32_graph, outputs) as optimized:
            _check_same(fp32, optimized, draws[2])
        with Runner(conversion.graph, outputs, 1) as int8:
            report = evaluate.compare(fp32, int8, _Feed(draws[2]), names=outputs)
            measured = _measure(outputs, fp32, int8, draws[3])
    _judge(report, measured, options)


def _has_mixed_formats(nodes) -> bool:
    return len({node.attr["data_format"].s for node in nodes if "data_format" in node.attr}) > 1


def _runnable(graph_def, outputs):
    """The graph; in NHWC where it has pools in NCHW, which must not run beside those of the INT8 graph."""
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    if any(node.op in _POOLS and node.attr["data_format"].s == b"NCHW" for node in nodes):
        return in_nhwc(graph_def, outputs)
    return graph_def


def _draw(graph_def, fed, seed) -> dict:
    return {name: value for name, value in builders.batch(graph_def, SAMPLES, seed).items() if name in fed}


def _check_valid(graph_def, outputs, draws) -> None:
    if not draws[0]:
        raise NotValidError("nothing is fed")
    try:
        with _Reference(graph_def, outputs) as runner:
            for draw in draws:
                for value in map(np.asarray, runner.run(draw)):
                    if value.dtype.kind == "f" and not (np.abs(value) < _LARGEST).all():
                        raise NotValidError("what comes is no numbers")
    except QuantizationError as error:
        raise NotValidError(error.message) from None


def _check_same(fp32, optimized, draw) -> None:
    """Rewriting FP32 changes nothing."""
    for before, after in zip(map(np.asarray, fp32.run(draw)), map(np.asarray, optimized.run(draw))):
        assert (before.shape, before.dtype) == (after.shape, after.dtype), "another shape or type of the FP32 graph"
        if before.dtype.kind == "f" and before.size:
            error = np.abs(before - after).max() / max(np.abs(before).max(), 1e-3)
            assert error < _FP32_TOLERANCE, "the optimized FP32 graph gives something else"


def _measure(names, fp32, int8, draw) -> dict:
    """SQNR in dB of each float output that is more than rounding errors, by plain arithmetic."""
    found = {}
    for name, before, after in zip(names, map(np.asarray, fp32.run(draw)), map(np.asarray, int8.run(draw))):
        assert (before.shape, before.dtype) == (after.shape, after.dtype), "another shape or type of the INT8 graph"
        if before.dtype.kind == "f" and before.size:
            assert np.isfinite(after).all(), "INT8 gives what is no number"
            if np.abs(before).max() > _SMALLEST:
                found[name] = _noise(before, after)
    return found


def _noise(before, after) -> float | None:
    """Without the worst few samples: one may hold a value larger than all that calibrated, which is cut off."""
    noise = Noise()
    if before.ndim and len(before) == SAMPLES:
        axes = tuple(range(1, before.ndim))
        kept = np.argsort(np.square(before - after).sum(axis=axes))[: -SAMPLES // 8]
        before, after = before[kept], after[kept]
    noise.add(before, after)
    return noise.decibels()


def _judge(report, measured, options) -> None:
    """What the report does not complain of is near FP32, and as near as it says."""
    for each in report.findings:
        if any(concern.cause == INT8 for concern in each.concerns):
            continue
        if each.samples < SAMPLES:
            continue  # a graph of a fixed batch: one sample says nothing of the next
        said = each.figures.get("sqnr_db", _LEAST_DB)
        # scores are compared without what all of them are off by
        least = min(said - (_DRAWS_DB if each.text.startswith("SQNR") else 2 * _DRAWS_DB), _NEAR_DB)
        for name in each.outputs:
            found = measured.get(name, np.inf)
            assert found >= least, "INT8 is off, %.0f dB; the report says %.0f (%s)" % (found, said, options)
