"""Whether the INT8 graph loses no more than is allowed: yes, no, or these samples cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intel_quantization.comparison.bounds import share_bounds
from intel_quantization.contract.failures import ACCURACY
from intel_quantization.measure.paired import Paired

HELD, BROKEN, UNDECIDED = "held", "broken", "undecided"
EXIT_CODE = ACCURACY.code
"""Of a job whose graph broke the limit; the graph is there all the same."""


@dataclass(frozen=True)
class Verdict:
    """What is said of ``--max_drop``.

    Attributes:
        word: HELD, BROKEN or UNDECIDED.
        max_drop: points that may be lost.
        text: a sentence for people, with the interval.
        metric: by which it was judged; empty where by none.
        needed: how many samples would decide; None where they do, or where nobody can tell.
    """

    word: str
    max_drop: float
    text: str
    metric: str = ""
    needed: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "word": self.word,
            "max_drop": self.max_drop,
            "text": self.text,
            "metric": self.metric,
            "needed": self.needed,
        }


def judge(paired: Paired, max_drop: float, unit: str) -> Verdict:
    """The verdict by a metric; ``unit`` is what samples are called."""
    if paired.high <= max_drop:
        word, begins = HELD, f"--max_drop {max_drop:g} is held"
    elif paired.low > max_drop:
        word, begins = BROKEN, f"--max_drop {max_drop:g} is broken"
    else:
        word, begins = UNDECIDED, f"--max_drop {max_drop:g} is not decided by these {paired.samples} {unit}"
    text = f"{begins}: {told(paired)}" + ("" if word == UNDECIDED else f" on {paired.samples} {unit}")
    needed = paired.needed(max_drop) if word == UNDECIDED else None
    if needed is not None:
        text += f"; about {needed} would decide"
    elif word == UNDECIDED:
        text += "; the loss is too near the limit for any number that could be had"
    return Verdict(word, max_drop, text, paired.metric, needed)


def judge_answers(agreement: float, samples: int, max_drop: float, unit: str) -> Verdict:
    """The verdict without labels: no more samples can be lost than are answered otherwise.

    Args:
        agreement: percent of samples with FP32's answer.
        samples: how many.
        max_drop: as given.
        unit: what samples are called.
    """
    other = 100.0 * (1.0 - share_bounds(agreement / 100.0 * samples, samples)[0])
    same = f"INT8 gives FP32's answer for {agreement:.2f} % of {samples} {unit}"
    if other <= max_drop:
        text = f"--max_drop {max_drop:g} is held: {same}, so that no more than {other:.2f} points can be lost (95 %)"
        return Verdict(HELD, max_drop, text, "answers")
    text = f"--max_drop {max_drop:g} is not decided: {same}, and which of the answers are right only labels tell"
    return Verdict(UNDECIDED, max_drop, text, "answers")


def undecided(max_drop: float, why: str) -> Verdict:
    """The verdict where nothing could be measured."""
    return Verdict(UNDECIDED, max_drop, f"--max_drop {max_drop:g} is not decided: {why}")


def told(paired: Paired) -> str:
    """The drop in words, with its interval."""
    verb = "loses" if paired.points >= 0 else "gains"
    return (
        f"INT8 {verb} {abs(paired.points):.2f} points of {paired.metric} "
        f"({paired.fp32:.2f} -> {paired.int8:.2f}, 95 % interval of the loss {paired.low:+.2f} to {paired.high:+.2f})"
    )
