"""What each layer gains in time, and what it would take to put it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph import tensors
from intel_quantization.measure.op_times import NodeTime
from intel_quantization.measure.runner import Runner
from intel_quantization.quantize.emitted_layer import EmittedLayer

RUNS = 8
_MS_OF_A_VALUE = 1e-6  # of a conversion, where the graph has none to measure
_RATES = (1e-7, 4e-6)  # within which it is believed: of few values, what is measured is something else
_CONVERSIONS = ("QuantizeV2", "Dequantize")


@dataclass(frozen=True)
class LayerTime:
    """Milliseconds of one run.

    Attributes:
        fp32: of the layer in the FP32 graph.
        int8: of its INT8 op.
        given_back: how much longer a run takes with the layer in FP32, conversions between the two counted.
    """

    fp32: float
    int8: float
    given_back: float


def measure_times(fp32: Runner, int8: Runner, feed: Dict[str, Any], runs: int = RUNS) -> List[Dict[str, NodeTime]]:
    """The time of each node of both graphs, measured in turns: the least, as others only disturb."""
    taken: List[Dict[str, List[NodeTime]]] = [{}, {}]
    for number in range(runs + 1):
        for runner, found in zip((fp32, int8), taken):
            for name, time in runner.trace(feed).items():
                if number:  # the first run prepares
                    found.setdefault(name, []).append(time)
    return [{name: min(times) for name, times in found.items()} for found in taken]


def layer_times(
    layers: Sequence[EmittedLayer],
    traces: Sequence[Dict[str, NodeTime]],
    ops: Dict[str, str],
    seen: Statistics,
) -> Dict[str, LayerTime]:
    """By the name of the linear op.

    Args:
        layers: as emitted.
        traces: of both graphs, as :func:`measure_times` gives them.
        ops: of the INT8 graph's nodes, by name.
        seen: of the tensors that layers read and give.
    """
    fp32, int8 = ({name: node.ms for name, node in trace.items()} for trace in traces)
    made = {layer.group.root: layer for layer in layers}
    readers: Dict[str, int] = {}
    for layer in layers:
        for name in _read(layer):
            readers[name] = readers.get(name, 0) + 1
    sizes = {name: found.count / max(seen.samples, 1) for name, found in seen.tensors.items()}
    rate = _rate(layers, int8, ops, sizes)
    result = {}
    for layer in layers:
        group = layer.group
        before = sum(fp32.get(name, 0.0) for name in group.members)
        after = int8.get(layer.node, 0.0)
        conversions = 0.0  # those that come, less those that go
        for name, converted in zip(_read(layer), (layer.source, layer.summand)):
            there = converted is not None and ops.get(tensors.node_of(converted.tensor)) == "QuantizeV2"
            if there and readers[name] == 1:
                conversions -= sizes.get(name, 0.0) * rate
            elif not there and ops.get(tensors.node_of(name)) != "Dequantize":
                conversions += sizes.get(name, 0.0) * rate
        if layer.result is not None:
            if ops.get(group.root) == "Dequantize":
                conversions -= sizes.get(group.root, 0.0) * rate
            if readers.get(group.root) or group.root not in made:
                conversions += sizes.get(group.root, 0.0) * rate
        result[group.linear] = LayerTime(before, after, before - after + conversions)
    return result


def _read(layer: EmittedLayer) -> List[str]:
    return [layer.group.source] + ([layer.group.summand] if layer.group.summand else [])


def _rate(
    layers: Sequence[EmittedLayer], int8: Dict[str, float], ops: Dict[str, str], sizes: Dict[str, float]
) -> float:
    """Milliseconds that converting one value takes, by the graph's own conversions."""
    times = values = 0.0
    for layer in layers:
        for name, node in ((layer.group.source, tensors.node_of(layer.source.tensor)), (layer.group.root,) * 2):
            if ops.get(node) in _CONVERSIONS and node in int8:
                times += int8[node]
                values += sizes.get(name, 0.0)
    return min(max(times / values, _RATES[0]), _RATES[1]) if times and values else _MS_OF_A_VALUE
