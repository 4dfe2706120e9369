"""How many samples a job is measured on where nobody says it: comparing is to take no longer than converting.

What converting takes grows with the work of the network as much as what measuring takes does, so what is allowed is
counted in multiply-accumulates: of the same graph and options always the same samples, on whatever machine.
"""

from __future__ import annotations

from typing import Any, Sequence

from intel_quantization import job as jobs
from intel_quantization.conversion import Conversion
from intel_quantization.data.images import DEFAULT_SAMPLES
from intel_quantization.graph.graph import Graph
from intel_quantization.measure.of_job import limit_of
from intel_quantization.quantize.payoff import count_work

_COMPARED = 4e11  # ResNet-50, of 4 G for a sample, is compared on 100; up to 0.8 G it is 500
_BLAMED = 3.2e10
_LEAST_BLAMED, _MOST_BLAMED = 8, 16


def count_multiplications(conversion: Conversion) -> float:
    """Multiply-accumulates of the layers that became INT8, for one sample."""
    graph = Graph(conversion.fp32_graph, [info.name for info in conversion.outputs])
    known = [layer.group for layer in conversion.layers if layer.group.root in conversion.statistics.tensors]
    return sum(count_work(graph, group, conversion.statistics) for group in known)


def samples_to_compare(job: jobs.Job, work: float, there: int) -> int:
    """Of ``there`` samples, how many both graphs are compared on.

    All where the job says how many, or something is to be decided by them: a limit, or a metric.

    Args:
        job: as it was given.
        work: of one sample, as :func:`count_multiplications` counts it.
        there: as many as the data were divided into.
    """
    if job.evaluate is not None or job.metric is not None or limit_of(job) is not None:
        return there
    return min(there, _affordable(_COMPARED, work, DEFAULT_SAMPLES, there))


def samples_to_blame(work: float) -> int:
    """How many samples are looked at for what layers lose."""
    return _affordable(_BLAMED, work, _LEAST_BLAMED, _MOST_BLAMED)


def spread(part: Sequence[Any], count: int) -> Sequence[Any]:
    """So many of some samples, from all over them: their order may be that of the classes.

    Of a function's, which come one after the other, it is the first.
    """
    if isinstance(part, tuple):
        count = min(count, len(part))
        return tuple(part[number * len(part) // count] for number in range(count))
    return part[:count]


def _affordable(budget: float, work: float, least: int, most: int) -> int:
    return int(max(least, min(most, budget / max(work, 1.0))))
