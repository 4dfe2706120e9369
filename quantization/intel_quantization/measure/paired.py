"""A figure of both graphs on the same samples, and the difference with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intel_quantization.comparison.bounds import paired_drop

SCORE = "score interval for paired proportions (Tango 1998)"
BOOTSTRAP = "expanded percentile bootstrap over samples (Hesterberg 2015)"
MOST_NEEDED = 10_000_000
"""More samples than so many are not named: the difference is the limit itself, as far as anyone can tell."""


@dataclass(frozen=True)
class Paired:
    """What one metric says of two graphs.

    Attributes:
        metric: its name: top-1, top-5, COCO AP, mean IoU, or FILE.py:NAME.
        fp32, int8: percent; of a user's metric, hundredths of what the function gives.
        points: the drop, positive where INT8 is worse.
        low, high: its 95 % interval.
        samples: of both graphs.
        method: how the interval was made, for people.
        discordant: of samples that are right or wrong: how many only FP32 gets right, and how many only INT8.
    """

    metric: str
    fp32: float
    int8: float
    points: float
    low: float
    high: float
    samples: int
    method: str = SCORE
    discordant: tuple[int, int] | None = None

    def needed(self, max_drop: float) -> int | None:
        """How many samples would tell whether the drop is above ``max_drop``, if it is what was measured.

        None: these do, or more than MOST_NEEDED would be needed.
        """
        if self.high <= max_drop or self.low > max_drop or self.points == max_drop:
            return None
        below = self.points < max_drop
        if self.discordant is None:  # the width shrinks with the root of the number
            width = self.high - self.points if below else self.points - self.low
            needed = self.samples * (width / abs(max_drop - self.points)) ** 2
            return _round(needed)
        first, second = (each / self.samples for each in self.discordant)
        low, high = self.samples, self.samples
        while high <= MOST_NEEDED and not _decides(first, second, high, max_drop, below):
            low, high = high, high * 2
        while high - low > max(high // 100, 1):
            middle = (low + high) // 2
            low, high = (low, middle) if _decides(first, second, middle, max_drop, below) else (middle, high)
        return _round(high)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "metric": self.metric,
            "fp32": self.fp32,
            "int8": self.int8,
            "points": self.points,
            "low": self.low,
            "high": self.high,
            "samples": self.samples,
            "method": self.method,
        }


def paired_shares(metric: str, only_fp32: int, only_int8: int, both: int, count: int) -> Paired:
    """Of samples that are right or wrong.

    Args:
        metric: its name.
        only_fp32, only_int8: that only the one graph gets right.
        both: that both get right.
        count: of all.
    """
    drop = paired_drop(only_fp32, only_int8, count)
    fp32, int8 = (100.0 * (each + both) / count for each in (only_fp32, only_int8))
    return Paired(metric, fp32, int8, drop.points, drop.low, drop.high, count, SCORE, (only_fp32, only_int8))


def _decides(first: float, second: float, count: int, max_drop: float, below: bool) -> bool:
    drop = paired_drop(first * count, second * count, count)
    return drop.high <= max_drop if below else drop.low > max_drop


def _round(count: float) -> int | None:
    """Up to two digits, as it is no more than a guess."""
    if count > MOST_NEEDED:
        return None
    step = 10 ** max(len(str(int(count))) - 2, 0)
    return int(-(-count // step) * step)
