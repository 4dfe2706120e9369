"""What has to be known of a linear op for it to have an INT8 form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_QINT8, DT_QUINT8
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.layout import Layout
from intel_quantization.kinds.range_flow import RangeFlow
from intel_quantization.kinds.rules import RefusalRule
from intel_quantization.kinds.window import Window
from intel_quantization.ops.capabilities import Capabilities


class Kernel(NamedTuple):
    """An INT8 op, and the types that a kernel of it has to take, by attribute."""

    op: str
    types: Dict[str, int]


@dataclass(frozen=True)
class Form:
    """A row of the table of capabilities: what becomes INT8, and what a TensorFlow must have for it.

    Attributes:
        what: in words; one that begins with an ellipsis goes on where the last one ended.
        kernel: the op and its types.
        attr: an attribute that the op must have; then the types do not matter.
    """

    what: str
    kernel: Kernel
    attr: str = ""


class NodeCase(NamedTuple):
    """What the rules of :attr:`LinearKind.refusals` look at: a float32 node, whose weights are constant and fit."""

    graph: Graph
    node: NodeDef


@dataclass(frozen=True)
class GroupCase:
    """What the rules of :attr:`LinearKind.obstacles` look at: a group, as it would be emitted.

    Attributes:
        group: the group.
        weights: of its linear op.
        shape: of its source, as calibration saw it.
        unsigned: whether it reads quint8.
        from_float: whether FP32 makes its source.
        rows: of a source with two dimensions: how many rows it has, for one sample.
        kernel: that of the group.
        capabilities: of the TensorFlow that the graph is made for.
    """

    group: Group
    weights: np.ndarray
    shape: Tuple[Optional[int], ...]
    unsigned: bool
    from_float: bool
    rows: float
    kernel: Kernel
    capabilities: Capabilities

    @property
    def has_kernel(self) -> bool:
        """Whether the group's kernel exists."""
        return self.capabilities.has_kernel(self.kernel.op, **self.kernel.types)

    def without(self, reason: str) -> str:
        """A reason for which something has no kernel, with the target, where there is one."""
        return reason if self.capabilities.target is None else "%s %s" % (reason, self.capabilities.where)


class LinearKind(ABC):
    """All that is known of a linear op; the abstract part must be said, the rest is what holds for most.

    Attributes:
        spatial: whether it slides a window over an image, [batch, height, width, channels], and has a data format.
        per_channel: whether its kernels know a range of weights for each output channel.
        saturates: whether kernels without VNNI add two of its products in a saturating int16.
        adds: whether a kernel adds another tensor to its result.
        padding: (op, attribute) that takes a Pad in front of it; None: nothing does. The op stands for its family.
        takes_signed: whether kernels read qint8; else a signed source has to be lifted.
        lifts_source: whether it is worth lifting what FP32 makes for it.
        pads_ahead: whether FP32 may pad its source where there are few channels.
        gives_lifted: whether it can give its result lifted.
        refusals: rules about a :class:`NodeCase`, beside those that hold for all.
        obstacles: rules about a :class:`GroupCase`, ahead of the one that there must be a kernel.
    """

    spatial: bool = False
    per_channel: bool = True
    saturates: bool = True
    adds: bool = False
    padding: Optional[Tuple[str, str]] = None
    takes_signed: bool = True
    lifts_source: bool = True
    pads_ahead: bool = False
    gives_lifted: bool = True
    refusals: Tuple[RefusalRule, ...] = ()
    obstacles: Tuple[RefusalRule, ...] = ()

    @property
    @abstractmethod
    def op(self) -> str:
        """Its name in FP32 graphs."""

    @property
    @abstractmethod
    def flows(self) -> Mapping[str, RangeFlow]:
        """Every INT8 op that it may become, and how ranges pass that."""

    @abstractmethod
    def layout(self, node: NodeDef) -> Layout:
        """How its weights are laid out."""

    @abstractmethod
    def kernel(self, group: Group, unsigned: bool, signed_summand: bool = False) -> Kernel:
        """The INT8 op for a group.

        Args:
            group: of this kind.
            unsigned: whether it reads quint8.
            signed_summand: whether its summand is qint8.
        """

    @abstractmethod
    def attributes(self, node: NodeDef, group: Group, kernel: Kernel) -> Dict[str, Any]:
        """The attributes of the INT8 op beside its types."""

    @abstractmethod
    def forms(self) -> Tuple[Form, ...]:
        """Its rows of the table of capabilities."""

    def emitted(self, node: NodeDef, values: np.ndarray) -> np.ndarray:
        """INT8 weights as the INT8 op reads them."""
        return values

    def gives_float(self, group: Group) -> bool:
        """Whether a group's op gives float32."""
        return False

    def pads_nothing(self, node: NodeDef, group: Group, shape: Sequence[int]) -> bool:
        """Whether a group reads no zeros but those of its source; ``shape``: of its weights."""
        return True

    def window(self, node: NodeDef, group: Group, shape: Sequence[int]) -> Window:
        """What a group reads for one position of its output; ``shape``: of its weights."""
        layout = self.layout(node)
        return Window(group.source, None, channels=int(shape[layout.inputs]), outputs=layout.count_outputs(shape))


def int8_type(unsigned: bool) -> int:
    """The DataType number of quint8 or qint8."""
    return DT_QUINT8 if unsigned else DT_QINT8


def example(op: str, activation: str = "", summand: Optional[str] = None) -> Group:
    """A group of an op, to ask for its kernel."""
    return Group("linear", op, "source", None, None, summand, activation, "root", ("linear",))
