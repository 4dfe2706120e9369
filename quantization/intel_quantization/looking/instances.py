"""A graph served by some instances at once, each on CPUs of its own: how long a run takes, and how many there are."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

import intel_quantization
from intel_quantization.graph.io import write_graph
from intel_quantization.looking.pair import Looked
from intel_quantization.looking.serve import FEED, GRAPH, READY

_SECONDS = 3.0
_PATIENCE = 600.0


@dataclass(frozen=True)
class Setting:
    """How a graph is served.

    Attributes:
        instances: processes, each with so many threads, and as many CPUs of its own.
        threads: within an op.
        inter: ops at a time.
        batch: samples of a run.
        variables: of the environment besides, by name.
    """

    instances: int
    threads: int
    inter: int = 1
    batch: int = 1
    variables: Tuple[Tuple[str, str], ...] = field(default=())

    @property
    def environment(self) -> Dict[str, str]:
        """All variables that an instance runs under."""
        return {
            "OMP_NUM_THREADS": str(self.threads),
            "TF_NUM_INTRAOP_THREADS": str(self.threads),
            "TF_NUM_INTEROP_THREADS": str(self.inter),
            **dict(self.variables),
        }


@dataclass(frozen=True)
class Served:
    """What a setting gives: milliseconds of a run, the median and the 90th percentile, and samples a second of all."""

    setting: Setting
    median: float
    high: float
    rate: float


@contextmanager
def served_graph(looked: Looked, feeds: Dict[int, Dict[str, Any]]) -> Iterator[Callable[[int], str]]:
    """Folders with a graph and a feed, by the number of samples in it.

    Args:
        looked: the graph.
        feeds: by that number, by the names of the first graph's inputs.
    """
    with tempfile.TemporaryDirectory(prefix="serve-") as root:
        graph = os.path.join(root, GRAPH)
        write_graph(looked.graph, graph)
        for batch, feed in feeds.items():
            folder = os.path.join(root, str(batch))
            os.mkdir(folder)
            os.link(graph, os.path.join(folder, GRAPH))
            with open(os.path.join(folder, FEED), "wb") as stream:
                pickle.dump((looked.own(feed), looked.outputs), stream)
        yield lambda batch: os.path.join(root, str(batch))


def serve(folder: str, setting: Setting, cpus: Sequence[int], seconds: float = _SECONDS) -> Served | str:
    """Serve a graph in a setting, or say why that does not go.

    Args:
        folder: with the graph and a feed of the setting's batch.
        setting: as above.
        cpus: one for each thread of all instances.
        seconds: of serving.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(intel_quantization.__file__)))
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    variables = {**os.environ, **setting.environment, "PYTHONPATH": os.pathsep.join(paths)}
    words = [sys.executable, "-m", "intel_quantization.looking.serve", folder, str(seconds)]
    running: List[subprocess.Popen[str]] = []
    try:
        for number in range(setting.instances):
            mine = cpus[number * setting.threads : (number + 1) * setting.threads]
            running.append(
                subprocess.Popen(
                    [*words, ",".join(map(str, mine))],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=variables,
                    text=True,
                )
            )
        for process in running:  # all of them, before any begins
            assert process.stdout is not None
            if READY not in process.stdout.readline():
                return _explain(process)
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        taken = []
        for process in running:
            text = process.communicate(timeout=_PATIENCE)[0]
            if process.returncode:
                return _explain(process)
            taken.append(json.loads(text))
    finally:
        for process in running:
            process.kill()
            process.communicate()
    times = np.concatenate([np.asarray(each, np.float64) for each in taken])
    rate = sum(setting.batch * len(each) / (sum(each) / 1000.0) for each in taken)
    median, high = np.percentile(times, (50, 90))
    return Served(setting, float(median), float(high), float(rate))


def _explain(process: subprocess.Popen[str]) -> str:
    status = process.wait(timeout=_PATIENCE)
    return f"an instance ended with status {status}"
