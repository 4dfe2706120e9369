"""Blame as a part of a job: in a process of its own, so that no failure undoes the result."""

from __future__ import annotations

import os
import pickle
import tempfile
from dataclasses import replace
from typing import Any, Dict, Optional

from tensorflow.core.framework import graph_pb2

from intel_quantization.blame.blame import Blame
from intel_quantization.blame.child import REQUEST, RESULT, Request
from intel_quantization.child import run_module
from intel_quantization.conversion import Conversion
from intel_quantization.events import EventStream
from intel_quantization.quantize.quantize_graph import Options

_MOST_BYTES = 1 << 30  # of both graphs: protobuf takes no more than 2 GB, and some of it stands there twice


def blame_of_job(
    conversion: Conversion,
    options: Options,
    feed: Any,
    threads: Optional[int],
    events: EventStream,
    timed: Optional[Dict[str, Any]] = None,
) -> Optional[Blame]:
    """What layers lose; None where that is not to be had, which is told.

    Args:
        conversion: of the job.
        options: by which it was quantized.
        feed: some samples, such as those that calibrated.
        threads: within an op.
        events: of the job.
        timed: what times are taken with, as latency is: a feed of one sample; None: the first of ``feed``.
    """
    if not conversion.layers:
        return None
    size = conversion.fp32_graph.ByteSize() + conversion.graph.ByteSize()
    if size > _MOST_BYTES:
        events.log("which layers lose was not measured: both graphs together are too large for one", "warning")
        return None
    found = list(feed.batches())
    if not found:
        return None
    # patches and the graph as it was read are large, and not needed
    statistics = replace(conversion.statistics, patches={})
    light = replace(conversion, input_graph=graph_pb2.GraphDef(), statistics=statistics)
    samples = sum(len(batch.images) for batch in found)
    batches = [batch.feed for batch in found]
    request = Request(light, options, batches, samples, threads, batches[0] if timed is None else timed)
    blame = _asked(request)
    if isinstance(blame, Blame):
        return blame
    events.log(f"which layers lose was not measured: {blame[:300]}", "warning")
    return None


def _asked(request: Request) -> Any:
    """The Blame, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="blame-") as folder:
        with open(os.path.join(folder, REQUEST), "wb") as stream:
            pickle.dump(request, stream)
        ended = run_module("intel_quantization.blame.child", folder)
        if ended:
            return ended
        with open(os.path.join(folder, RESULT), "rb") as stream:
            return pickle.load(stream)
