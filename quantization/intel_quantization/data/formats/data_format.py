"""What a data format is to the rest: how its paths are recognised, and its data opened.

A new one is a file here with the object ``FORMAT``, and its row in ``DATA_FORMATS`` of ``contract/words.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple

from intel_quantization.data.dataset import Dataset


@dataclass(frozen=True)
class Wanted:
    """What a dataset is opened for.

    Attributes:
        inputs: the graph's inputs, TensorInfos.
        samples, evaluate, seed: as for :func:`intel_quantization.data.images.split`.
        labels: a file with labels, or a folder of them; None without.
    """

    inputs: Sequence[Any]
    samples: Optional[int] = None
    evaluate: Optional[int] = None
    seed: int = 0
    labels: Optional[str] = None


class DataFormat(ABC):
    """One kind of data that a path may hold."""

    @abstractmethod
    def find(self, path: str) -> Tuple[str, ...]:
        """What a path holds of this format: the file itself, or files or folders of a folder; empty: nothing.

        Formats are asked in the order of ``DATA_FORMATS``, and the first that finds something opens it.
        """

    @abstractmethod
    def open(self, found: Sequence[str], wanted: Wanted) -> Dataset:
        """The data of what ``find`` found.

        Raises:
            BadInputError: it is damaged, or does not fit the graph.
        """
