"""What comparing an output yields: figures, a line of text, and concerns where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

ALARM = "alarm"
"""The graph is not to be used like this."""
NOTICE = "notice"
"""The graph may do; someone should look."""

INT8 = "int8"
"""Cause of a concern: quantization."""
FP32 = "fp32"
"""Cause of a concern: the FP32 graph's answers look wrong already, as with a wrong preprocessing."""
LABELS = "labels"
"""Cause of a concern: labels and answers do not fit each other."""

VERDICTS = ("collapsed", "doubtful", "fine")
"""Of an output, the worst first."""


@dataclass(frozen=True)
class Concern:
    """Something that is wrong with an output.

    Attributes:
        severity: ALARM or NOTICE.
        cause: INT8, FP32 or LABELS.
        what: a sentence for people, without the output's name.
        measured, threshold: the figure and what it should have been, in ``unit``.
        unit: "%", "dB", "points" or "nats"; empty for a cosine.
        remedy: what to try, where that is known; empty: what helps against the cause.
    """

    severity: str
    cause: str
    what: str
    measured: float
    threshold: float
    unit: str = "%"
    remedy: str = ""


@dataclass(frozen=True)
class Findings:
    """How an output (or several that belong together, as boxes and their scores) differs in INT8.

    Attributes:
        outputs: names of the tensors.
        kind: what they were taken for.
        samples: how many were compared.
        text: the figures in one line.
        figures: the same for programs.
        concerns: what is wrong; empty where all is well.
    """

    outputs: tuple[str, ...]
    kind: str
    samples: int
    text: str
    figures: dict[str, float]
    concerns: tuple[Concern, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether INT8 does as FP32: "fine", "doubtful" or "collapsed"."""
        severities = [concern.severity for concern in self.concerns if concern.cause == INT8]
        return VERDICTS[0 if ALARM in severities else 1 if NOTICE in severities else 2]


def judge(
    measured: float, bound: float, limits: tuple[float, float], what: str, unit: str = "%"
) -> tuple[Concern, ...]:
    """The concern where even ``bound``, what ``measured`` may be at best, is below a limit.

    Args:
        limits: below the first: ALARM; below the second: NOTICE.
        what: the sentence.
    """
    for severity, limit in zip((ALARM, NOTICE), limits):
        if bound < limit:
            return (Concern(severity, INT8, what, measured, limit, unit),)
    return ()
