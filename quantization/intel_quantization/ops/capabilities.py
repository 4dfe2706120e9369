"""Which ops, attributes and kernels a graph that is being made may use."""

from __future__ import annotations

from typing import Optional, Tuple

import tensorflow as tf

from intel_quantization.ops import registry
from intel_quantization.ops.snapshots import Snapshot, order, snapshots_from


class Capabilities:
    """What the TensorFlow that runs this has, and with a target all known versions from that one on, too.

    Args:
        target: the oldest version that the graph is to run in, as :func:`snapshots_from` takes it; None
            makes graphs for the running TensorFlow.

    Attributes:
        target: as given.
        snapshots: of the versions that the graph is made for beside the running one.
        where: for the reason why something has no kernel.

    Raises:
        BadInputError: nothing is known of the target.
    """

    def __init__(self, target: Optional[str] = None) -> None:
        self.target = target
        self.snapshots: Tuple[Snapshot, ...] = () if target is None else snapshots_from(target)
        self.where = "in this TensorFlow" if target is None else "that works from TensorFlow %s on" % target

    def versions(self) -> Tuple[str, ...]:
        """The TensorFlow versions that the graph is made for, the running one among them, the oldest first."""
        return tuple(sorted({tf.__version__, *(item.version for item in self.snapshots)}, key=order))

    def has_attr(self, op: str, attr: str) -> bool:
        """Whether an op exists and has an attribute."""
        return registry.has_attr(op, attr) and all(item.has_attr(op, attr) for item in self.snapshots)

    def has_kernel(self, op: str, **types: int) -> bool:
        """Whether a CPU kernel of an op takes these types, as :func:`registry.has_kernel`."""
        return registry.has_kernel(op, **types) and all(item.has_kernel(op, **types) for item in self.snapshots)


RUNNING = Capabilities()
