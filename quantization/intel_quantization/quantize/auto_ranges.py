"""AUTO: for each tensor the range estimator under which the layers that read it in INT8 err least.

Every estimator reads the same statistics. Which one is right depends on the tensor: clipping helps where few values
are large and none of those matters, and ruins what follows where they do. So each proposes a range, the tensor's
patches are rounded to it, and the one is taken whose outputs, behind weights, bias and ReLU, are nearest to FP32.
Tensors that share one range (a concatenation's) are decided together. Where there are no patches the least squared
error of the values themselves decides, as MSE does.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.calibration.ranges.collectors import Ranges, min_max
from intel_quantization.calibration.ranges.entropy import kl_divergence
from intel_quantization.calibration.ranges.magnitudes import magnitudes
from intel_quantization.calibration.ranges.percentile import percentile
from intel_quantization.calibration.ranges.squared_error import mean_squared_error, squared_error
from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.kinds.group import Group
from intel_quantization.quantize.lifting import Item
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.trial import Grid, Trial, bounds

ESTIMATORS: Tuple[Tuple[str, Ranges], ...] = (
    ("DIRECT", min_max),
    ("PERCENTILE 99.999", lambda tensor, seen: percentile(tensor, seen, 99.999)),
    ("PERCENTILE 99.99", lambda tensor, seen: percentile(tensor, seen, 99.99)),
    ("PERCENTILE 99.9", lambda tensor, seen: percentile(tensor, seen, 99.9)),
    ("MSE", mean_squared_error),
    ("KL", kl_divergence),
)
"""In the order of preference where they do equally well."""
# A narrower range has to be better by that much: patches are a sample, and values that are cut off are lost.
_MARGIN = 0.97
# Patches that have seen such a share of the largest value have seen what is rare.
_SEEN = 0.9
# Ranges that differ by less are not tried apart.
_ALIKE = 0.01


Known = Dict[Tuple[Tuple[str, ...], Tuple[Group, ...]], Dict[str, Tuple[float, float]]]
"""(tensors that are decided together, the groups that read them and have a trial) -> what was chosen."""


def auto_ranges(
    items: Sequence[Item], statistics: Statistics, trials: Dict[str, Trial], known: Optional[Known] = None
) -> Ranges:
    """What gives the range of a tensor as :func:`choose_ranges` chose it."""
    chosen = choose_ranges(items, statistics, trials, known)

    def ranges(tensor: str, seen: TensorStatistics) -> Tuple[float, float]:
        return chosen[tensor] if tensor in chosen else mean_squared_error(tensor, seen)

    return ranges


def choose_ranges(
    items: Sequence[Item], statistics: Statistics, trials: Dict[str, Trial], known: Optional[Known] = None
) -> Dict[str, Tuple[float, float]]:
    """The range of every tensor that is quantized: name -> (low, high).

    Args:
        items: what becomes INT8, each behind those whose results it reads.
        statistics: of the tensors that the groups observe.
        trials: by the root of the groups that read the tensors.
        known: what was chosen with the same statistics; what is chosen is added.
    """
    known = {} if known is None else known
    result: Dict[str, Tuple[float, float]] = {}
    for tensors, readers in _classes(items):
        tried = tuple(group for group in readers if group.root in trials)
        key = (tuple(tensors), tried)
        if key not in known:
            known[key] = _choose(tensors, [(trials[group.root], group.lifted) for group in tried], statistics)
        result.update(known[key])
    return result


def _choose(
    tensors: Sequence[str], tried: List[Tuple[Trial, bool]], statistics: Statistics
) -> Dict[str, Tuple[float, float]]:
    proposals = [
        (name, {tensor: estimate(tensor, statistics.tensors[tensor]) for tensor in tensors})
        for name, estimate in (ESTIMATORS if tried else ESTIMATORS[4:5])
    ]
    if not tried:
        return proposals[0][1]
    return _least_error(proposals, tried, {tensor: statistics.tensors[tensor] for tensor in tensors})


def _least_error(
    proposals: List[Tuple[str, Dict[str, Tuple[float, float]]]],
    tried: List[Tuple[Trial, bool]],
    seen: Dict[str, TensorStatistics],
) -> Dict[str, Tuple[float, float]]:
    """The proposal with the least error of the readers.

    Patches are few, and values that are rare and large may be in none of them. Then the error of the tensors' own
    values counts, too, by their histograms, which have seen those.
    """
    largest = max(max(-found.minimum, found.maximum) for found in seen.values())
    missed = max(float(np.abs(trial.patches).max(initial=0.0)) for trial, _lifted in tried) < _SEEN * largest
    errors: Dict[Tuple[float, float], float] = {}
    best, least = proposals[0][1], float("inf")
    for _name, ranges in proposals:
        low, high = bounds(*ranges.values())
        near = [known for known in errors if np.allclose(known, (low, high), rtol=_ALIKE)]
        if near:
            low, high = near[0]
        else:
            errors[low, high] = sum(
                trial.error(Grid.of(low, high, lifted).round(trial.patches)) for trial, lifted in tried
            )
            if missed:
                limit = max(-low, high)
                errors[low, high] += max(_share_of_noise(tensor, found, limit) for tensor, found in seen.items())
        if errors[low, high] < least * (_MARGIN if least < float("inf") else 1.0):
            best, least = ranges, errors[low, high]
    return best


def _share_of_noise(tensor: str, seen: TensorStatistics, limit: float) -> float:
    """The share of noise in a tensor's power when it is rounded and cut off at a limit, by its histogram."""
    found = magnitudes(tensor, seen)
    power = float((found.count * np.square((found.low + found.high) / 2.0)).sum())
    return float(squared_error(found, limit)) / power if power and limit else 0.0


def _classes(items: Sequence[Item]) -> List[Tuple[List[str], List[Group]]]:
    """The tensors that are decided together, and the groups that read any of them."""
    leader: Dict[str, str] = {}

    def find(tensor: str) -> str:
        while leader.setdefault(tensor, tensor) != tensor:
            leader[tensor] = leader[leader[tensor]]
            tensor = leader[tensor]
        return tensor

    passed = set()
    for item in items:
        if isinstance(item, PassThrough):
            passed.add(item.root)
            for source in item.sources:
                leader[find(source)] = find(item.root)
    readers: Dict[str, List[Group]] = {}
    quantized: Dict[str, List[str]] = {}
    for item in items:
        if isinstance(item, Group):
            readers.setdefault(find(item.source), []).append(item)
            for tensor in (item.source, item.summand, item.root):
                if tensor and tensor not in passed and tensor not in quantized.setdefault(find(tensor), []):
                    quantized[find(tensor)].append(tensor)
    return [(tensors, readers.get(name, [])) for name, tensors in quantized.items() if tensors]
