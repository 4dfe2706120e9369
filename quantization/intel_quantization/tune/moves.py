"""Free moves: other ranges for the tensors that are to blame, from the statistics that there are."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple

from intel_quantization.blame.causes import CLIPPED, OUTLIERS, RANGE_USED
from intel_quantization.blame.suspects import Suspect
from intel_quantization.calibration.ranges.collectors import Ranges, min_max
from intel_quantization.calibration.ranges.entropy import kl_divergence
from intel_quantization.calibration.ranges.squared_error import mean_squared_error
from intel_quantization.calibration.statistics import Statistics

_WORST = 16  # suspects that are looked at
_LIKE = 0.02
_BETTER: Dict[str, Ranges] = {CLIPPED: min_max, OUTLIERS: kl_divergence, RANGE_USED: mean_squared_error}
"""What helps against each cause that is a matter of the range alone."""


def free_moves(
    suspects: Sequence[Suspect], statistics: Statistics, ranges: Dict[str, Tuple[float, float]]
) -> Dict[str, Tuple[float, float]]:
    """Other ranges of tensors, by name; none where no cause is one of ranges.

    Args:
        suspects: the greatest damage first.
        statistics: of calibration.
        ranges: that the INT8 graph has, by tensor, as far as they are known.
    """
    found: Dict[str, Tuple[float, float]] = {}
    for suspect in suspects[:_WORST]:
        estimate, tensor = _BETTER.get(suspect.cause.name), suspect.cause.tensor
        if estimate is None or tensor is None or statistics.tensors[tensor].histogram is None:
            continue
        proposed = estimate(tensor, statistics.tensors[tensor])
        now = ranges.get(tensor)
        if now is None or any(abs(a - b) > _LIKE * max(abs(b), 1e-9) for a, b in zip(proposed, now)):
            found[tensor] = proposed
    return found
