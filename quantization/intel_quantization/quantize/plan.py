"""Settle, by the ranges that calibration saw, which candidates have an INT8 kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8
from intel_quantization.graph.capabilities import RUNNING, Capabilities
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.carries import ALIASING, MOVING, TOLD, Carry
from intel_quantization.quantize.fused_depthwise import FUSED_DEPTHWISE, NOT_FASTER, fused_types, needs_fused_op
from intel_quantization.quantize.groups import Decision, Group
from intel_quantization.quantize.int8_tensor import as_bytes
from intel_quantization.quantize.lifting import Item, Readers, pads_ahead

# Weights of a MatMul from which on INT8 was faster although its input is lifted: 1x1024x1000 1.2x, 32x768x3072
# 2.2x (AVX-512 VNNI) to 3x (AMX); 8x512x512 0.9x.
_LEAST_LIFTED = 1 << 19


def decide(
    graph: Graph,
    candidates: Sequence[Group],
    statistics: Statistics,
    carries: Sequence[Carry] = (),
    capabilities: Capabilities = RUNNING,
) -> Tuple[Tuple[Item, ...], Tuple[Decision, ...]]:
    """Choose the groups to emit, and what carries INT8 values between them.

    A residual addition without a kernel falls off its group.

    Args:
        graph: the FP32 graph.
        candidates: the groups.
        statistics: of all tensors that the candidates observe.
        carries: what may carry INT8 values.
        capabilities: of the TensorFlow that the graph is made for.

    Returns:
        What to emit, each behind those whose results it reads, and a decision for every candidate and
        for those of the carries that have an INT8 kernel of their own.
    """
    rank = {node.name: number for number, node in enumerate(graph.topological())}
    chosen: List[Item] = []
    decisions: List[Decision] = []
    reasons: Dict[str, str] = {}  # of carries
    results: Dict[str, bool] = {}  # INT8 tensors so far: whether they are unsigned
    lifted: Set[str] = set()  # those of them that are lifted
    everything: List[Item] = [*candidates, *carries]
    settler = _Settler(graph, statistics, results, lifted, Readers(graph, everything), capabilities)
    for candidate in sorted(everything, key=lambda item: rank[item.root]):
        if isinstance(candidate, Carry):
            reasons[candidate.root] = _obstacle(candidate, statistics, results, capabilities)
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
            if not gives_float(settled):
                results[settled.root] = settled.gives_unsigned
                if settled.shifted:
                    lifted.add(settled.root)
    emitted = _read_in_int8(chosen)
    kept = {item.root for item in emitted}
    for carry in carries:
        if carry.op in TOLD:
            reason = reasons[carry.root] or ("" if carry.root in kept else "nothing that is INT8 reads it")
            decisions.append(Decision(carry.root, carry.op, not reason, reason))
    return emitted, tuple(decisions)


def _read_in_int8(chosen: Sequence[Item]) -> Tuple[Item, ...]:
    """Without the carries whose result no INT8 op reads: those would lose digits for nothing."""
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


def _obstacle(carry: Carry, statistics: Statistics, results: Dict[str, bool], capabilities: Capabilities) -> str:
    """Why a carry cannot work in INT8; empty where it can."""
    if any(name not in results for name in carry.sources):
        return "an input is not INT8"
    signs = {results[name] for name in carry.sources}
    if len(signs) > 1:
        return "signed and unsigned inputs have no INT8 kernel together"
    result = statistics.tensors.get(carry.root)
    if carry.op == "AvgPool" and result is not None and result.shape is not None and result.shape[1:3] == (1, 1):
        return "a mean over the whole image keeps its digits in float32, and is small"
    if carry.op == "Pad":
        seen = statistics.tensors.get(carry.sources[0])
        if seen is None or seen.shape is None or len(seen.shape) != 4 or (seen.shape[3] or 1) % 4:
            return "the number of channels is no multiple of 4"
    dtype = DT_QUINT8 if signs.pop() else DT_QINT8
    op = carry.op if carry.op in (*ALIASING, *MOVING, "Pad") else "Quantized" + carry.op
    needed = ("Shape", "Reshape") if op == "Pad" else (op,)
    kernel_type = as_bytes(dtype) if op in MOVING else dtype
    has_kernels = all(capabilities.has_kernel(name, T=kernel_type) for name in needed)
    if op in MOVING:
        has_kernels = has_kernels and capabilities.has_kernel("Bitcast", T=dtype, type=kernel_type)
    if op == "Pad":
        has_kernels = has_kernels and capabilities.has_kernel("Bitcast", T=dtype, type=DT_FLOAT)
    if not has_kernels:
        return "%s has no kernel for this %s" % (op, capabilities.where)
    return ""


def quantized_op(group: Group, signed_summand: bool = False) -> str:
    """The oneDNN op for a group.

    Args:
        group: the group.
        signed_summand: whether its summand is qint8.
    """
    if group.op == "MatMul":
        return "QuantizedMatMulWithBiasAnd" + ("ReluAndRequantize" if group.activation else "Dequantize")
    if group.op == "DepthwiseConv2dNative":
        return "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
    if group.summand is not None:
        return "QuantizedConv2DWithBias%sSumAndReluAndRequantize" % ("Signed" if signed_summand else "")
    return "QuantizedConv2DWithBiasAnd%sRequantize" % ("ReluAnd" if group.gives_unsigned else "")


def gives_float(group: Group) -> bool:
    """Whether a group's op gives float32: a MatMul without an activation, usually the logits."""
    return group.op == "MatMul" and not group.activation


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
        self.lacking = "" if capabilities.target is None else " " + capabilities.where

    def settle(self, group: Group) -> Union[Group, str]:
        """The group as it can be emitted, or why it cannot."""
        obstacle = self._unusable(group)
        if obstacle:
            return obstacle
        group = self._take_lifted(group)
        unsigned = group.lifted or is_unsigned(group.source, self.statistics, self.results)
        if group.op == "MatMul" and group.lifted and group.source not in self.results:
            if self._weights(group).size < _LEAST_LIFTED:
                return "signed input has to be lifted for MatMul, which is not faster for so few weights"
        if group.summand is not None:
            added = self._add(group, unsigned)
            if added is not None:
                return added
            group = replace(group, summand=None, activation="", root=group.members[1], members=group.members[:2])
        group = self._give_lifted(group, unsigned)
        if group.op == "DepthwiseConv2dNative":
            return self._settle_depthwise(group, unsigned)
        if group.op == "MatMul" and not unsigned:
            return "signed input has no INT8 kernel for MatMul" + self.lacking
        op = quantized_op(group)
        if not self.capabilities.has_kernel(op, **_types(group, unsigned)):
            return "%s has no kernel for this %s" % (op, self.capabilities.where)
        return group

    def _weights(self, group: Group) -> np.ndarray:
        weights = self.graph.constant(self.graph.data_inputs(self.graph.nodes[group.linear])[1])
        assert weights is not None  # a condition of every candidate
        return weights

    def _unusable(self, group: Group) -> str:
        """What in the values that were seen keeps a group in FP32; empty where nothing does."""
        seen, weights = self.statistics.tensors[group.source], self._weights(group)
        if seen.empties and not gives_float(group):
            return "its input may be empty, on which TensorFlow's INT8 kernels crash"
        if not seen.count or not self.statistics.tensors[group.root].count:
            return "had no values during calibration" if seen.empties else "never ran during calibration"
        if seen.shape is None or len(seen.shape) != weights.ndim:
            return "the input does not always have %d dimensions" % weights.ndim
        if seen.minimum == seen.maximum == 0:
            return "the input was always zero during calibration"
        if group.op == "Conv2D" and seen.shape[3] != weights.shape[2]:
            return "a grouped convolution has no INT8 kernel"
        return ""

    def _take_lifted(self, group: Group) -> Group:
        """The group that reads its source lifted, where that is so or should be."""
        if group.source in self.results:
            return replace(group, lifted=True) if group.source in self.lifted else group
        if is_unsigned(group.source, self.statistics, {}) or group.op == "DepthwiseConv2dNative":
            return group
        if group.op == "MatMul" or self.readers.take_lifted(group.source):
            return replace(group, lifted=True)
        pads = pads_ahead(self.graph, group, self.statistics.tensors[group.source].shape)
        return group if pads is None else replace(group, lifted=True, pads=None, lift_pads=pads)

    def _give_lifted(self, group: Group, unsigned: bool) -> Group:
        """The group that gives its signed result lifted, where all that read it in INT8 can take it so."""
        if group.activation or group.op == "MatMul" or not self.readers.take_lifted(group.root):
            return group
        shifted = replace(group, shifted=True)
        if group.op == "DepthwiseConv2dNative" and needs_fused_op(shifted, unsigned):
            known = self.capabilities.has_kernel(FUSED_DEPTHWISE, **fused_types(shifted, unsigned))
        else:
            known = self.capabilities.has_kernel(quantized_op(shifted), **_types(shifted, unsigned))
        return shifted if known else group

    def _settle_depthwise(self, group: Group, unsigned: bool) -> Union[Group, str]:
        plain = unsigned and group.gives_unsigned
        if group.source not in self.results and not (unsigned and group.activation):
            if self.capabilities.has_kernel(FUSED_DEPTHWISE, **fused_types(group, unsigned)):
                return NOT_FASTER
        if needs_fused_op(group, unsigned):
            if self.capabilities.has_kernel(FUSED_DEPTHWISE, **fused_types(group, unsigned)):
                return group
            if plain:
                return "%s has no kernel for this %s" % (FUSED_DEPTHWISE, self.capabilities.where)
        if not unsigned:
            return "signed input has no INT8 kernel for DepthwiseConv2dNative" + self.lacking
        if not plain:
            return "DepthwiseConv2dNative has no INT8 kernel without a ReLU behind it" + self.lacking
        op = quantized_op(group)
        if not self.capabilities.has_kernel(op, **_types(group, unsigned)):
            return "%s has no kernel for this %s" % (op, self.capabilities.where)
        return group

    def _add(self, group: Group, unsigned: bool) -> Optional[Group]:
        """The group with its residual addition; None where no kernel does that."""
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
        # a signed summand widens the range of the result (see emission), which then does not end at 6
        if signed and group.activation == "Relu6":
            return None
        if not self.capabilities.has_kernel(quantized_op(group, signed), **_types(group, unsigned, signed)):
            return None
        return group


def _types(group: Group, unsigned: bool, signed_summand: bool = False) -> Dict[str, int]:
    source = DT_QUINT8 if unsigned else DT_QINT8
    if group.op == "MatMul":
        result = DT_FLOAT if gives_float(group) else DT_QUINT8
        return {"T1": source, "T2": DT_QINT8, "Tbias": DT_FLOAT, "Toutput": result}
    result = DT_QUINT8 if group.gives_unsigned else DT_QINT8
    types = {"Tinput": source, "Tfilter": DT_QINT8, "Tbias": DT_FLOAT, "out_type": result}
    if group.summand is not None:
        types["Tsummand"] = DT_QINT8 if signed_summand else DT_QUINT8
    return types
