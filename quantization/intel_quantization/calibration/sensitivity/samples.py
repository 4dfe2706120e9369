"""Keep a few samples of a feed that passes."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List

import numpy as np

Feed = Dict[str, np.ndarray]


class KeptSamples:
    """The first samples of the first batches.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches: List[Feed] = []

    def of_each(self, feed: Iterable[Feed]) -> Iterator[Feed]:
        """The same batches."""
        for batch in feed:
            if len(self._batches) < self._most:
                self._batches.append({name: np.array(_take_first(value, self._most)) for name, value in batch.items()})
            yield batch

    def split(self) -> List[Feed]:
        """Feeds of one sample each, from as many batches as there are; what has no batch dimension is in all."""
        found: List[Feed] = []
        for place in range(self._most):
            for batch in self._batches:
                if place < _find_size(batch) and len(found) < self._most:
                    found.append({name: _take_one(value, place, _find_size(batch)) for name, value in batch.items()})
        return found


def _find_size(batch: Feed) -> int:
    return max((len(value) for value in batch.values() if np.ndim(value)), default=1)


def _take_first(value: np.ndarray, most: int) -> np.ndarray:
    return value[:most] if np.ndim(value) else value


def _take_one(value: np.ndarray, place: int, size: int) -> np.ndarray:
    return value[place : place + 1] if np.ndim(value) and len(value) == size else value
