"""Which INT8 tensors share one range, so that a concatenation of them is a plain copy.

A tensor that only a concatenation reads (directly, or through pools and the like) takes the range of
the concatenation. That loses nothing: whatever reads the result has one range for all of it. A tensor
that others read, too, keeps its own range, and QuantizedConcatV2 scales its values.
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple, Union

from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group, end_of
from intel_quantization.kinds.registry import PASS_THROUGH
from intel_quantization.quantize.pass_through import PassThrough


def shared_ranges(graph: Graph, items: Sequence[Union[Group, PassThrough]]) -> Dict[str, Tuple[str, ...]]:
    """For each group's result that shares its range, the results it shares it with (itself among them).

    Args:
        graph: the FP32 graph.
        items: what becomes INT8, each behind those whose results it reads.
    """
    by_root = {item.root: item for item in items}
    settled: Dict[str, Tuple[str, ...]] = {}
    for item in reversed(items):
        if isinstance(item, PassThrough) and PASS_THROUGH[item.op].joins and item.root not in settled:
            leaves: List[Group] = []
            passed = [item.root]
            stack = list(item.sources)
            while stack:
                source = by_root[stack.pop()]
                if not graph.is_private(source.root):
                    continue
                if isinstance(source, PassThrough):
                    passed.append(source.root)
                    stack.extend(source.sources)
                else:
                    leaves.append(source)
            # an INT8 result is clipped where its range ends, which for a ReLU6 may not be beyond 6
            ends = {leaf.root: _end(leaf) for leaf in leaves}
            names = tuple(sorted(name for name, end in ends.items() if end == max(ends.values())))
            settled.update(dict.fromkeys((*names, *passed), names))
    groups = {item.root for item in items if isinstance(item, Group)}
    return {name: leaves for name, leaves in settled.items() if name in groups}


def _end(group: Group) -> float:
    end = end_of(group.activation)
    return float("inf") if end is None else end
