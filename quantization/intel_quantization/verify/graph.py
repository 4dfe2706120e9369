"""The invariants of a graph, checked between all passes."""

from __future__ import annotations

from typing import Dict, List, Tuple

from tensorflow.core.framework import op_def_pb2, types_pb2

from intel_quantization.errors import InvalidGraphError
from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, EXIT, Frame, frame_of
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry
from intel_quantization.verify.ranges import range_faults

# A loop whose Merge reads it gets its type checked by TensorFlow itself.
_UNTYPED = ("NextIteration", "Merge", "Switch", "Enter", "Exit")
_REF_OFFSET = 100
# Requantization that was not fused is slow, and 1.1 shipped such graphs with wrong ranges.
_UNFUSED = ("Requantize", "RequantizationRange", "RequantizePerChannel", "RequantizationRangePerChannel")


def verify(graph: Graph, after: str) -> None:
    """Check names, arity, types, outputs, cycles and loops, in linear time.

    Args:
        graph: the graph.
        after: the pass that ran last, for the message.

    Raises:
        InvalidGraphError: an invariant is broken; that is a defect of the pass.
    """
    for name in graph.outputs:
        if tensors.node_of(name) not in graph:
            _fail(after, "output '%s' is gone" % name)
    types: Dict[Tuple[str, int], int] = {}
    for node in graph.nodes.values():
        definition = registry.op_def(node.op)
        control = False
        for name in node.input:
            if tensors.node_of(name) not in graph:
                _fail(after, "'%s' reads '%s', which does not exist" % (node.name, name))
            if tensors.is_control(name):
                control = True
            elif control:
                _fail(after, "'%s' has a data input behind a control input" % node.name)
        if definition is None or node.op in _UNTYPED:
            continue
        expected = _input_types(node, definition)
        inputs = graph.data_inputs(node)
        if len(inputs) != len(expected):
            _fail(after, "'%s' (%s) has %d inputs, not %d" % (node.name, node.op, len(inputs), len(expected)))
        for tensor, wanted in zip(inputs, expected):
            key = tensors.split(tensor)
            if key not in types:
                types[key] = registry.output_dtype(graph.nodes[key[0]], key[1])
            given = types[key]
            if not given and key[1] and registry.op_def(graph.nodes[key[0]].op) is not None:
                _fail(after, "'%s' reads '%s', and '%s' has no such output" % (node.name, tensor, key[0]))
            if given and wanted and given % _REF_OFFSET != wanted % _REF_OFFSET:
                _fail(
                    after,
                    "'%s' (%s) reads '%s', which is %s and not %s"
                    % (node.name, node.op, tensor, _dtype_name(given), _dtype_name(wanted)),
                )
    graph.topological()
    _check_frames(graph, after)


def verify_quantized(graph: Graph) -> None:
    """Check what must hold for the finished INT8 graph.

    Raises:
        InvalidGraphError: a requantization was left unfused, or an INT8 tensor is read with a range that it
            does not have.
    """
    for node in graph.nodes.values():
        if node.op in _UNFUSED:
            _fail("quantize", "'%s' (%s) was not fused" % (node.name, node.op))
    fault = next(range_faults(graph), None)
    if fault is not None:
        _fail("quantize", fault)


def _check_frames(graph: Graph, after: str) -> None:
    """TensorFlow asks that all that a node reads or waits for be of one loop (BuildControlFlowInfo in
    tensorflow/core/graph/control_flow.cc), and that a loop be entered from one place only.
    """
    if not any(node.op in ENTER or node.op in EXIT for node in graph.nodes.values()):
        return
    known: Dict[str, Frame] = {}
    parents: Dict[str, Frame] = {}
    for node in graph.nodes.values():
        frames = [frame_of(graph.nodes, tensors.node_of(name), known) for name in node.input]
        for name, frame in zip(node.input, frames):
            if frame != frames[0]:
                _fail(
                    after,
                    "'%s' reads '%s' in %s, but '%s' in %s"
                    % (node.name, node.input[0], _frame_name(frames[0]), name, _frame_name(frame)),
                )
        if node.op in ENTER and frames:
            loop = node.attr["frame_name"].s.decode()
            if parents.setdefault(loop, frames[0]) != frames[0]:
                _fail(after, "loop '%s' is entered from two places" % loop)
        elif node.op in EXIT and not any(frames):
            _fail(after, "'%s' (%s) is in no loop" % (node.name, node.op))


def _frame_name(frame: Frame) -> str:
    return "loop '%s'" % "/".join(frame) if frame else "no loop"


def _input_types(node: NodeDef, definition: op_def_pb2.OpDef) -> List[int]:
    result: List[int] = []
    for arg in definition.input_arg:
        if arg.type_list_attr:
            result.extend(node.attr[arg.type_list_attr].list.type)
            continue
        count = node.attr[arg.number_attr].i if arg.number_attr else 1
        number = arg.type
        if not number and arg.type_attr in node.attr:
            number = node.attr[arg.type_attr].type
        if not number:
            number = next(item for item in definition.attr if item.name == arg.type_attr).default_value.type
        result.extend([number] * count)
    return result


def _dtype_name(number: int) -> str:
    return types_pb2.DataType.Name(number)


def _fail(after: str, message: str) -> None:
    raise InvalidGraphError(
        "after '%s' the graph is broken: %s" % (after, message),
        "please report this with the graph; --intermediate keeps the graph of every stage",
    )
