"""What a job asks to be measured, and what is said of its limit."""

from __future__ import annotations

from typing import Optional, Sequence

from intel_quantization import job as jobs
from intel_quantization.measure import evaluate
from intel_quantization.measure.custom import Custom
from intel_quantization.measure.verdict import Verdict, undecided

TUNED_DROP = 1.0
"""Points that --tune lets be lost where no --max_drop says otherwise."""


def metric_of(job: jobs.Job, outputs: Sequence[str]) -> Optional[Custom]:
    """The user's own metric; None without one.

    Raises:
        BadInputError: there is no such function.
    """
    if job.metric is None:
        return None
    path, name = job.metric.rsplit(":", 1)
    return Custom(jobs.path(path), name, outputs)


def limit_of(job: jobs.Job) -> Optional[float]:
    """Points that may be lost; None: any number."""
    return TUNED_DROP if job.tune and job.max_drop is None else job.max_drop


def verdict_of(job: jobs.Job, accuracy: Optional[evaluate.Accuracy], obstacle: str) -> Optional[Verdict]:
    """What is said of the limit; None where there is none.

    Args:
        job: that may have a limit.
        accuracy: what was measured; None where nothing was.
        obstacle: why not; empty where nothing is known of that.
    """
    limit = limit_of(job)
    if limit is None:
        return None
    if accuracy is None:
        return undecided(limit, obstacle or "there was nothing to compare on")
    return accuracy.verdict(limit)


def points_lost(accuracy: Optional[evaluate.Accuracy]) -> Optional[float]:
    """Points of the first measure that were lost; None where there is none, or none were."""
    points = accuracy.measures[0].points if accuracy is not None and accuracy.measures else 0.0
    return points if points > 0 else None
