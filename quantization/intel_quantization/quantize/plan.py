"""Settle, by the ranges that calibration saw, which candidates have an INT8 kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np

from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.graph.attributes import DT_QINT8, DT_QUINT8
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group, end_of
from intel_quantization.kinds.linear_kind import GroupCase
from intel_quantization.kinds.pass_through_kind import ValuesCase
from intel_quantization.kinds.registry import LINEAR, PASS_THROUGH
from intel_quantization.kinds.rules import RefusalRule, find_reason
from intel_quantization.ops.capabilities import RUNNING, Capabilities
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.lifting import Item, Readers, pads_ahead
from intel_quantization.quantize.pass_through import PassThrough


@dataclass(frozen=True)
class _Seen:
    """What _UNUSABLE look at: a group, and what calibration saw of its source and its result."""

    source: TensorStatistics
    result: TensorStatistics
    rank: int
    gives_float: bool


# What in the values that were seen keeps a group of any kind in FP32.
_UNUSABLE = (
    RefusalRule(
        lambda seen: seen.source.empties and not seen.gives_float,
        "its input may be empty, on which TensorFlow's INT8 kernels crash",
    ),
    RefusalRule(
        lambda seen: not seen.source.count or not seen.result.count,
        lambda seen: "had no values during calibration" if seen.source.empties else "never ran during calibration",
    ),
    RefusalRule(
        lambda seen: seen.source.shape is None or len(seen.source.shape) != seen.rank,
        lambda seen: "the input does not always have %d dimensions" % seen.rank,
    ),
    RefusalRule(
        lambda seen: seen.source.minimum == seen.source.maximum == 0, "the input was always zero during calibration"
    ),
)
# The last word on a group of any kind.
_LACKING = RefusalRule(
    lambda case: not case.has_kernel,
    lambda case: "%s has no kernel for this %s" % (case.kernel.op, case.capabilities.where),
)


def decide(
    graph: Graph,
    candidates: Sequence[Group],
    statistics: Statistics,
    passing: Sequence[PassThrough] = (),
    capabilities: Capabilities = RUNNING,
) -> Tuple[Tuple[Item, ...], Tuple[Decision, ...]]:
    """Choose the groups to emit, and what passes INT8 values on between them.

    A residual addition without a kernel falls off its group.

    Args:
        graph: the FP32 graph.
        candidates: the groups.
        statistics: of all tensors that the candidates observe.
        passing: what may pass INT8 values on.
        capabilities: of the TensorFlow that the graph is made for.

    Returns:
        What to emit, each behind those whose results it reads, and a decision for every candidate and
        for those of ``passing`` that have an INT8 kernel of their own.
    """
    rank = {node.name: number for number, node in enumerate(graph.topological())}
    chosen: List[Item] = []
    decisions: List[Decision] = []
    reasons: Dict[str, str] = {}  # of what passes values on
    results: Dict[str, bool] = {}  # INT8 tensors so far: whether they are unsigned
    lifted: Set[str] = set()  # those of them that are lifted
    everything: List[Item] = [*candidates, *passing]
    settler = _Settler(graph, statistics, results, lifted, Readers(graph, everything), capabilities)
    for candidate in sorted(everything, key=lambda item: rank[item.root]):
        if isinstance(candidate, PassThrough):
            reasons[candidate.root] = _find_obstacle(candidate, statistics, results, capabilities)
            if not reasons[candidate.root]:
                chosen.append(candidate)
                results[candidate.root] = results[candidate.sources[0]]
                if candidate.sources[0] in lifted:
                    lifted.add(candidate.root)
            continue
        settled = settler.settle(candidate)
        reason = settled if isinstance(settled, str) else ""
        decisions.append(Decision(candidate.linear, candidate.op, not reason, reason))
        if isinstance(settled, Group):
            chosen.append(settled)
            if not LINEAR[settled.op].gives_float(settled):
                results[settled.root] = settled.gives_unsigned
                if settled.shifted:
                    lifted.add(settled.root)
    emitted = _read_in_int8(chosen)
    kept = {item.root for item in emitted}
    for item in passing:
        if PASS_THROUGH[item.op].told:
            reason = reasons[item.root] or ("" if item.root in kept else "nothing that is INT8 reads it")
            decisions.append(Decision(item.root, item.op, not reason, reason))
    return emitted, tuple(decisions)


def _read_in_int8(chosen: Sequence[Item]) -> Tuple[Item, ...]:
    """Without what passes values on that no INT8 op reads: those would lose digits for nothing."""
    read: Set[str] = set()
    items: List[Item] = []
    for item in reversed(chosen):
        if isinstance(item, Group):
            read.update(name for name in (item.source, item.summand) if name)
        elif item.root in read:
            read.update(item.sources)
        else:
            continue
        items.append(item)
    return tuple(reversed(items))


def _find_obstacle(
    item: PassThrough, statistics: Statistics, results: Dict[str, bool], capabilities: Capabilities
) -> str:
    """Why a node cannot pass INT8 values on; empty where it can."""
    if any(name not in results for name in item.sources):
        return "an input is not INT8"
    signs = {results[name] for name in item.sources}
    if len(signs) > 1:
        return "signed and unsigned inputs have no INT8 kernel together"
    kind = PASS_THROUGH[item.op]
    source, result = statistics.tensors.get(item.sources[0]), statistics.tensors.get(item.root)
    case = ValuesCase(source.shape if source else None, result.shape if result else None, capabilities)
    reason = find_reason(kind.obstacles, case)
    if reason:
        return reason
    for kernel in kind.kernels(DT_QUINT8 if signs.pop() else DT_QINT8):
        if not capabilities.has_kernel(kernel.op, **kernel.types):
            return "%s has no kernel for this %s" % (kernel.op, capabilities.where)
    return ""


def is_unsigned(tensor: str, statistics: Statistics, results: Dict[str, bool]) -> bool:
    """Whether a tensor is, or is to be quantized to, quint8: what makes it says so, else the values that were seen.

    Args:
        tensor: its name in the FP32 graph.
        statistics: of the FP32 graph.
        results: tensors that INT8 ops give, and whether those are unsigned.
    """
    return results[tensor] if tensor in results else statistics.tensors[tensor].minimum >= 0


class _Settler:
    """Settles one group after the other, each behind those whose results it reads."""

    def __init__(
        self,
        graph: Graph,
        statistics: Statistics,
        results: Dict[str, bool],
        lifted: Set[str],
        readers: Readers,
        capabilities: Capabilities,
    ) -> None:
        self.graph = graph
        self.statistics = statistics
        self.results = results
        self.lifted = lifted
        self.readers = readers
        self.capabilities = capabilities

    def settle(self, group: Group) -> Union[Group, str]:
        """The group as it can be emitted, or why it cannot."""
        kind, weights = LINEAR[group.op], self._weights(group)
        source = self.statistics.tensors[group.source]
        seen = _Seen(source, self.statistics.tensors[group.root], weights.ndim, kind.gives_float(group))
        reason = find_reason(_UNUSABLE, seen)
        if reason:
            return reason
        assert source.shape is not None  # one of the rules
        group = self._take_lifted(group)
        unsigned = group.lifted or is_unsigned(group.source, self.statistics, self.results)
        signed_summand = False
        added = None if group.summand is None else self._add(group, unsigned)
        if added is not None:
            group, signed_summand = added
        else:
            if group.summand is not None:
                group = replace(group, summand=None, activation="", root=group.members[1], members=group.members[:2])
            group = self._give_lifted(group, unsigned)
        kernel = kind.kernel(group, unsigned, signed_summand)
        from_float = group.source not in self.results
        rows = self._count_rows(group, source)
        case = GroupCase(group, weights, source.shape, unsigned, from_float, rows, kernel, self.capabilities)
        return find_reason((*kind.obstacles, _LACKING), case) or group

    def _weights(self, group: Group) -> np.ndarray:
        weights = self.graph.constant(self.graph.data_inputs(self.graph.nodes[group.linear])[1])
        assert weights is not None  # a condition of every candidate
        return weights

    def _count_rows(self, group: Group, source: TensorStatistics) -> float:
        """How many rows a matrix product reads at once, for one sample."""
        columns = (source.shape or (None,))[-1] or 0
        if self.graph.frame(group.source) or not columns or not self.statistics.samples:
            return 1.0  # in a loop each round has rows of its own
        return max(source.count / columns / self.statistics.samples, 1.0)

    def _take_lifted(self, group: Group) -> Group:
        """The group that reads its source lifted, where that is so or should be."""
        if group.source in self.results:
            return replace(group, lifted=True) if group.source in self.lifted else group
        kind = LINEAR[group.op]
        if is_unsigned(group.source, self.statistics, {}) or not kind.lifts_source:
            return group
        if not kind.takes_signed or self.readers.take_lifted(group.source):
            return replace(group, lifted=True)
        pads = pads_ahead(self.graph, group, self.statistics.tensors[group.source].shape)
        return group if pads is None else replace(group, lifted=True, pads=None, lift_pads=pads)

    def _give_lifted(self, group: Group, unsigned: bool) -> Group:
        """The group that gives its signed result lifted, where all that read it in INT8 can take it so."""
        kind = LINEAR[group.op]
        if group.activation or not kind.gives_lifted or not self.readers.take_lifted(group.root):
            return group
        shifted = replace(group, shifted=True)
        return shifted if self._has_kernel(shifted, unsigned) else group

    def _has_kernel(self, group: Group, unsigned: bool, signed_summand: bool = False) -> bool:
        kernel = LINEAR[group.op].kernel(group, unsigned, signed_summand)
        return self.capabilities.has_kernel(kernel.op, **kernel.types)

    def _add(self, group: Group, unsigned: bool) -> Optional[Tuple[Group, bool]]:
        """The group with its residual addition, and whether that adds qint8; None where no kernel does that."""
        name = group.summand
        assert name is not None
        summand, result = self.statistics.tensors[name], self.statistics.tensors[group.root]
        # equal counts: the batch dimension does not broadcast, either
        if summand.shape is None or (summand.shape, summand.count) != (result.shape, result.count):
            return None
        # TensorFlow before 2.1 (whose QuantizeV2 has no axis) loses the shape of what it quantized from FP32 in
        # oneDNN's own layout, and fails or aborts when that is added ("MklToTfOp: Failed to forward input tensor")
        if name not in self.results and not self.capabilities.has_attr("QuantizeV2", "axis"):
            return None
        if not group.activation:
            if name not in self.results:
                return None  # FP32 adds it faster than it is quantized
            if not self.readers.take_lifted(group.root):
                return None  # the only kernels without a ReLU give a signed result, and none of them adds
            group = replace(group, shifted=True)
        signed = not is_unsigned(name, self.statistics, self.results)
        if name in self.lifted or (signed and name not in self.results):
            group, signed = replace(group, summand_lifted=True), False
        # a signed summand widens the range of the result (see emission), which then does not end where it has to
        if signed and end_of(group.activation) is not None:
            return None
        return (group, signed) if self._has_kernel(group, unsigned, signed) else None
