"""Put oneDNN INT8 ops into a graph in the place of the planned groups and of what passes values on.

Every INT8 tensor has one range, kept as two constants that all its readers share. The node that
made the float32 result of a group becomes the Dequantize of it, under its own name: whatever stays
FP32, and the outputs, go on reading that; INT8 readers read the INT8 tensor. A Dequantize that
nobody reads is pruned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges, min_max
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, DT_QINT8, DT_QUINT8, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.group import NO_PADS, Group, Pads
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.kinds.registry import LINEAR, PASS_THROUGH, WITHOUT_KERNEL
from intel_quantization.quantize.emitted_layer import EmittedLayer
from intel_quantization.quantize.equalization import equalized_limit
from intel_quantization.quantize.layer_weights import LayerWeights
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.plan import is_unsigned
from intel_quantization.quantize.ranges import shared_ranges
from intel_quantization.quantize.refinement import Refinement
from intel_quantization.quantize.scaled_source import scale_source
from intel_quantization.quantize.target_cpu import ANY

_SMALLEST_RANGE = 1e-6
# oneDNN's AVX2 kernels give 127 for all that is larger when the summand is qint8, although the result
# is quint8. So 127 stands for the largest value that was seen: one bit less, but right on every CPU.
_SIGNED_SUM_WIDENING = 255.0 / 127.0


def emit(
    graph: Graph,
    items: Sequence[Item],
    statistics: Statistics,
    ranges: Ranges,
    how: Refinement,
    correct_bias: bool = True,
    target_cpu: str = ANY,
) -> Tuple[EmittedLayer, ...]:
    """Replace groups, and what passes INT8 values on between them, by INT8 ops, in place.

    Args:
        graph: the FP32 graph.
        items: as :func:`intel_quantization.quantize.plan.decide` gives them, in its order.
        statistics: of the tensors that the groups observe.
        ranges: what makes the range of a tensor from its statistics. Results without an activation that no
            INT8 op reads keep all that was seen: they may be scores, of which the largest counts.
        how: what patches told.
        correct_bias: see :func:`intel_quantization.quantize.weights.bias_correction` and :mod:`.activation_shift`.
        target_cpu: one of TARGET_CPUS.

    Returns:
        How each group was emitted, in the order of the items.
    """
    emitter = _Emitter(graph, statistics, ranges, items, how, correct_bias, target_cpu)
    for item in items:
        if isinstance(item, PassThrough):
            emitter.pass_on(item)
        else:
            emitter.emit(item)
    graph.prune()
    return tuple(emitter.layers)


class _Emitter:
    def __init__(
        self,
        graph: Graph,
        statistics: Statistics,
        ranges: Ranges,
        items: Sequence[Item],
        how: Refinement,
        correct_bias: bool,
        target_cpu: str,
    ) -> None:
        self._ranges = ranges
        self._whole = _possible_scores(graph, items)
        self._shapes = InferredShapes(graph)
        self._layers = LayerWeights(graph, statistics, how, correct_bias, target_cpu == ANY)
        self.scales, self.grids, self._by_channel = how.scales, how.grids, how.by_channel
        self._activations = {item.root: item.activation for item in items if isinstance(item, Group)}
        self.shared = shared_ranges(graph, items)
        self.graph = graph
        self.statistics = statistics
        self.layers: List[EmittedLayer] = []
        self.int8: Dict[str, Int8Tensor] = {}  # what INT8 ops gave, by the name of the FP32 tensor
        self.plain: Dict[str, Int8Tensor] = {}  # what was quantized as it is, by the same name
        self.lifted: Dict[Tuple[str, Optional[Pads]], Int8Tensor] = {}  # what was lifted first, and how FP32 pads it

    def ranges(self, tensor: str) -> Tuple[float, float]:
        """The smallest and the largest value of a tensor that INT8 is to represent."""
        found = self.statistics.tensors[tensor]
        return (min_max if tensor in self._whole else self._ranges)(tensor, found)

    def emit(self, group: Group) -> None:
        source = self._read(group.source, group.lifted, group.lift_pads)
        summand = self._read(group.summand, group.summand_lifted) if group.summand else None
        node = self.graph.nodes[group.linear]
        signed_summand = summand is not None and not summand.unsigned
        widening = _SIGNED_SUM_WIDENING if signed_summand else 1.0
        offset, lifted_limit = self._lift(group.root, widening) if group.shifted else (np.float64(0.0), 0.0)
        taken_back = offset - (summand.offset if summand else 0.0)
        inputs = [source.tensor] + self._weights_and_bias(group, node, source, taken_back)
        kind = LINEAR[group.op]
        kernel = kind.kernel(group, source.unsigned, signed_summand)
        attrs = {key: dtype_attr(dtype) for key, dtype in kernel.types.items()}
        attrs.update(kind.attributes(node, group, kernel))
        if kind.gives_float(group):
            self._emit_float(group, kernel.op, source, inputs, attrs)
            self._note(group, group.root, source, None, None)
            return
        summand_inputs = [] if summand is None else [summand.tensor, summand.low, summand.high]
        limit = lifted_limit or self._limit(group.root, group.gives_unsigned) * widening
        low, high = self._range(group.root, group.gives_unsigned, limit, source.tensor)
        inputs += [low, high, *summand_inputs, *self._waits(group)]
        name = self.graph.unique_name(group.root + "/int8")
        self.graph.add(kernel.op, name, inputs, attrs, node.device)
        result = Int8Tensor(name, group.gives_unsigned, limit, low, high, offset)
        self._give(group.root, result)
        self._note(group, name, source, summand, result)

    def _note(
        self,
        group: Group,
        node: str,
        source: Int8Tensor,
        summand: Optional[Int8Tensor],
        result: Optional[Int8Tensor],
    ) -> None:
        read, given = self.scales.get(group.source), self.scales.get(group.root)
        shared = self.shared.get(group.root, (group.root,))
        by_channel = group.root in self._by_channel
        self.layers.append(EmittedLayer(group, node, source, summand, result, read, given, shared, by_channel))

    def pass_on(self, item: PassThrough) -> None:
        node = self.graph.nodes[item.root]
        sources = [self.int8[name] for name in item.sources]
        widest = max(sources, key=lambda source: source.limit)
        seen = self.statistics.tensors.get(item.sources[0])
        channels = (seen.shape[-1] if seen and seen.shape else None) or 0
        name = self.graph.unique_name(node.name + "/int8")
        tensor = PASS_THROUGH[item.op].emit(self.graph, node, sources, channels, name)
        self._give(item.root, replace(widest, tensor=tensor))

    def _give(self, root: str, result: Int8Tensor) -> None:
        self.int8[root] = result
        if root in self.grids:
            self._become_dequantize_by_channel(self.graph.nodes[root], result)
        else:
            self._become_dequantize(self.graph.nodes[root], result)

    def _waits(self, group: Group) -> List[str]:
        return self.graph.control_inputs(self.graph.nodes[group.linear])

    def _quantized(self, tensor: str) -> Int8Tensor:
        if tensor not in self.plain:
            unsigned = is_unsigned(tensor, self.statistics, {})
            self.plain[tensor] = self._quantize(tensor, unsigned, self._limit(tensor, unsigned))
        return self.plain[tensor]

    def _read(self, tensor: str, lifted: bool, pads: Optional[Pads] = None) -> Int8Tensor:
        """A tensor in INT8; lifted, where a group asks for that, by the op that makes it or else in FP32."""
        if tensor in self.int8:
            return self.int8[tensor]
        if not lifted:
            return self._quantized(tensor)
        if (tensor, pads) not in self.lifted:
            offset, span = self._lift_in_float(tensor, pads)
            stem = tensor.replace(":", "_") + "/lifted"
            source = tensor if pads is None else self._pad(tensor, stem + "/pad", pads)
            if tensor in self.scales:
                source = scale_source(self.graph, tensor, 1.0 / self.scales[tensor], self._shapes)
            lift = self.graph.add_constant(stem + "/by", offset.astype(np.float32), beside=tensor)
            name = self.graph.unique_name(stem)
            self.graph.add("Add", name, [source, lift], {"T": dtype_attr(DT_FLOAT)})
            made = self._quantize(name, True, span)
            self.lifted[tensor, pads] = replace(made, offset=offset)
        return self.lifted[tensor, pads]

    def _lift_in_float(self, tensor: str, pads: Optional[Pads]) -> Tuple[np.ndarray, float]:
        """What FP32 adds to lift a tensor, and what 255 steps are."""
        if tensor in self.grids:
            return self.grids[tensor].offset, self.grids[tensor].span
        low, high = self.ranges(tensor)
        if pads is not None and pads != NO_PADS:
            low, high = min(low, 0.0), max(high, 0.0)  # the zeros around the image
        return np.float64(-low), max(high - low, _SMALLEST_RANGE)

    def _pad(self, tensor: str, stem: str, pads: Pads) -> str:
        if pads == NO_PADS:
            return tensor
        paddings = np.array([0, 0, pads[0], pads[1], pads[2], pads[3], 0, 0], np.int32).reshape(4, 2)
        amount = self.graph.add_constant(stem + "/paddings", paddings, beside=tensor)
        attrs = {"T": dtype_attr(DT_FLOAT), "Tpaddings": dtype_attr(DT_INT32)}
        return self.graph.add("Pad", self.graph.unique_name(stem), [tensor, amount], attrs).name

    def _quantize(self, tensor: str, unsigned: bool, limit: float) -> Int8Tensor:
        low, high = self._range(tensor, unsigned, limit, tensor)
        name = self.graph.unique_name(tensor.replace(":", "_") + "/quantize")
        attrs: Dict[str, Any] = {
            "T": dtype_attr(DT_QUINT8 if unsigned else DT_QINT8),
            "mode": "SCALED",
            "round_mode": "HALF_TO_EVEN",
        }
        self.graph.add("QuantizeV2", name, [tensor, low, high], attrs)
        return Int8Tensor(name, unsigned, limit, low, high)

    def _lift(self, tensor: str, widening: float) -> Tuple[np.ndarray, float]:
        """What lifts a result above zero, a whole number of steps, and what 255 steps are, at least the largest value.

        Args:
            tensor: the result.
            widening: so many times its largest value have to fit.
        """
        if tensor in self.grids:
            return self.grids[tensor].offset, self.grids[tensor].span * widening
        low, high = self.ranges(tensor)
        if low >= 0:
            return np.float64(0.0), max(high, _SMALLEST_RANGE) * widening
        levels = int(255.0 / widening) - 1  # one is for the part of a step that comes below
        step = max(high - low, _SMALLEST_RANGE) / levels
        return np.ceil(-low / step) * step, 255.0 * step

    def _limit(self, tensor: str, unsigned: bool) -> float:
        """The largest magnitude of a tensor, and of those that share its range."""
        if tensor in self.scales:
            return self._equalized_limit(tensor)
        limits = [_SMALLEST_RANGE]
        for name in self.shared.get(tensor, (tensor,)):
            low, high = self.ranges(name)
            limits.append(high if unsigned else max(-low, high))
        return max(limits)

    def _equalized_limit(self, tensor: str) -> float:
        """The largest magnitude of an equalized tensor; what its range cuts off is cut off of each channel."""
        seen = self.statistics.tensors[tensor]
        assert seen.channel_magnitude is not None  # a condition of equalization
        low, high = self.ranges(tensor)
        magnitude = np.minimum(seen.channel_magnitude, max(-low, high))
        return max(equalized_limit(magnitude, self.scales[tensor], self._activations[tensor]), _SMALLEST_RANGE)

    def _range(self, tensor: str, unsigned: bool, limit: float, beside: str) -> Tuple[str, str]:
        stem = tensor.replace(":", "_")
        return (
            self.graph.add_constant(stem + "/min", np.float32(0.0 if unsigned else -limit), beside=beside),
            self.graph.add_constant(stem + "/max", np.float32(limit), beside=beside),
        )

    def _weights_and_bias(self, group: Group, node: NodeDef, source: Int8Tensor, lift: np.ndarray) -> List[str]:
        """The inputs of an op that are its weights, its bias with ``lift`` added, and ranges."""
        values, limit, bias = self._layers.make(group, source, lift)
        values = LINEAR[group.op].emitted(node, values)
        waits = waits_of(self.graph, [self.graph.data_inputs(node)[1]] + ([group.bias] if group.bias else []))

        def constant(suffix: str, value: np.ndarray, dtype: Optional[int] = None) -> str:
            name = "%s/int8_%s" % (group.linear, suffix)
            return self.graph.add_constant(name, value, dtype, beside=source.tensor, waits=waits)

        return [
            constant("weights", values, DT_QINT8),
            constant("bias", bias.astype(np.float32)),
            source.low,
            source.high,
            constant("weights_min", -limit),
            constant("weights_max", limit),
        ]

    def _emit_float(self, group: Group, op: str, source: Int8Tensor, inputs: List[str], attrs: Dict[str, Any]) -> None:
        # The op has a range of its result among its inputs, whether it uses that or not.
        low, high = self._range(group.root, False, self._limit(group.root, unsigned=False), source.tensor)
        root = self.graph.nodes[group.root]
        waits = self._waits(group) + self.graph.control_inputs(root)
        self._become(root, op, inputs + [low, high] + list(dict.fromkeys(waits)), attrs)

    def _become_dequantize(self, root: NodeDef, result: Int8Tensor) -> None:
        # no dtype: float32 is its default, and TensorFlow 1.15 to 2.1 do not know it
        lifted = bool(np.any(result.offset))
        attrs = {"T": dtype_attr(result.dtype), "mode": "MIN_FIRST" if lifted else "SCALED"}
        low, high = result.low, result.high
        if lifted:
            low = self.graph.add_constant(root.name + "/min", np.float32(-result.offset), beside=result.tensor)
            top = np.float32(result.limit) - np.float32(result.offset)
            high = self.graph.add_constant(root.name + "/max", top, beside=result.tensor)
        self._become(root, "Dequantize", [result.tensor, low, high] + self.graph.control_inputs(root), attrs)

    def _become_dequantize_by_channel(self, root: NodeDef, result: Int8Tensor) -> None:
        """For FP32 readers, if there are any: Dequantize knows one offset and one scale."""
        waits = self.graph.control_inputs(root)
        stem, attrs = root.name + "/dequantize", {"T": dtype_attr(result.dtype), "mode": "SCALED"}
        name = self.graph.unique_name(stem)
        self.graph.add("Dequantize", name, [result.tensor, result.low, result.high, *waits], attrs, root.device)
        grid, plain = self.grids[root.name], {"T": dtype_attr(DT_FLOAT)}
        if np.any(grid.scale != 1.0):
            scale = self.graph.add_constant(stem + "/scale", grid.scale.astype(np.float32), beside=name)
            name = self.graph.add(
                "Mul", self.graph.unique_name(stem + "/scaled"), [name, scale], plain, root.device
            ).name
        low = self.graph.add_constant(stem + "/low", grid.low.astype(np.float32), beside=name)
        self._become(root, "Add", [name, low], plain)

    def _become(self, node: NodeDef, op: str, inputs: List[str], attrs: Dict[str, Any]) -> None:
        donor = self.graph.add(op, self.graph.unique_name(node.name + "/new"), (), attrs)
        node.op = op
        node.attr.clear()
        for key in donor.attr:
            node.attr[key].CopyFrom(donor.attr[key])
        self.graph.remove(donor.name)
        self.graph.set_inputs(node, inputs)


def _possible_scores(graph: Graph, items: Sequence[Item]) -> Set[str]:
    """Results without an activation that no INT8 op reads, and that reach an output through no other linear op."""
    results: Set[str] = set()
    read: Set[Optional[str]] = set()
    for item in items:
        if isinstance(item, PassThrough):
            read.update(item.sources)
        else:
            read.update((item.source, item.summand))
            if not item.activation:
                results.add(item.root)
    results -= read
    reaching: Set[str] = set()
    stack = [tensors.node_of(name) for name in graph.outputs]
    while stack:
        name = stack.pop()
        if name in reaching:
            continue
        reaching.add(name)
        node = graph.nodes[name]
        if name not in results and node.op not in (*LINEAR, *WITHOUT_KERNEL):
            stack.extend(tensors.node_of(source) for source in node.input)
    return results & reaching
