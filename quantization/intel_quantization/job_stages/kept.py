"""What calibration saw, kept for later runs under a hash of all that decides it: the graph, and what is fed to it.

The launcher mounts what earlier runs on the very same file left, and takes what this one leaves; a graph, which is a
program, can so mislead later runs on itself alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Any, Callable, Dict, Iterable, Mapping, Optional

import numpy as np
import tensorflow as tf

from intel_quantization import job as jobs
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.calibration.statistics_file import load_statistics, save_statistics
from intel_quantization.contract.outputs import KEPT_FOLDER, KEPT_NAME, kept_name
from intel_quantization.environment import cpu_features
from intel_quantization.errors import QuantizationError
from intel_quantization.graph.io import fingerprint
from intel_quantization.stages.calibrate import digest_feed, origin_of, use_statistics
from intel_quantization.stages.optimize import Optimized

Feed = Dict[str, np.ndarray]


class Kept:
    """The calibration of one job, between runs.

    Args:
        earlier: the folder of what earlier runs left.
        own: the folder where this one leaves its own.
        optimized: the graph, and what is to be looked at.
        make_feed: gives what is fed; what differs each time it is called is found by its values.
    """

    def __init__(self, earlier: str, own: str, optimized: Optimized, make_feed: Callable[[], Iterable[Feed]]) -> None:
        self._earlier = earlier
        self._own = own
        self._optimized = optimized
        self._make_feed = make_feed
        self._data: Optional[str] = None

    @classmethod
    def of_job(cls, job: jobs.Job, optimized: Optimized, make_feed: Callable[[], Iterable[Feed]]) -> Optional[Kept]:
        """None where nothing is to be kept."""
        earlier = jobs.path(KEPT_FOLDER)
        if not os.path.isdir(earlier):
            return None
        return cls(earlier, os.path.dirname(jobs.path(job.out_graph)), optimized, make_feed)

    def find(self, options: Optional[Mapping[str, Any]] = None) -> Optional[Statistics]:
        """The statistics that calibrating would give, to the byte; None where nobody kept them.

        Args:
            options: for the record: JSON-ready.

        Raises:
            BadInputError: what is fed cannot be read.
        """
        if not any(map(KEPT_NAME.fullmatch, os.listdir(self._earlier))):
            return None  # the data need not be read twice
        path = os.path.join(self._earlier, kept_name(self._key()))
        if not os.path.isfile(path):
            return None
        try:
            found = use_statistics(self._optimized, load_statistics(path))
        except QuantizationError:
            return None  # damaged: it is made anew
        if list(found.tensors) != sorted(self._optimized.observed):
            return None
        found.origin = origin_of(self._data, options)
        return found

    def keep(self, statistics: Statistics) -> None:
        """Leave statistics for later runs; where they cannot be written, these calibrate themselves.

        Those that fed something else than :meth:`find` saw, as a file that changed meanwhile, are not kept.
        """
        data = statistics.origin["data"]
        if self._data is not None and data != self._data:
            return
        self._data = data
        with contextlib.suppress(QuantizationError, OSError):
            save_statistics(statistics, os.path.join(self._own, kept_name(self._key())))

    def _key(self) -> str:
        optimized = self._optimized
        if self._data is None:
            self._data = digest_feed(self._make_feed())
        decides = {
            "graph": fingerprint(optimized.graph_def),
            "outputs": list(optimized.outputs),
            "observed": list(optimized.observed),
            "sources": list(optimized.sources),
            "windows": sorted(optimized.windows),
            "data": self._data,
            "tensorflow": tf.__version__,
            "cpu": cpu_features(),  # other kernels round otherwise
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
