"""What is in a graph, and what of it may become INT8, before anything is calibrated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Sequence, Tuple, Union

import numpy as np
from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph.explain import explained
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.io import graph_size
from intel_quantization.ops.capabilities import RUNNING
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.decision import Decision
from intel_quantization.reading.check_ops import check_ops
from intel_quantization.reading.frozen import VARIABLES, check_frozen
from intel_quantization.reading.interface import TensorInfo, find_inputs, find_outputs
from intel_quantization.reading.load import read_any
from intel_quantization.transforms.pipeline import optimize

SCHEMA = 1


@dataclass(frozen=True)
class Summary:
    """What :func:`summarize` found.

    Attributes:
        form: what was read: ``graph``, ``text``, ``saved_model`` or ``keras``; the latter two are frozen first.
        signature: of a SavedModel; empty otherwise.
        size: bytes of the GraphDef in binary form.
        nodes: number of nodes.
        inputs: placeholders that the outputs depend on.
        outputs: with the op that gives each.
        ops: number of nodes by op, functions' included, the most frequent first.
        constants: number of Const nodes, and of the values in them.
        variables: names of nodes that hold variables.
        decisions: for every convolution and matrix product of the optimized graph, whether it may become INT8
            once it is calibrated, and why not.
        obstacle: why there are no decisions; empty where there are.
        graph_def: the graph that this is a summary of, frozen where it was not a graph.
    """

    form: str
    signature: str
    size: int
    nodes: int
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[Tuple[TensorInfo, str], ...]
    ops: Tuple[Tuple[str, int], ...]
    constants: Tuple[int, int]
    variables: Tuple[str, ...]
    decisions: Tuple[Decision, ...]
    obstacle: str
    graph_def: graph_pb2.GraphDef = field(repr=False, compare=False)

    def to_json(self) -> Dict[str, Any]:
        """The same as JSON-ready data: tensors as name, dtype and shape (null: unknown)."""
        return {
            "schema": SCHEMA,
            "form": self.form,
            "signature": self.signature or None,
            "size": self.size,
            "nodes": self.nodes,
            "inputs": [_describe_tensor(info) for info in self.inputs],
            "outputs": [dict(_describe_tensor(info), op=op) for info, op in self.outputs],
            "ops": dict(self.ops),
            "constants": {"nodes": self.constants[0], "values": self.constants[1]},
            "variables": list(self.variables),
            "quantization": {
                "obstacle": self.obstacle or None,
                "candidates": [{"node": item.node, "op": item.op} for item in self.decisions if item.int8],
                "fp32": [
                    {"node": item.node, "op": item.op, "reason": item.reason}
                    for item in self.decisions
                    if not item.int8
                ],
            },
        }


def summarize(
    source: Union[str, graph_pb2.GraphDef],
    binary: bool = True,
    signature: str = "",
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> Summary:
    """Look at a graph; what it lacks, such as an output, is no error.

    Args:
        source: a path or a GraphDef, as for :func:`intel_quantization.reading.load.load_graph`.
        binary: False for a text graph that does not look like one.
        signature: the signature of a SavedModel.
        inputs: names of the inputs, found when empty.
        outputs: likewise.

    Raises:
        BadInputError: the graph cannot be read, or a name is not in it.
    """
    frozen, form = read_any(source, outputs, binary, signature)
    graph_def = frozen.graph_def
    wanted_inputs = [frozen.inputs.get(name, name) for name in inputs] or list(frozen.inputs.values())
    wanted_outputs = [frozen.outputs.get(name, name) for name in outputs] or list(frozen.outputs.values())
    found_outputs = _find_interface(find_outputs, graph_def, wanted_outputs, wanted_inputs)
    found_inputs = _find_interface(find_inputs, graph_def, wanted_inputs, [info.name for info in found_outputs])
    decisions, obstacle = _list_decisions(graph_def, found_inputs, found_outputs)
    by_name = {node.name: node.op for node in graph_def.node}
    return Summary(
        form=form,
        signature=frozen.signature,
        size=graph_size(graph_def),
        nodes=len(graph_def.node),
        inputs=found_inputs,
        outputs=tuple((info, by_name[info.node]) for info in found_outputs),
        ops=_op_counts(graph_def),
        constants=_count_constants(graph_def),
        variables=tuple(node.name for node in graph_def.node if node.op in VARIABLES),
        decisions=decisions,
        obstacle=obstacle,
        graph_def=graph_def,
    )


def _find_interface(find: Any, graph_def: graph_pb2.GraphDef, names: Sequence[str], others: Sequence[str]) -> Any:
    try:
        return find(graph_def, names, others)
    except BadInputError:
        if names:
            raise
        return ()  # there is none, which a summary says in its own way


def _list_decisions(
    graph_def: graph_pb2.GraphDef, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
) -> Tuple[Tuple[Decision, ...], str]:
    if not outputs:
        return (), "the graph has no output"
    names = [info.name for info in outputs]
    try:
        check_frozen(graph_def, [info.name for info in inputs], names, "the graph")
        check_ops(graph_def, [info.name for info in inputs], names, (), "the graph")
        with explained(graph_def):
            graph = Graph(graph_def, names)
            optimize(graph)
            order = {node.name: number for number, node in enumerate(graph.topological())}
            groups, refused = find_candidates(graph, (), (), RUNNING)
    except BadInputError as error:
        return (), error.message
    decisions = [Decision(group.linear, group.op, True) for group in groups] + list(refused)
    return tuple(sorted(decisions, key=lambda item: order[item.node])), ""


def _op_counts(graph_def: graph_pb2.GraphDef) -> Tuple[Tuple[str, int], ...]:
    counts = Counter(node.op for node in graph_def.node)
    for function in graph_def.library.function:
        counts.update(node.op for node in function.node_def)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _count_constants(graph_def: graph_pb2.GraphDef) -> Tuple[int, int]:
    sizes = [
        int(np.prod([dim.size for dim in node.attr["value"].tensor.tensor_shape.dim], dtype=np.int64))
        for node in graph_def.node
        if node.op == "Const"
    ]
    return len(sizes), sum(sizes)


def _describe_tensor(info: TensorInfo) -> Dict[str, Any]:
    shape = None if info.shape is None else list(info.shape)
    return {"name": info.name, "dtype": info.dtype, "shape": shape}
