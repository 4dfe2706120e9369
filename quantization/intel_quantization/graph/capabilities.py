"""Which ops, attributes and kernels a graph that is being made may use."""

from __future__ import annotations

from intel_quantization.graph import registry


class Capabilities:
    """What the TensorFlow that runs this has: graphs are made for it."""

    where = "in this TensorFlow"

    def has_attr(self, op: str, attr: str) -> bool:
        """Whether an op exists and has an attribute."""
        return registry.has_attr(op, attr)

    def has_kernel(self, op: str, **types: int) -> bool:
        """Whether a CPU kernel of an op takes these types, as :func:`registry.has_kernel`."""
        return registry.has_kernel(op, **types)


RUNNING = Capabilities()
