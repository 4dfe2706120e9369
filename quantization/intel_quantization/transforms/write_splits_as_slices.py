"""Write Split, SplitV and Unpack between linear ops as Slices, which can pass INT8 values on.

::

    Split(x, axis)[i]  ==  Slice(x, [0, .., i * n, ..], [-1, .., n, ..])
    Unpack(x, axis)[i] ==  Squeeze(Slice(x, [0, .., i, ..], [-1, .., 1, ..]), [axis])

An INT8 op gives one tensor. In FP32 Slices take no longer (measured on images and on gates), but they are more nodes,
so that only what may become INT8 is written so (ShuffleNet, CSP nets). Conditions: a linear op makes what is split, and
one reads a part, with nothing but activations, additions and what moves values between; float32; the axis is constant,
and how long it is known.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, Iterable, List, Optional, Set, Tuple

import numpy as np

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, attr_value, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.graph.pattern import Match, Op
from intel_quantization.kinds.registry import LINEAR, PASS_THROUGH
from intel_quantization.transforms.rule import Rule, Rules, make_pass

_OPS = ("Split", "SplitV", "Unpack")
_BETWEEN = frozenset([*PASS_THROUGH, *_OPS, "BiasAdd", "Add", "AddV2", "Relu", "Relu6", "Minimum"])
_INT32 = dtype_attr(DT_INT32)
# Longer ways are not followed.
_MOST_NODES = 64


def _is_near(graph: Graph, first: str, step: Callable[[NodeDef], Iterable[str]]) -> bool:
    """Whether a linear op is reached from a node through what may be INT8 beside it."""
    seen: Set[str] = set()
    stack = [first]
    while stack and len(seen) < _MOST_NODES:
        node = graph.nodes[stack.pop()]
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op in LINEAR:
            return True
        if node.op in _BETWEEN:
            stack.extend(step(node))
    return False


def _concerns(graph: Graph, node: NodeDef) -> bool:
    if attribute(node, "T").type != DT_FLOAT or graph.is_output(node.name):
        return False

    def makers(at: NodeDef) -> List[str]:
        return [tensors.node_of(name) for name in graph.data_inputs(at)]

    def readers(at: NodeDef) -> List[str]:
        found = graph.consumers(at.name)
        return [item.name for item in found if at.name in map(tensors.node_of, graph.data_inputs(item))]

    return _is_near(graph, node.name, makers) and _is_near(graph, node.name, readers)


def _look(shapes: InferredShapes, graph: Graph, node: NodeDef) -> Optional[Tuple[str, int, int, List[int]]]:
    """What is split, along which axis, of how many dimensions, and the lengths; None where these are not known."""
    inputs = graph.data_inputs(node)
    source = inputs[1] if node.op == "Split" else inputs[0]
    shape = shapes(source)
    if node.op == "Unpack":
        where: Optional[int] = attribute(node, "axis").i
    else:
        axis = graph.constant(inputs[0] if node.op == "Split" else inputs[2])
        where = None if axis is None else int(axis.reshape(-1)[0])
    if shape is None or where is None:
        return None
    where %= len(shape)
    sizes = _sizes(graph, node, shape[where])
    return None if sizes is None else (source, where, len(shape), sizes)


def _sizes(graph: Graph, node: NodeDef, total: Optional[int]) -> Optional[List[int]]:
    if node.op == "Unpack":
        return [1] * attribute(node, "num").i
    if node.op == "Split":
        parts = attribute(node, "num_split").i
        return None if total is None else [total // parts] * parts
    given = graph.constant(graph.data_inputs(node)[1])
    if given is None:
        return None
    sizes = [int(size) for size in given.reshape(-1)]
    if -1 in sizes:
        if total is None:
            return None
        sizes[sizes.index(-1)] = total - sum(sizes) - 1
    return sizes


def _refuse(shapes: InferredShapes, graph: Graph, node: NodeDef, _found: Match) -> str:
    return "" if _look(shapes, graph, node) else "where it splits is not known ahead of running the graph"


def _rewrite(shapes: InferredShapes, graph: Graph, node: NodeDef, _found: Match) -> None:
    found = _look(shapes, graph, node)
    assert found is not None  # _refuse has looked
    source, axis, rank, sizes = found
    waits = graph.control_inputs(node)
    begin = 0
    last = ""
    for index, size in enumerate(sizes):
        part = tensors.canonical("%s:%d" % (node.name, index))
        if graph.readers(part):
            last = _add_part(graph, node, source, index, (axis, rank, begin, size), waits)
            graph.redirect(part, last)
        begin += size
    for reader in graph.consumers(node.name):  # only what waits for it is left
        moved = [name if tensors.node_of(name) != node.name else "^" + last for name in reader.input]
        graph.set_inputs(reader, list(dict.fromkeys(moved)))
    graph.sweep([node.name])


def _add_part(
    graph: Graph, node: NodeDef, source: str, index: int, place: Tuple[int, int, int, int], waits: List[str]
) -> str:
    """Add a Slice; ``place``: axis, number of dimensions, where it begins, how long it is."""
    axis, rank, begin, size = place
    starts, lengths = np.zeros(rank, np.int32), np.full(rank, -1, np.int32)
    starts[axis], lengths[axis] = begin, size
    stem = "%s/part_%d" % (node.name, index)
    names = [
        graph.add_constant("%s/%s" % (stem, suffix), value, beside=source)
        for suffix, value in (("begin", starts), ("size", lengths))
    ]
    attrs = {"T": dtype_attr(DT_FLOAT), "Index": _INT32}
    name = graph.add("Slice", graph.unique_name(stem), [source, *names, *waits], attrs, node.device).name
    if node.op != "Unpack":
        return name
    attrs = {"T": dtype_attr(DT_FLOAT), "squeeze_dims": attr_value([axis])}
    return graph.add("Squeeze", graph.unique_name(stem + "/squeezed"), [name], attrs, node.device).name


def _rules(graph: Graph) -> Rules:
    shapes = InferredShapes(graph)
    rule = Rule((Op("|".join(_OPS)),), partial(_rewrite, shapes), partial(_refuse, shapes), _concerns)
    return Rules("write_splits_as_slices", rule)


# again: what splits a part waits for that to be there
write_splits_as_slices = make_pass("write_splits_as_slices", _rules, again=True)
