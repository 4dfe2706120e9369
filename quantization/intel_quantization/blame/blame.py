"""One pass of both graphs together, and what it tells of each layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from intel_quantization.blame.causes import Cause, Context, find_cause
from intel_quantization.blame.layer_error import LayerError, measure_layers
from intel_quantization.blame.paired_graph import PairedGraph
from intel_quantization.blame.suspects import Suspect, all_damage, damage_of, decibels, find_suspects
from intel_quantization.blame.timing import LayerTime, layer_times, measure_times
from intel_quantization.conversion import Conversion
from intel_quantization.graph.graph import Graph
from intel_quantization.measure.op_times import NodeTime, time_by_op
from intel_quantization.measure.runner import Runner
from intel_quantization.quantize.quantize_graph import Options


@dataclass(frozen=True)
class Blame:
    """What was found.

    Attributes:
        suspects: the greatest damage first.
        errors: of each layer, by the name of its linear op, in the order of the data.
        causes: by the same name.
        damage: of all layers.
        samples: on how many.
        times: of the layers, by the same name; empty where they were not measured.
        traces: of each node of the FP32 and of the INT8 graph; empty likewise.
    """

    suspects: List[Suspect]
    errors: Dict[str, LayerError]
    causes: Dict[str, Cause]
    damage: float
    samples: int
    times: Dict[str, LayerTime] = field(default_factory=dict)
    traces: Tuple[Dict[str, NodeTime], ...] = ()

    def as_dict(self, points: Optional[float], most: Optional[int] = None) -> Dict[str, Any]:
        """JSON-ready.

        Args:
            points: the drop of the measure that is judged by; None where there is none, or nothing was lost.
            most: groups to name; None: all.
        """
        by_worth = sorted(self.suspects, key=lambda suspect: -suspect.worth)
        return {
            "samples": self.samples,
            "layers": [
                {
                    "node": name,
                    "local_db": decibels(error.local),
                    "accumulated_db": decibels(error.accumulated),
                    "cause": self.causes[name].name,
                    "detail": self.causes[name].detail,
                    "share": (damage_of(error) / self.damage) if self.damage else 0.0,
                    "fp32_ms": self.times[name].fp32 if name in self.times else None,
                    "int8_ms": self.times[name].int8 if name in self.times else None,
                }
                for name, error in list(self.errors.items())[:most]
            ],
            "suspects": [each.as_dict(points, self.damage) for each in self.suspects[:most]],
            "opportunities": [each.as_dict(points, self.damage) for each in by_worth[:most]],
            "time": time_by_op(*self.traces) if self.traces else None,
        }


def find_blame(
    conversion: Conversion,
    options: Options,
    batches: Iterable[Dict[str, Any]],
    samples: int,
    threads: int = 0,
    runners: Optional[Tuple[Runner, Runner, Dict[str, Any]]] = None,
    on_batch: Callable[[int], None] = lambda done: None,
) -> Blame:
    """Run both graphs over some samples and name the layers that lose.

    Args:
        conversion: with both graphs.
        options: by which it was quantized.
        batches: feed dicts; those that calibrated will do.
        samples: in them.
        threads: within an op.
        runners: of the FP32 and of the INT8 graph, and a feed to take times with; None: no times.
        on_batch: called with the number of batches so far.

    Raises:
        QuantizationError: a graph does not run.
    """
    inputs, outputs = ([info.name for info in infos] for infos in (conversion.inputs, conversion.outputs))
    paired = PairedGraph(conversion.fp32_graph, conversion.graph, conversion.layers, inputs, outputs)
    errors = measure_layers(paired, batches, threads, on_batch)
    graph = Graph(conversion.fp32_graph, outputs)
    context = Context(
        graph,
        conversion.statistics,
        options.algo.upper(),
        options.per_channel,
        options.equalize,
        options.bias_correction,
    )
    causes: Dict[str, Cause] = {
        layer.group.linear: find_cause(layer, errors[layer.group.linear], context)
        for layer in conversion.layers
        if layer.group.linear in errors
    }
    times: Dict[str, LayerTime] = {}
    traces: List[Dict[str, NodeTime]] = []
    if runners is not None:
        fp32, int8, feed = runners
        ops = {node.name: node.op for node in conversion.graph.node}
        traces = measure_times(fp32, int8, feed)
        times = layer_times(conversion.layers, traces, ops, conversion.statistics)
    suspects = find_suspects(conversion.layers, errors, causes, times, graph)
    return Blame(suspects, errors, causes, all_damage(errors), samples, times, tuple(traces))
