"""What the running TensorFlow knows of an op: its attributes, its kernels, the dtypes of its outputs."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, FrozenSet, Optional, Tuple

from tensorflow.core.framework import node_def_pb2, op_def_pb2
from tensorflow.python.framework import kernels, op_def_registry


def op_def(op: str) -> Optional[op_def_pb2.OpDef]:
    """The registered OpDef, or None where this TensorFlow has no such op."""
    if hasattr(op_def_registry, "get"):
        return op_def_registry.get(op)
    return op_def_registry.get_registered_ops().get(op)  # TensorFlow 1.15


def has_attr(op: str, attr: str) -> bool:
    """Whether an op exists here and has an attribute."""
    definition = op_def(op)
    return definition is not None and any(item.name == attr for item in definition.attr)


def has_kernel(op: str, **types: int) -> bool:
    """Whether a CPU kernel of an op takes these types.

    Args:
        op: the op's name.
        types: type attribute -> DataType number, e.g. ``Tinput=types_pb2.DT_QUINT8``.
    """
    definition = op_def(op)
    if definition is None:
        return False
    for attr in definition.attr:
        if attr.name in types and attr.HasField("allowed_values"):
            if types[attr.name] not in attr.allowed_values.list.type:
                return False
    return any(
        all(number in kernel[name] for name, number in types.items() if name in kernel) for kernel in _cpu_kernels(op)
    )


@lru_cache(maxsize=None)
def _cpu_kernels(op: str) -> Tuple[Dict[str, FrozenSet[int]], ...]:
    """The type constraints of each CPU kernel of an op."""
    return tuple(
        {item.name: frozenset(item.allowed_values.list.type) for item in kernel.constraint}
        for kernel in kernels.get_registered_kernels_for_op(op).kernel
        if kernel.device_type == "CPU" and not kernel.label
    )


def output_dtype(node: node_def_pb2.NodeDef, index: int = 0) -> int:
    """The DataType number of one output of a node; 0 (DT_INVALID) where it cannot be told."""
    definition = op_def(node.op)
    if definition is None:
        return 0
    position = 0
    for arg in definition.output_arg:
        if arg.type_list_attr:
            types = node.attr[arg.type_list_attr].list.type
            if index < position + len(types):
                return types[index - position]
            position += len(types)
            continue
        count = 1
        if arg.number_attr:
            count = node.attr[arg.number_attr].i
        if index < position + count:
            if arg.type:
                return arg.type
            if arg.type_attr in node.attr:
                return node.attr[arg.type_attr].type
            default = next(item for item in definition.attr if item.name == arg.type_attr)
            return default.default_value.type
        position += count
    return 0
