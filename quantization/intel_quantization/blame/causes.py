"""Why a layer loses in INT8, by name, and what helps against it.

The error of a layer that reads right values comes from the range of what it reads, from that of what it gives (values
outside are cut off, those inside are rounded), from its weights, and from its bias. The largest part is named; of
rounding, what makes the steps too coarse for the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable, List, Optional, Tuple

import numpy as np

from intel_quantization.blame.layer_error import LayerError, RangeError
from intel_quantization.calibration.ranges.magnitudes import magnitudes
from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.quantize.emitted_layer import EmittedLayer

CLIPPED = "clipped"
OUTLIERS = "outliers"
RANGE_USED = "range used"
NEGATIVE_TAIL = "negative tail"
CONCAT = "concat branches"
CHANNEL_SPREAD = "channel spread"
BIAS_SHIFT = "bias shift"
WEIGHTS = "weights"
ROUNDING = "rounding"

_HALF = 0.5
_MOST_VALUES = 0.999  # the share of values that are looked at for outliers
_FAR = 8.0  # so many times as large as most values is far out
_UNLIKE = 4.0  # so many times as wide as its own is another branch's range
_UNUSED = 3.0  # so many times as wide as what was seen is a range that is not used
_TAIL = 0.25  # of the largest value: what goes below zero no further than that is a tail


@dataclass(frozen=True)
class Cause:
    """Why, and what to do.

    Attributes:
        name: one of the above.
        detail: with figures, for people.
        remedy: options to type; empty where nothing but FP32 helps.
        tensor: the one whose range it is about, for those that are about one.
    """

    name: str
    detail: str
    remedy: str = ""
    tensor: Optional[str] = None


@dataclass(frozen=True)
class Context:
    """What causes are looked for in.

    Attributes:
        graph: the optimized FP32 graph.
        statistics: of calibration.
        algo: by which ranges were chosen.
        per_channel, equalize, bias_correction: as the options.
    """

    graph: Graph
    statistics: Statistics
    algo: str
    per_channel: bool
    equalize: bool
    bias_correction: bool


def find_cause(layer: EmittedLayer, error: LayerError, context: Context) -> Cause:
    """The cause of most of a layer's local error."""
    ranges = [(layer.group.source, layer.source, layer.source_scale, _behind_the_layer(error))]
    if layer.result is not None and error.result is not None:
        ranges.append((layer.group.root, layer.result, layer.result_scale, error.result))
    clipped = sum(found.clipped for *_rest, found in ranges)
    rounded = sum(found.rounded for *_rest, found in ranges)
    if error.shift > _HALF * error.local and max(clipped, rounded) < _HALF * error.local:
        return _bias_shift(error, context)
    parts: List[Tuple[float, Callable[[], Cause]]] = [
        (max(error.local - clipped - rounded, 0.0), partial(_weights, layer, context))
    ]
    for name, tensor, scale, found in ranges:
        parts.append((found.clipped, partial(_clipped, name, found, context)))
        parts.append((found.rounded, partial(_coarse, name, tensor, scale, layer, context)))
    return max(parts, key=lambda part: part[0])[1]()


def _behind_the_layer(error: LayerError) -> RangeError:
    """The errors of the source's range as shares of the power of what the layer gives."""
    found = error.source
    whole = max(found.clipped + found.rounded, 1e-30)
    return RangeError(found.clipped_share, error.read * found.clipped / whole, error.read * found.rounded / whole)


def _bias_shift(error: LayerError, context: Context) -> Cause:
    detail = f"{100 * error.shift / error.local:.0f} % of its error is one shift for each channel"
    return Cause(BIAS_SHIFT, detail, "" if context.bias_correction else "--bias_correction true")


def _clipped(name: str, found: RangeError, context: Context) -> Cause:
    detail = f"{100 * found.clipped_share:.2g} % of the values of {name} lie outside of its range"
    remedy = "--algo DIRECT" if context.algo != "DIRECT" else "calibrate on data that have such values"
    return Cause(CLIPPED, detail, remedy, name)


def _coarse(name: str, tensor: Int8Tensor, scale: Optional[np.ndarray], layer: EmittedLayer, context: Context) -> Cause:
    """Why the steps of a tensor are too coarse for its values."""
    seen = context.statistics.tensors[name]
    largest, limit = max(-seen.minimum, seen.maximum), tensor.limit
    if scale is not None or np.any(tensor.offset):
        return Cause(ROUNDING, f"most of its error comes from rounding {name} to 8 bits")
    if name == layer.group.root and len(layer.shared) > 1 and limit > _UNLIKE * largest:
        detail = f"{name} shares a range with other branches that is {limit / largest:.1f} times as wide as its own"
        return Cause(CONCAT, detail, "", name)
    if limit > _UNUSED * largest:
        detail = f"the range of {name} is {limit / largest:.1f} times as wide as its values"
        return Cause(RANGE_USED, detail, _other_algo(context, "MSE"), name)
    most = _most_values(name, seen)
    if most is not None and limit > _FAR * most:
        detail = f"{100 * _MOST_VALUES:g} % of the values of {name} are within 1/{limit / most:.0f} of its range"
        return Cause(OUTLIERS, detail, _other_algo(context, "KL"), name)
    if not tensor.unsigned and 0 < -seen.minimum < _TAIL * seen.maximum:
        detail = (
            f"{name} goes down to {seen.minimum:.3g} only, and up to {seen.maximum:.3g}: half of its steps are idle"
        )
        return Cause(NEGATIVE_TAIL, detail, "", name)
    magnitude = seen.channel_magnitude
    if magnitude is not None and limit > _FAR * max(float(np.median(magnitude)), limit * 1e-9):
        detail = (
            f"half of the channels of {name} use no more than 1/{limit / max(np.median(magnitude), 1e-30):.0f} of it"
        )
        return Cause(CHANNEL_SPREAD, detail, "" if context.equalize else "--equalize true", name)
    return Cause(ROUNDING, f"most of its error comes from rounding {name} to 8 bits", _other_algo(context, "AUTO"))


def _weights(layer: EmittedLayer, context: Context) -> Cause:
    node = context.graph.nodes[layer.group.linear]
    weights = context.graph.constant(context.graph.data_inputs(node)[1])
    if weights is not None and not layer.by_channel:
        axes = tuple(range(weights.ndim - 1))
        sizes = np.abs(weights).max(axis=axes if layer.group.op != "DepthwiseConv2dNative" else (0, 1)).reshape(-1)
        spread = float(sizes.max() / max(np.median(sizes), 1e-30))
        if spread > _FAR:
            detail = f"its weights share one range, of which half of the channels use no more than 1/{spread:.0f}"
            return Cause(CHANNEL_SPREAD, detail, "" if context.per_channel else "--per_channel true")
    return Cause(WEIGHTS, "most of its error comes from rounding its weights to 8 bits")


def _other_algo(context: Context, better: str) -> str:
    return f"--algo {better}" if context.algo != better else ""


def _most_values(name: str, seen: TensorStatistics) -> Optional[float]:
    """What nearly all values are no larger than; None without a histogram."""
    if seen.histogram is None:
        return None
    found = magnitudes(name, seen)
    shares = np.cumsum(found.count) / max(found.count.sum(), 1)
    return float(found.high[int(np.searchsorted(shares, _MOST_VALUES))]) if len(shares) else None
