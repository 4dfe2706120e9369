"""What the converter knows of a graph before it decides: candidates, statistics, patches and trials."""

from __future__ import annotations

from dataclasses import dataclass

from intel_quantization.calibration.instrument import calibrate
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.pass_through import find_pass_through
from intel_quantization.quantize.plan import decide
from intel_quantization.quantize.trials import make_trials
from intel_quantization.quantize.windows import window_of


@dataclass
class Prepared:
    """The arguments of what decides."""

    graph: Graph
    items: tuple
    statistics: Statistics
    trials: dict

    @property
    def groups(self):
        """The groups by the name of their linear op."""
        return {item.linear: item for item in self.items if hasattr(item, "linear")}


def prepare(graph_def, feeds, outputs=("out",), patches=True, channels=True):
    """Calibrate a graph and plan it.

    Args:
        graph_def: the optimized FP32 graph.
        feeds: batches.
        outputs: of the graph.
        patches: draw patches, and make trials of them.
        channels: collect the sum and the range of each channel.
    """
    graph = Graph(graph_def, outputs)
    groups, _ = find_candidates(graph)
    statistics = calibrate(
        graph_def,
        tuple(dict.fromkeys(name for group in groups for name in group.observed())),
        feeds,
        channel_means=[group.source for group in groups] if channels else (),
        histograms=True,
        windows={group.linear: window_of(graph, group) for group in groups} if patches else None,
    )
    items, _ = decide(graph, groups, statistics, find_pass_through(graph)[0])
    return Prepared(graph, items, statistics, make_trials(graph, items, statistics))
