"""Judge layers by the damage that their noise does to the outputs of the network, instead of to their own outputs.

Layers differ a hundredfold in that: rounding the output of a first convolution to one range for channels of unlike
size can ruin a network, though it is next to nothing of that output's variance, while noise in late layers is averaged
away. See :mod:`intel_quantization.calibration.sensitivity`.
"""

from __future__ import annotations

from typing import Callable, Dict, Sequence

import numpy as np

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.kinds.group import Group
from intel_quantization.quantize.trial import Trial

# Noise at neighbouring positions is taken for independent, and its effect for linear, which they are not quite: on nine
# of ten real networks all layers together did 0.1 to 7 times the damage that this adds up to (half of them more
# than 2 times); on one it adds up to far too much. Near the upper end, since damage that is not seen cannot be mended,
# while a layer in FP32 that might have been INT8 costs little (see the limits in payoff.py).
# Of what has one position only, as class scores have, it is right.
_COHERENCE = 4.0


def judge_by_damage(
    groups: Sequence[Group],
    statistics: Statistics,
    trials: Dict[str, Trial],
    own_error: Callable[[Group, Trial], float],
) -> Dict[str, Trial]:
    """The trials of some groups, whose errors are shares of noise in the outputs of the network.

    Where sensitivities are not known of all, the others' errors are scaled as is usual among those; where they are of
    none, the trials are as they were: errors are shares of noise in the layers' own outputs.

    Args:
        groups: those that have a trial.
        statistics: with the sensitivities of their roots.
        trials: by the groups' roots.
        own_error: the error of a group by a trial.
    """
    found: Dict[str, Trial] = {}
    ratios = []
    for group in groups:
        trial, importance = trials[group.root], statistics.sensitivities.get(group.root)
        if importance is None or importance.shape != trial.wanted.shape[-1:]:
            continue
        factor = _COHERENCE if _count_positions(group, statistics) > 1 else 1.0
        found[group.root] = trial.judged_by(importance * factor)
        own = own_error(group, trial)
        if own > 0.0:
            ratios.append(own_error(group, found[group.root]) / own)
    usual = float(np.median(ratios)) if ratios else 1.0
    return {group.root: found.get(group.root) or trials[group.root].scaled(usual) for group in groups}


def _count_positions(group: Group, statistics: Statistics) -> float:
    """How many values of each channel a group gives for one sample."""
    seen = statistics.tensors[group.root]
    width = (seen.shape or (None,))[-1] or 1
    return seen.count / max(statistics.samples, 1) / width
