"""What was decided about a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """Whether a node became INT8.

    Attributes:
        node: its name.
        op: its op in the FP32 graph.
        int8: whether an INT8 op does its work now.
        reason: why not; empty where it did.
    """

    node: str
    op: str
    int8: bool
    reason: str = ""
