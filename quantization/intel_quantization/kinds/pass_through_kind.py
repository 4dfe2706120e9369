"""What has to be known of an op that passes INT8 values on: what it gives is made of the very values that it reads.

Between two INT8 ops each of them saves a Dequantize and a QuantizeV2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.kinds.linear_kind import Form, Kernel
from intel_quantization.kinds.range_flow import RangeFlow
from intel_quantization.kinds.rules import RefusalRule
from intel_quantization.ops.capabilities import Capabilities

Shape = Optional[Tuple[Optional[int], ...]]


class NodeCase(NamedTuple):
    """What the rules of :attr:`PassThroughKind.refusals` look at: a float32 node."""

    graph: Graph
    node: NodeDef


@dataclass(frozen=True)
class ValuesCase:
    """What the rules of :attr:`PassThroughKind.obstacles` look at: a node whose inputs are INT8, all of one sign.

    Attributes:
        source: the shape of its first input, as calibration saw it; None where that did not.
        result: the same of its result.
        capabilities: of the TensorFlow that the graph is made for.
    """

    source: Shape
    result: Shape
    capabilities: Capabilities


class PassThroughKind(ABC):
    """All that is known of an op that passes INT8 values on; the abstract part must be said.

    Args:
        op: its name in FP32 graphs.

    Attributes:
        told: whether its decision is told: it costs time, and has a kernel of its own.
        shares_memory: whether what reads its result may read the memory of its input.
        takes_lifted: whether it can pass lifted values: it gives some of those that it reads, or means of them, and
            no zeros.
        joins: whether it reads several tensors, all but its last input.
        refusals: rules about a :class:`NodeCase`.
        obstacles: rules about a :class:`ValuesCase`.
    """

    told: bool = False
    shares_memory: bool = False
    takes_lifted: bool = False
    joins: bool = False
    refusals: Tuple[RefusalRule, ...] = ()
    obstacles: Tuple[RefusalRule, ...] = ()

    def __init__(self, op: str) -> None:
        self.op = op

    @property
    @abstractmethod
    def flows(self) -> Mapping[str, RangeFlow]:
        """Every op that its INT8 form passes INT8 values through, and how ranges pass that."""

    @abstractmethod
    def kernels(self, dtype: int) -> Sequence[Kernel]:
        """The kernels that its INT8 form needs, the one that is named where it is missing first.

        Args:
            dtype: DT_QUINT8 or DT_QINT8, that of its inputs.
        """

    @abstractmethod
    def emit(self, graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int, name: str) -> str:
        """Add the INT8 form of a node beside it.

        Args:
            graph: edited in place.
            node: the FP32 node; left as it is.
            sources: its float32 inputs in INT8, all signed or all unsigned.
            channels: the last dimension of the first of them; 0 where it is not known.
            name: of the node that gives the result.

        Returns:
            The name of the INT8 tensor. Its range is the widest of the sources' ranges.
        """

    def forms(self) -> Tuple[Form, ...]:
        """Its rows of the table of capabilities; none where it has no row of its own."""
        return ()

    def sources(self, inputs: Sequence[str]) -> Tuple[str, ...]:
        """The float32 tensors among its inputs."""
        return tuple(inputs[:-1] if self.joins else inputs[:1])


def copied_attrs(node: NodeDef) -> Dict[str, Any]:
    """The attributes of a node but its type, and those that TensorFlow keeps for itself."""
    return {key: value for key, value in node.attr.items() if key != "T" and not key.startswith("_")}
