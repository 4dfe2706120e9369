"""Two graphs that are fed and asked for the same, whatever they call it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from tensorflow.core.framework import graph_pb2

from intel_quantization import job as jobs
from intel_quantization.errors import BadInputError
from intel_quantization.measure.runner import Runner
from intel_quantization.reading.call import Call
from intel_quantization.reading.interface import TensorInfo
from intel_quantization.reading.load import load_graph
from intel_quantization.transforms.convert_layout import in_nhwc


@dataclass(frozen=True)
class Looked:
    """A graph that is looked at.

    Attributes:
        label: its file's name.
        path: of it.
        graph: frozen, with images as NHWC.
        inputs, outputs: of it.
        names: of the inputs of the graph that it is looked at beside, in the order of its own.
        call: what its callers name.
    """

    label: str
    path: str
    graph: graph_pb2.GraphDef
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[str, ...]
    names: Tuple[str, ...]
    call: Call

    def own(self, feed: Dict[str, Any]) -> Dict[str, Any]:
        """A feed by the names of this graph."""
        renamed = dict(zip(self.names, (info.name for info in self.inputs)))
        return {renamed.get(name, name): value for name, value in feed.items()}

    def runner(self, threads: Optional[int]) -> Named:
        """What runs it, fed by the other graph's names."""
        return Named(self, threads)


class Named(Runner):
    """A Runner of a graph that is fed by another one's names."""

    def __init__(self, looked: Looked, threads: Optional[int]) -> None:
        super().__init__(looked.graph, looked.outputs, threads, looked.label)
        self._looked = looked

    def run(self, feed: Dict[str, Any]) -> List[Any]:
        """See :meth:`Runner.run`."""
        return super().run(self._looked.own(feed))


def read_graphs(job: jobs.Job) -> List[Looked]:
    """The graph of a job, and the other one if there is one.

    Raises:
        BadInputError: a graph cannot be read, or the two have not as many inputs or outputs.
    """
    first = _read(job.in_graph, job, job.inputs, job.outputs)
    if job.other_graph is None:
        return [first]
    second = _read_second(job.other_graph, job, first)
    for what, mine, others in (("inputs", first.inputs, second.inputs), ("outputs", first.outputs, second.outputs)):
        if len(mine) != len(others):
            raise BadInputError(
                f"{first.label} has {len(mine)} {what} and {second.label} has {len(others)}",
                f"name those to compare with --{what}",
            )
    return [first, _look_beside(second, first)]


def _read_second(path: str, job: jobs.Job, first: Looked) -> Looked:
    """The other graph: with the same names, where it has them, of tensors or of a signature."""
    for inputs, outputs in ((job.inputs, first.outputs), ((), tuple(first.call.outputs))):
        try:
            return _read(path, job, inputs, outputs)
        except BadInputError:
            continue
    return _read(path, job, (), ())


def _read(path: str, job: jobs.Job, inputs: Sequence[str], outputs: Sequence[str]) -> Looked:
    loaded = load_graph(jobs.path(path), inputs, outputs, signature=job.signature or "", allow_op=job.allow_op)
    names = tuple(info.name for info in loaded.outputs)
    return Looked(
        os.path.basename(path),
        jobs.path(path),
        in_nhwc(loaded.graph_def, list(names)),
        tuple(loaded.inputs),
        names,
        tuple(info.name for info in loaded.inputs),
        loaded.call,
    )


def _look_beside(looked: Looked, other: Looked) -> Looked:
    """The same graph, fed by the other's names: its own or its signature's where they are the same, else in order."""
    given = tuple(info.name for info in other.inputs)
    mine = tuple(info.name for info in looked.inputs)
    names = mine if set(mine) == set(given) else given
    calls = looked.call.inputs, other.call.inputs
    if names is given and set(calls[0]) == set(calls[1]):
        keys = {tensor: key for key, tensor in calls[0].items()}
        names = tuple(calls[1][keys[tensor]] for tensor in mine)
    return replace(looked, names=names)
