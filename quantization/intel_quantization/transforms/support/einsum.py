"""Whether an Einsum is a matrix product of its input's last dimensions with weights."""

from __future__ import annotations

from typing import NamedTuple, Tuple, Union

_ELLIPSIS = "..."


class Dense(NamedTuple):
    """``result[..., new] = sum over summed: input[..., summed] * weights[summed, new]``.

    Attributes:
        order: the axes of the weights, those that are summed first, as the input has them, then the others, as the
            result has them.
        summed: how many are summed.
    """

    order: Tuple[int, ...]
    summed: int


def read_equation(equation: str, weights: int) -> Union[Dense, str]:
    """What an equation does, or why that is no such product.

    Args:
        equation: as Einsum has it.
        weights: which of its two operands are the weights, 0 or 1.
    """
    operands, _, result = equation.replace(" ", "").partition("->")
    parts = operands.split(",")
    if len(parts) != 2:
        return "it has %d operands" % len(parts)
    given, read = parts[weights], parts[1 - weights]
    if _ELLIPSIS in given or (_ELLIPSIS in read) != (_ELLIPSIS in result):
        return "its weights may have any number of dimensions, or its input has them without its result"
    if any(len(set(labels)) != len(labels) for labels in (given, *(_labels(text) for text in (read, result)))):
        return "it takes a diagonal"
    if any(label in _labels(read) and label in result for label in given):
        return "each of its batches has weights of its own"
    if any(label not in read + result for label in given):
        return "it sums its weights over a dimension that its input does not have"
    summed = [label for label in read if label in given]
    new = [label for label in result if label in given]
    kept = read[: len(read) - len(summed)]
    if kept + "".join(summed) != read or any(label in given for label in kept):
        return "it does not sum over the last dimensions of its input"
    if kept + "".join(new) != result:
        return "its result has its dimensions in another order"
    if not summed or not new:
        return "it is no matrix product"
    return Dense(tuple(given.index(label) for label in summed + new), len(summed))


def _labels(text: str) -> str:
    return text.replace(_ELLIPSIS, "")
