"""Answers of the FP32 graph that do not depend on the sample, as under a wrong preprocessing."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable

from intel_quantization.comparison import thresholds
from intel_quantization.comparison.findings import ALARM, FP32, NOTICE, Concern


def same_answer(answers: Iterable[Any], classes: int, what: str = "the same answer") -> tuple[Concern, ...]:
    """The concern that (nearly) all of ``answers`` [samples] are one.

    Of few classes, all samples may well be of one: that is no more than a notice.

    Args:
        classes: how many different answers there could be.
    """
    counts = Counter(answers)
    count, most = sum(counts.values()), max(counts.values(), default=0)
    if count < thresholds.FEWEST_ALIKE:
        return ()
    if 100.0 * most / count < thresholds.ALIKE:
        return ()
    many = classes >= thresholds.MANY_CLASSES and count >= thresholds.ENOUGH_ALIKE
    text = f"the FP32 graph gives {what} for {most} of {count} samples: is the preprocessing right?"
    return (Concern(ALARM if many else NOTICE, FP32, text, 100.0 * most / count, thresholds.ALIKE),)


def nothing(text: str, count: int) -> tuple[Concern, ...]:
    """The concern that the FP32 graph finds nothing in any of ``count`` samples."""
    if count < thresholds.FEWEST_ALIKE:
        return ()
    severity = ALARM if count >= thresholds.ENOUGH_ALIKE else NOTICE
    what = f"the FP32 graph {text} in {count} of {count} samples: is the preprocessing right?"
    return (Concern(severity, FP32, what, 100.0, thresholds.ALIKE),)


def alike(variance: float, signal: float, count: int) -> tuple[Concern, ...]:
    """The concern that rows of numbers hardly depend on the sample.

    Args:
        variance: power of what differs between samples.
        signal: power of all.
    """
    share = 100.0 * variance / signal if signal > 0 else 0.0
    if count < thresholds.FEWEST_ALIKE or share > thresholds.CONSTANT:
        return ()
    text = f"the FP32 graph gives the same numbers for all of {count} samples: is the preprocessing right?"
    severity = ALARM if count >= thresholds.ENOUGH_ALIKE else NOTICE
    return (Concern(severity, FP32, text, share, thresholds.CONSTANT),)


def even_answers(information: float, classes: int, count: int) -> tuple[Concern, ...]:
    """The concern that class scores say hardly anything of the sample.

    Args:
        information: mutual information between sample and class, in nats.
        classes: how many there are.
        count: of samples.
    """
    many = classes >= thresholds.MANY_CLASSES
    least = thresholds.INFORMATION if many else thresholds.INFORMATION_OF_FEW
    if count < thresholds.ENOUGH_ALIKE or information >= least:
        return ()
    text = f"the FP32 graph's scores are all but the same for all of {count} samples: is the preprocessing right?"
    return (Concern(ALARM if many else NOTICE, FP32, text, information, least, "nats"),)
