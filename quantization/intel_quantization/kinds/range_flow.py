"""How the range of an INT8 tensor passes an op: what the range verifier goes by."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Tuple


class Result(enum.Enum):
    """Which range the result of an op has."""

    SAME = "that of its first input"
    GIVEN = "the one that two of its inputs say"
    WIDEST = "the widest of its inputs' ranges"
    NONE = "none: it is float32"


@dataclass(frozen=True)
class RangeFlow:
    """How ranges pass an INT8 op.

    Attributes:
        result: which range output 0 has.
        reads: whether inputs of the op say which ranges the others have.
        arguments: the names of its inputs, where TensorFlow has none that tell; empty where its OpDef does.
    """

    result: Result
    reads: bool = True
    arguments: Tuple[str, ...] = ()


SAME = RangeFlow(Result.SAME, reads=False)
"""It moves values, and knows nothing of ranges."""
SAME_AS_READ = RangeFlow(Result.SAME)
"""It is told the range of what it reads, and gives that."""
GIVEN = RangeFlow(Result.GIVEN)
WIDEST = RangeFlow(Result.WIDEST)
NONE = RangeFlow(Result.NONE)
