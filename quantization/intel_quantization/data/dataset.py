"""What all kinds of data have in common: two disjoint parts, and feeds of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.feeds import Layout
from intel_quantization.data.images import Split
from intel_quantization.data.preprocess import Mode


@dataclass(frozen=True)
class Dataset:
    """Data for a graph, divided into samples to calibrate with and others to compare on.

    Attributes:
        what: what was found, for people, e.g. "600 images in 10 class folders".
        total: how many samples there are, None where only reading them would tell.
        split: both parts; each is sized and sliceable, and is what ``make_feed`` takes.
        labelling: what the labels of the samples mean.
        layout: of the input for which pixels are preprocessed; None where the data are fed as they are.
        make_feed: callable(part, mode, batch_size) -> feed: iterable of feed dicts, with ``batches()``
            (Batch objects), ``batch_size`` and ``mode``.
        warnings: what the user should know about the data.
        resizes: whether pictures are brought to the size of the input; arrays have it already.
        unit: what the samples are called, for people: images, rows, or samples where nobody knows.
    """

    what: str
    total: int | None
    split: Split
    labelling: Labelling
    layout: Layout | None
    make_feed: Callable[..., Any]
    warnings: tuple[str, ...] = ()
    resizes: bool = True
    unit: str = "images"

    def feed(self, part: Any, mode: Mode | None, batch_size: int | None = None) -> Any:
        """A feed of one of the parts, or of a slice of it; ``mode`` None: as they are."""
        return self.make_feed(part, mode or "none", batch_size)


def batch_of(feed: dict[str, np.ndarray]) -> int:
    """How many samples a feed dict holds, with those that only fill it up."""
    return max((len(value) for value in feed.values() if np.ndim(value)), default=1)
