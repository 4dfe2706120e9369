"""What a MatMul was before the optimizer wrote it as one, for those who exclude ops and nodes by their names."""

from __future__ import annotations

from typing import FrozenSet, List

from intel_quantization.graph.attributes import attr_value, attribute
from intel_quantization.graph.graph import NodeDef

_KEY = "_stands_for"  # TensorFlow takes any attribute that begins so


def set_stands_for(node: NodeDef, op: str, name: str) -> None:
    """Note the op and the name of the node whose work another one does now."""
    node.attr[_KEY].CopyFrom(attr_value([op, name]))


def ops_of(node: NodeDef) -> FrozenSet[str]:
    """The op of a node, and that of the node it stands for."""
    return frozenset([node.op, *_noted(node)[:1]])


def names_of(node: NodeDef) -> FrozenSet[str]:
    """The name of a node, and that of the node it stands for."""
    return frozenset([node.name, *_noted(node)[1:]])


def _noted(node: NodeDef) -> List[str]:
    return [text.decode() for text in attribute(node, _KEY).list.s]
