"""Frozen graphs in sessions of one thread, with TensorFlow alone: answers, noise, multiply-accumulates, speed."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from real_data import Feed, Samples
from real_graphs import Case

tf1 = tf.compat.v1

_LINEAR = re.compile(r"^_?(Fused|Mkl|Native)*(Conv2D|DepthwiseConv2dNative|MatMul|BatchMatMul(V2|V3)?)$")
_INT8 = re.compile(r"^_?(Fused)?Quantized.*(Conv2D|MatMul)")
_WARM_UP, _LEAST, _MOST, _SECONDS = 3, 15, 100, 4.0


class Session:
    """A session on a graph; a context manager."""

    def __init__(self, graph_def, fetches: Sequence[str]) -> None:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        self._session = tf1.Session(graph=graph, config=config)
        self._fetches = [graph.get_tensor_by_name(name) for name in fetches]

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_exc) -> None:
        self._session.close()

    def run(self, feed: dict) -> list[np.ndarray]:
        """The fetches as arrays."""
        return [np.asarray(value) for value in self._session.run(self._fetches, feed)]


def read(path) -> tf1.GraphDef:
    """A frozen graph."""
    with open(path, "rb") as file:
        return tf1.GraphDef.FromString(file.read())


def compared_tensors(case: Case, graph_def) -> tuple[str, ...]:
    """The tensors whose SQNR counts; none where a graph has lost one."""
    nodes = {node.name for node in graph_def.node}
    names = case.compared or case.outputs
    return names if all(name.split(":")[0] in nodes for name in names) else ()


def answer(case: Case, samples: Samples, graph_def, rows, reduce: Callable, on_compared: Callable) -> dict:
    """Run a graph over some samples.

    Args:
        reduce: (outputs, rows) -> the answer to each row.
        on_compared: called with (rows, the compared tensors) for each batch.

    Returns:
        row -> answer.
    """
    compared = compared_tensors(case, graph_def)
    feed = Feed(case, samples, rows, case.batch)
    found = {}
    with Session(graph_def, [*case.outputs, *compared]) as session:
        for group, fed in zip(feed.groups, feed, strict=True):
            values = session.run(fed)
            found.update(zip(group.tolist(), reduce(values[: len(case.outputs)], group), strict=True))
            if compared:
                on_compared(group, values[len(case.outputs) :])
    return found


def int8_share(graph_def, feed: dict) -> float:
    """Percent of the multiply-accumulates of all convolutions and matrix products that INT8 ops do."""
    nodes = [node for node in graph_def.node if _LINEAR.match(node.op) or _INT8.match(node.op)]
    shapes = _shapes(graph_def, feed, [(f"{node.name}:0", *map(_tensor, node.input[:2])) for node in nodes])
    total, int8 = 0, 0
    for node, (output, left, right) in zip(nodes, shapes, strict=True):
        count = int(np.prod(output)) * _depth(node, left, right)
        total += count
        int8 += count if _INT8.match(node.op) else 0
    return 100 * int8 / max(total, 1)


def _shapes(graph_def, feed: dict, groups: list[tuple[str, ...]]) -> list[list[tuple[int, ...]]]:
    """The shapes of tensors: those that follow from the input's, and the others as they come.

    One group a run: an INT8 convolution that adds into its summand's memory crashes where the summand is fetched, too.
    """
    graph = tf.Graph()
    with graph.as_default():
        inputs = {name: tf1.placeholder(value.dtype, value.shape) for name, value in feed.items()}
        tf.import_graph_def(graph_def, name="", input_map=inputs)
    fed = {inputs[name]: value for name, value in feed.items()}
    found = []
    config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf1.Session(graph=graph, config=config) as session:
        for names in groups:
            tensors = [inputs[name] if name in inputs else graph.get_tensor_by_name(name) for name in names]
            if all(tensor.shape.is_fully_defined() for tensor in tensors):
                found.append([tuple(tensor.shape.as_list()) for tensor in tensors])
            else:
                found.append([value.shape for value in session.run(tensors, fed)])
    return found


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _depth(node, left: tuple[int, ...], right: tuple[int, ...]) -> int:
    """Multiply-accumulates for one number of the output."""
    if "Depthwise" in node.op:
        return int(np.prod(right[:2]))
    if "Conv2D" in node.op:
        return int(np.prod(right[:3]))
    turned = node.attr["transpose_a"].b or node.attr["adj_x"].b
    return left[-2 if turned else -1]


def medians(graphs: dict[str, tf1.GraphDef], case: Case, feed: dict) -> dict[str, float]:
    """Milliseconds of one run of each graph, in turns, so that what slows the machine down slows all of them."""
    sessions = {name: Session(graph_def, case.outputs) for name, graph_def in graphs.items()}
    for _ in range(_WARM_UP):
        for session in sessions.values():
            session.run(feed)
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    end = time.perf_counter() + _SECONDS * len(sessions)
    for number in range(_MOST):
        if number >= _LEAST and time.perf_counter() > end:
            break
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(feed)
            taken[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(times) for name, times in taken.items()}
