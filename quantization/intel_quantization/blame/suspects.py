"""The layers that lose most, in groups that go back to FP32 together, and what each group would cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from intel_quantization.blame.causes import (
    CHANNEL_SPREAD,
    CLIPPED,
    CONCAT,
    NEGATIVE_TAIL,
    OUTLIERS,
    RANGE_USED,
    Cause,
)
from intel_quantization.blame.layer_error import LayerError
from intel_quantization.blame.timing import LayerTime
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.registry import PASS_THROUGH
from intel_quantization.quantize.emitted_layer import EmittedLayer

_OF_A_TENSOR = (CLIPPED, OUTLIERS, RANGE_USED, NEGATIVE_TAIL, CONCAT, CHANNEL_SPREAD)
"""Where the range of a tensor is to blame, whoever makes it and whoever reads it has to be FP32 to be rid of it."""
_LEAST_MS = 1e-3


@dataclass(frozen=True)
class Suspect:
    """Layers that go back to FP32 together.

    Attributes:
        nodes: their linear ops, that of the worst layer first, or of the one that makes the tensor to blame.
        op: of the first.
        cause: why it loses.
        damage: the share of the outputs' power that its error moves; where that is not known, its local error.
        local_db, accumulated_db: signal to noise of the first, by itself and in the INT8 graph, in dB.
        fp32_ms, int8_ms: of the layers; None where times were not measured.
        given_back_ms: how much slower the graph gets without them in INT8.
    """

    nodes: Tuple[str, ...]
    op: str
    cause: Cause
    damage: float
    local_db: float
    accumulated_db: float
    fp32_ms: Optional[float] = None
    int8_ms: Optional[float] = None
    given_back_ms: Optional[float] = None

    @property
    def worth(self) -> float:
        """Damage for each millisecond that it takes to be rid of it."""
        return self.damage / max(self.given_back_ms or 0.0, _LEAST_MS)

    def as_dict(self, points: Optional[float], all_damage: float) -> Dict[str, Any]:
        """JSON-ready.

        Args:
            points: the drop of the measure that is judged by; None where there is none.
            all_damage: of all layers: the group's part of the drop is taken to be its part of that.
        """
        share = self.damage / all_damage if all_damage else 0.0
        return {
            "nodes": list(self.nodes),
            "op": self.op,
            "cause": self.cause.name,
            "detail": self.cause.detail,
            "try": self.cause.remedy,
            "excluded_nodes": ",".join(self.nodes),
            "share": share,
            "points": None if points is None else points * share,
            "local_db": self.local_db,
            "accumulated_db": self.accumulated_db,
            "fp32_ms": self.fp32_ms,
            "int8_ms": self.int8_ms,
            "given_back_ms": self.given_back_ms,
        }


def find_suspects(
    layers: Sequence[EmittedLayer],
    errors: Dict[str, LayerError],
    causes: Dict[str, Cause],
    times: Dict[str, LayerTime],
    graph: Graph,
) -> List[Suspect]:
    """The groups, the greatest damage first.

    Args:
        layers: as emitted.
        errors, causes, times: by the name of the linear op; times may be missing.
        graph: the FP32 graph.
    """
    known = {layer.group.linear: layer for layer in layers if layer.group.linear in errors}
    damages = {linear: damage_of(errors[linear]) for linear in known}
    result: List[Suspect] = []
    told = set()
    for linear in sorted(known, key=lambda name: -damages[name]):
        cause = causes[linear]
        together = _together(graph, cause.tensor, known) if cause.name in _OF_A_TENSOR and cause.tensor else (linear,)
        key = frozenset(together) if len(together) > 1 else linear
        if key in told:
            continue
        told.add(key)
        first = errors[together[0]]
        taken = [times[name] for name in together if name in times]
        result.append(
            Suspect(
                together,
                known[together[0]].group.op,
                cause,
                damages[linear],
                decibels(first.local),
                decibels(first.accumulated),
                sum(each.fp32 for each in taken) if taken else None,
                sum(each.int8 for each in taken) if taken else None,
                sum(each.given_back for each in taken) if taken else None,
            )
        )
    return result


def all_damage(errors: Dict[str, LayerError]) -> float:
    """Of all layers together, each for itself."""
    return sum(map(damage_of, errors.values()))


def _together(graph: Graph, tensor: str, layers: Dict[str, EmittedLayer]) -> Tuple[str, ...]:
    """The layers that make and read a tensor, also through pools, concatenations and the like; the maker first."""
    reached = {tensor}
    waiting = [tensor]
    while waiting:
        for node, _place in graph.readers(waiting.pop()):
            if node.op in PASS_THROUGH and node.name not in reached:
                reached.add(node.name)
                waiting.append(node.name)
    made = [name for name, layer in layers.items() if layer.group.root == tensor]
    read = [name for name, layer in layers.items() if reached & {layer.group.source, layer.group.summand}]
    return tuple(dict.fromkeys(made + read))


def damage_of(error: LayerError) -> float:
    """The share of the outputs' power that a layer's error moves; its local error where that is not known."""
    return error.local if error.damage is None else error.damage


def decibels(share: float) -> float:
    """A share of noise as signal to noise in dB, 200 at most."""
    return -10.0 * math.log10(max(share, 1e-20))
