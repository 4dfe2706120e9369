"""The quantize stage: from the optimized FP32 graph and what calibration saw of it to the INT8 graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple

import numpy as np

from intel_quantization.calibration.ranges.collectors import AUTO, collector, with_given
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group
from intel_quantization.ops.capabilities import RUNNING, Capabilities
from intel_quantization.quantize.auto_ranges import Known, auto_ranges
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.emission import emit
from intel_quantization.quantize.emitted_layer import EmittedLayer
from intel_quantization.quantize.equalization import KnownProofs, equalization
from intel_quantization.quantize.flat_ends import narrow_ranges
from intel_quantization.quantize.leftovers import leftovers
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.local_error import find_by_channel
from intel_quantization.quantize.pass_through import PassThrough, find_pass_through
from intel_quantization.quantize.payoff import find_unpaying
from intel_quantization.quantize.plan import decide
from intel_quantization.quantize.refinement import refine
from intel_quantization.quantize.target_cpu import ANY
from intel_quantization.quantize.trials import make_trials


@dataclass(frozen=True)
class Options:
    """How to quantize.

    Attributes:
        excluded_ops: op names that stay FP32.
        excluded_nodes: nodes that stay FP32.
        per_channel: one weight range for each output channel.
        algo: one of ALGORITHMS.
        equalize: see :mod:`intel_quantization.quantize.equalization`.
        bias_correction: see :func:`intel_quantization.quantize.weights.bias_correction` and :mod:`.activation_shift`.
        target_cpu: one of TARGET_CPUS.
        adaptive_rounding: see :mod:`intel_quantization.quantize.adaptive_rounding`.
        ranges: of some tensors, the smallest and the largest value that INT8 is to represent, whatever ``algo`` says.
    """

    excluded_ops: Tuple[str, ...] = ()
    excluded_nodes: Tuple[str, ...] = ()
    per_channel: bool = True
    algo: str = AUTO
    equalize: bool = True
    bias_correction: bool = True
    target_cpu: str = ANY
    adaptive_rounding: bool = True
    ranges: Mapping[str, Tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of_job(cls, job: Any, algo: str) -> Options:
        """Those that a Job asks for."""
        return cls(
            job.excluded_ops,
            job.excluded_nodes,
            job.per_channel,
            algo,
            job.equalize,
            job.bias_correction,
            job.target_cpu or ANY,
            job.adaptive_rounding,
        )


def quantize_graph(
    graph: Graph,
    candidates: Sequence[Group],
    refused: Sequence[Decision],
    statistics: Statistics,
    options: Options,
    capabilities: Capabilities = RUNNING,
    stop: Callable[[Sequence[Decision]], None] = lambda decisions: None,
    on_emitted: Callable[[Sequence[EmittedLayer]], None] = lambda layers: None,
) -> Tuple[Tuple[Decision, ...], Tuple[Decision, ...]]:
    """Decide what becomes INT8, and emit it, in place.

    Args:
        graph: the optimized FP32 graph.
        candidates: as :func:`~intel_quantization.quantize.candidates.find_candidates` gave them.
        refused: the linear ops that are none, from there, too.
        statistics: of the tensors that the candidates observe.
        options: how to quantize.
        capabilities: of the TensorFlow that the graph is made for.
        stop: called with the decisions, ahead of emitting, where nothing becomes INT8; it raises.
        on_emitted: called with how each layer was emitted.

    Returns:
        The decisions for linear ops, pools and concatenations, and those for what else stays FP32.
    """
    statistics = narrow_ranges(graph, candidates, statistics)
    passing, left = find_pass_through(graph, options.excluded_ops, options.excluded_nodes)
    ranges = with_given(collector(options.algo), options.ranges)
    automatic = options.algo.upper() == AUTO
    items, decided = _decide(graph, candidates, statistics, passing, capabilities)
    trials = make_trials(graph, items, statistics)
    known: Known = {}
    proofs: KnownProofs = {}
    chosen = with_given(auto_ranges(items, statistics, trials, known), options.ranges) if automatic else ranges
    by_channel = find_by_channel(graph, items, statistics, trials, options.per_channel)

    def equalize() -> Dict[str, np.ndarray]:
        if not options.equalize:
            return {}
        return equalization(graph, items, statistics, by_channel, trials, chosen, proofs)

    unpaying = find_unpaying(graph, items, statistics, trials, chosen, by_channel, equalize)
    if unpaying:
        found = find_candidates(graph, options.excluded_ops, options.excluded_nodes, capabilities, unpaying)
        candidates, refused = found
        items, decided = _decide(graph, candidates, statistics, passing, capabilities)
        trials = make_trials(graph, items, statistics)
        chosen = with_given(auto_ranges(items, statistics, trials, known), options.ranges) if automatic else ranges
    decisions = (*refused, *left, *decided)
    if not items:
        stop(decisions)
    remaining = leftovers(graph, items, decisions)
    how = refine(
        graph,
        items,
        statistics,
        trials,
        chosen,
        options.per_channel,
        options.equalize,
        options.adaptive_rounding,
        proofs,
    )
    on_emitted(emit(graph, items, statistics, chosen, how, options.bias_correction, options.target_cpu))
    return decisions, remaining


def _decide(
    graph: Graph,
    candidates: Sequence[Group],
    statistics: Statistics,
    passing: Sequence[PassThrough],
    capabilities: Capabilities,
) -> Tuple[Tuple[Item, ...], Tuple[Decision, ...]]:
    """Decide twice: what stays FP32 reads a tensor in any form, so that others can have it lifted."""
    _items, decided = decide(graph, candidates, statistics, passing, capabilities)
    refused = {decision.node: decision for decision in decided if not decision.int8}
    kept = [group for group in candidates if group.linear not in refused]
    items, again = decide(graph, kept, statistics, passing, capabilities)
    lost = [refused[group.linear] for group in candidates if group.linear in refused]
    return items, (*lost, *again)
