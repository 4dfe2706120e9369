"""One range per INT8 tensor: all that read it take its integers for the same numbers."""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.range_flow import GIVEN, RangeFlow, Result
from intel_quantization.kinds.registry import FLOWS
from intel_quantization.ops import registry

_FROZEN = ("min_freezed_output", "max_freezed_output")

# the value of a constant, else the name of a tensor
_End = Union[bytes, str]
_Range = Tuple[_End, _End]


def range_faults(graph: Graph) -> Iterator[str]:
    """What reads an INT8 tensor with another range than it has, or than another reader takes it to have.

    The tensors of unknown ops are left out, as are the integers that other ops make. Takes linear time.
    """
    ranges: Dict[str, _Range] = {}
    for node in graph.topological():
        flow = FLOWS.get(node.op, GIVEN if node.op.startswith("Quantize") else None)  # as all of oneDNN's are
        if flow is None:
            continue
        inputs = graph.data_inputs(node)
        arguments = _name_arguments(node, inputs, flow)
        yield from _faults_of(graph, node, arguments, flow, ranges)
        found = (
            ranges.get(inputs[0])
            if flow.result is Result.SAME and inputs
            else _make_range(graph, node, arguments, flow)
        )
        if found is not None:
            ranges[node.name] = found


def _faults_of(
    graph: Graph, node: NodeDef, arguments: Dict[str, List[str]], flow: RangeFlow, ranges: Dict[str, _Range]
) -> Iterator[str]:
    """What a node reads with another range than it has; a tensor of which nothing is known gets the range here."""
    for tensor, low, high in _read(arguments, flow):
        if _is_lifted(node):
            if not _as_wide(graph, low, high, ranges.get(tensor)):
                yield "'%s' (Dequantize) reads '%s' with another step than that tensor has" % (node.name, tensor)
            continue
        given = (_end(graph, low), _end(graph, high))
        own = (tensor + ":1", tensor + ":2")
        if given != own and ranges.setdefault(tensor, given) != given:
            yield "'%s' (%s) reads '%s' with another range than that tensor has" % (node.name, node.op, tensor)


def _is_lifted(node: NodeDef) -> bool:
    """Whether a node takes off what was added to the values that it reads; see quantize.lifting."""
    return node.op == "Dequantize" and node.attr["mode"].s == b"MIN_FIRST"


def _as_wide(graph: Graph, low: str, high: str, own: Optional[_Range]) -> bool:
    """Whether a range is as wide as the range of a tensor, as far as both are constant."""
    bottom, top = graph.constant(low), graph.constant(high)
    if own is None or bottom is None or top is None or isinstance(own[0], str) or isinstance(own[1], str):
        return True
    width = np.frombuffer(own[1], np.float32)[0] - np.frombuffer(own[0], np.float32)[0]
    digits = float(np.spacing(max(abs(bottom), abs(top))))  # of float32, which the ends are far from zero
    return bool(np.isclose(float(top) - float(bottom), float(width), rtol=1e-5, atol=2 * digits))


def _name_arguments(node: NodeDef, inputs: Sequence[str], flow: RangeFlow) -> Dict[str, List[str]]:
    """The inputs of an INT8 op by the names of its arguments; of one that knows nothing of ranges none."""
    if flow.arguments:
        return {name: [tensor] for name, tensor in zip(flow.arguments, inputs)}
    definition = registry.op_def(node.op)
    if definition is None or (flow.result is Result.SAME and not flow.reads):
        return {}
    result = {}
    position = 0
    for arg in definition.input_arg:
        count = len(node.attr[arg.type_list_attr].list.type) if arg.type_list_attr else 1
        count = node.attr[arg.number_attr].i if arg.number_attr else count
        result[arg.name] = list(inputs[position : position + count])
        position += count
    return result


def _read(arguments: Dict[str, List[str]], flow: RangeFlow) -> Iterator[Tuple[str, str, str]]:
    """The INT8 tensors that a node reads, each with the two ends of its range."""
    if not flow.reads:
        return
    if flow.result is Result.WIDEST:
        names = [("values", "input_mins", "input_maxes")]
    elif flow.result is Result.NONE:
        names = [("input", "min_range", "max_range")]
    else:
        names = [(name, "min_" + name, "max_" + name) for name in arguments]
    for name, low, high in names:
        if low in arguments and high in arguments:
            yield from zip(arguments[name], arguments[low], arguments[high])


def _make_range(graph: Graph, node: NodeDef, arguments: Dict[str, List[str]], flow: RangeFlow) -> Optional[_Range]:
    """The range that a node gives its result, by what its inputs say of it; None where they say nothing."""
    if flow.result is Result.WIDEST:
        return _find_widest(graph, arguments)
    if flow.result is not Result.GIVEN:
        return None
    low, high = ("min_range", "max_range") if node.op == "QuantizeV2" else _FROZEN
    if not arguments.get(low) or not arguments.get(high):
        return None
    return _end(graph, arguments[low][0]), _end(graph, arguments[high][0])


def _find_widest(graph: Graph, arguments: Dict[str, List[str]]) -> Optional[_Range]:
    """The range of a concatenation: from the lowest of its inputs' lower ends to the highest of the upper ones."""
    lows = [value for value in map(graph.constant, arguments["input_mins"]) if value is not None]
    highs = [value for value in map(graph.constant, arguments["input_maxes"]) if value is not None]
    if not len(lows) == len(highs) == len(arguments["values"]):
        return None
    return min(lows, key=float).tobytes(), max(highs, key=float).tobytes()


def _end(graph: Graph, tensor: str) -> _End:
    value = graph.constant(tensor)
    return tensors.canonical(tensor) if value is None else value.tobytes()
