"""The histogram of each tensor that is INT8, and the range that was chosen for it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from intel_quantization.calibration.statistics import BINS, TensorStatistics, bin_edges
from intel_quantization.conversion import Conversion
from intel_quantization.kinds.int8_tensor import Int8Tensor

BARS = 48
_EDGES = bin_edges(np.arange(BINS))


def tensor_ranges(conversion: Conversion) -> List[Dict[str, Any]]:
    """Of each tensor that a layer reads or gives in INT8, in the order of the data.

    Returns:
        ``tensor``, ``readers`` (the layers that read it), ``minimum`` and ``maximum`` that were seen, ``low`` and
        ``high`` of the range (of the widest channel, where channels have ranges of their own: ``by_channel``),
        ``unsigned``, and ``counts``: of BARS bars between minimum and maximum; empty where no histogram was collected.
    """
    found: Dict[str, Dict[str, Any]] = {}
    for layer in conversion.layers:
        group = layer.group
        pairs = [(group.source, layer.source, layer.source_scale), (group.summand, layer.summand, None)]
        for name, tensor, scale in [*pairs, (group.root, layer.result, layer.result_scale)]:
            seen = conversion.statistics.tensors.get(name or "")
            if name is None or tensor is None or seen is None or not seen.count:
                continue
            told = found.setdefault(name, _told(name, seen, tensor, scale))
            if name != group.root:
                told["readers"].append(group.linear)
    return list(found.values())


def _told(name: str, seen: TensorStatistics, tensor: Int8Tensor, scale: Optional[np.ndarray]) -> Dict[str, Any]:
    factor = np.asarray(1.0 if scale is None else scale, np.float64)
    offset = np.asarray(tensor.offset, np.float64)
    low = ((0.0 if tensor.unsigned else -tensor.limit) - offset) * factor
    high = (tensor.limit - offset) * factor
    return {
        "tensor": name,
        "readers": [],
        "minimum": float(seen.minimum),
        "maximum": float(seen.maximum),
        "low": float(low.min()),
        "high": float(high.max()),
        "by_channel": bool(factor.size > 1 or offset.size > 1),
        "unsigned": tensor.unsigned,
        "counts": bars(seen),
    }


def bars(seen: TensorStatistics) -> List[int]:
    """How many values lie in each of BARS equal parts of what was seen; a bin's values are spread evenly over it."""
    if seen.histogram is None or not seen.minimum < seen.maximum:
        return []
    edges = np.linspace(seen.minimum, seen.maximum, BARS + 1)
    used = np.flatnonzero(seen.histogram)
    spans = np.sort(_EDGES[used], axis=1)  # of negative values, the larger magnitude is the lower end
    low = np.clip(spans[:, 0], seen.minimum, seen.maximum)
    high = np.clip(spans[:, 1], seen.minimum, seen.maximum)
    width = np.maximum(high - low, 1e-30)
    # the share of each bin's values below each edge: [edges, bins]
    below = np.clip((edges[:, np.newaxis] - low) / width, 0.0, 1.0)
    below[-1] = 1.0
    totals = below @ seen.histogram[used].astype(np.float64)
    found: List[int] = np.rint(np.diff(totals)).astype(np.int64).tolist()
    return found
