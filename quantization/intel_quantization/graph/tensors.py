"""Tensor names as a GraphDef spells them: ``node``, ``node:1``, ``^node`` (control input)."""

from __future__ import annotations

from typing import Tuple


def is_control(name: str) -> bool:
    """Whether an input is a control dependency."""
    return name.startswith("^")


def node_of(name: str) -> str:
    """The node that a tensor name or control input refers to."""
    if name.startswith("^"):
        return name[1:]
    return name.partition(":")[0]


def split(name: str) -> Tuple[str, int]:
    """Node and output index of a data tensor.

    Raises:
        ValueError: the part behind the colon is no number.
    """
    node, _, index = name.partition(":")
    return node, int(index) if index else 0


def canonical(name: str) -> str:
    """The spelling used inside a GraphDef: output 0 has no suffix."""
    if is_control(name):
        return name
    node, index = split(name)
    return node if index == 0 else "%s:%d" % (node, index)


def is_well_formed(name: str) -> bool:
    """Whether a data tensor is spelt ``node`` or ``node:number``."""
    _, colon, index = name.partition(":")
    return not colon or (index.isdigit() and index.isascii())
